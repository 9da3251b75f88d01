import numpy as np
import pytest

from training import metrics
from training.calibrate import BETA, best_threshold, platt


def test_average_precision_of_known_rankings():
    assert metrics.average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 1, 0])) == 1
    assert metrics.average_precision(np.array([0.9, 0.8, 0.1]), np.array([0, 1, 1])) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_calibration_error_of_an_overconfident_score():
    assert metrics.calibration_error(np.full(10, 0.95), np.array([1] * 5 + [0] * 5)) == pytest.approx(0.45)


def test_overlap():
    assert metrics.overlap([0, 0, 2, 2], [1, 0, 2, 2]) == pytest.approx(1 / 3)
    assert metrics.share_inside([1, 1, 1, 1], [0, 0, 9, 9]) == 1


def test_platt_finds_the_curve():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, 4000)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-(1.5 * x - 1)))).astype(int)
    scale, offset = platt(x, truth)
    assert abs(scale - 1.5) < 0.15 and abs(offset + 1) < 0.15


def test_threshold_keeps_clean_photos_quiet():
    values, chance = np.array([0.0, 1, 2, 3, 4]), np.array([0.02, 0.9, 0.95, 0.97, 0.99])
    assert 0 < best_threshold(values, chance, np.array([]), 0.0) < 1
    assert best_threshold(values, chance, np.array([1.7]), 0.0) > 1.7


def test_the_best_threshold_is_a_share_of_the_best_measure():
    # Lipton, Elkan and Narayanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", 2014, theorem 1: half of
    # the best F1; for other betas the same proof gives the best measure over 1 + beta squared.
    values = np.linspace(-6, 6, 2001)
    chance = 1 / (1 + np.exp(-values))
    cut = best_threshold(values, chance, np.array([]), 0.0)
    weight = BETA**2
    best = (1 + weight) * chance[values >= cut].sum() / ((values >= cut).sum() + weight * chance.sum())
    assert 1 / (1 + np.exp(-cut)) == pytest.approx(best / (1 + weight), abs=0.005)
