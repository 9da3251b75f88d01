import torch

from training import losses


def test_top_mean_is_what_inference_pools():
    logits = torch.arange(400.0)[None]
    assert losses.top_mean(logits, torch.ones_like(logits, dtype=torch.bool)).item() == 395.5


def test_top_mean_leaves_masked_cells_out():
    logits = torch.tensor([[9.0, 1.0, 2.0, 3.0, 4.0]])
    assert losses.top_mean(logits, torch.tensor([[False, True, True, True, True]]), least=3).item() == 3.0


def test_soft_maximum_lies_between_mean_and_maximum():
    logits = torch.tensor([[0.0, 1.0, 4.0]])
    value = losses.soft_maximum(logits, torch.ones_like(logits, dtype=torch.bool)).item()
    assert 5 / 3 < value < 4


def test_a_line_is_content_with_one_positive():
    low, high = torch.full((1, 1, 2, 2), -5.0), torch.full((1, 1, 2, 2), -5.0)
    high[0, 0, 0, 1] = 5.0
    line = torch.tensor([[0, 1, -1]])
    assert losses.line_loss(high, line) < 0.1 < losses.line_loss(low, line)


def test_unknown_cells_and_panes_cost_nothing():
    batch = {
        "cells": torch.full((1, 1, 2, 2), -1, dtype=torch.int8),
        "panes": torch.zeros(1, 2, 2, dtype=torch.int8),
        "labels": torch.full((1, losses.PANES, 1), -1, dtype=torch.int8),
        "lines": torch.zeros(0, 3, dtype=torch.int64),
    }
    assert losses.total_loss(torch.randn(1, 1, 2, 2), batch) == 0
