import numpy as np

from training.quantise import pair_safe


def test_no_two_neighbours_overflow_together():
    rng = np.random.default_rng(0)
    weight = (rng.standard_normal((8, 5, 3, 3)) ** 3).astype(np.float32)
    eight = np.rint(weight / pair_safe(weight)[:, None, None, None])
    rows = eight.transpose(0, 2, 3, 1).reshape(8, -1)
    assert np.abs(eight).max() <= 127
    # Unsigned activations of 8 bits, summed in signed 16: the pair of an odd count's last weight is nothing.
    worst = [255 * np.clip(s * rows[:, :44].reshape(8, -1, 2), 0, None).sum(2).max() for s in (1, -1)]
    assert 255 * 120 < max(worst) <= 2**15 - 1


def test_a_weight_alone_keeps_its_eight_bits():
    weight = np.zeros((1, 4, 1, 1), np.float32)
    weight[0, 0], weight[0, 1] = 1.0, -0.9
    assert np.isclose(pair_safe(weight)[0], 1 / 127)
