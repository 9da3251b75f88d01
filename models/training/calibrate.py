"""Chooses calibration and thresholds on val, from the pooled logits of the file that will serve."""

from dataclasses import dataclass

import numpy as np

from .regions import score


@dataclass
class Fitted:
    """One class's calibration, threshold and the words for the manifest."""

    scale: float
    offset: float
    threshold: float
    rule: str


def platt(values: np.ndarray, truth: np.ndarray, steps: int = 100) -> tuple[float, float]:
    """Scale and offset of a logistic fit (damped Newton, targets drawn in as Platt does)."""
    if truth.all() or not truth.any():
        return 1.0, 0.0
    n1, n0 = truth.sum(), (1 - truth).sum()
    goal = np.where(truth == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    x = np.stack([values, np.ones_like(values)], 1)

    def loss(w):
        z = x @ w
        return np.sum(np.logaddexp(0, z) - goal * z)

    w = np.array([1.0, 0.0])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ w)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        move = np.linalg.solve(hessian, x.T @ (p - goal))
        while loss(w - move) > loss(w) and np.abs(move).max() > 1e-6:
            move = move / 2
        w = w - move
    return float(w[0]), float(w[1])


def best_threshold(values: np.ndarray, truth: np.ndarray, clean: np.ndarray, clean_rate: float) -> float:
    """Pooled logit with the best F1, among those that at most `clean_rate` of the clean photos reach.

    Where several are as good as the best within half a point, the middle one.
    """
    levels = np.unique(values)
    cuts = np.append((levels[1:] + levels[:-1]) / 2, levels[-1] + 1e-3)
    f1 = np.array([2 * truth[values >= c].sum() / max((values >= c).sum() + truth.sum(), 1) for c in cuts])
    if len(clean):
        allowed = np.array([(clean >= c).mean() <= clean_rate for c in cuts])
        f1 = np.where(allowed, f1, -1)
    good = cuts[f1 >= f1.max() - 0.005]
    return float(np.median(good))


def fit(values: np.ndarray, truth: np.ndarray, clean: np.ndarray, clean_rate: float, words: str) -> Fitted:
    """Calibration on (values, truth) and a threshold; `clean` are values on photos without defects."""
    scale, offset = platt(values, truth)
    cut = best_threshold(values, truth, clean, clean_rate)
    return Fitted(scale, offset, score(cut, scale, offset), words)
