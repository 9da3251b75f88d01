import torch

from training.average import average


def test_weights_are_mixed_and_counters_kept():
    first = {"average": {"w": torch.zeros(2), "n": torch.tensor(3)}, "step": 1}
    second = {"average": {"w": torch.ones(2), "n": torch.tensor(9)}, "step": 2}
    mixed = average(first, second, 0.25)
    assert mixed["average"]["w"].tolist() == [0.25, 0.25] and mixed["average"]["n"] == 3 and mixed["step"] == 1
