"""The loss: panes by multiple-instance pooling, cells where they are known, lines across boxes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .samples import PANES

SHARPNESS = 4.0
SMOOTHING = 0.02


def soft_maximum(logits: Tensor, mask: Tensor) -> Tensor:
    """Normalised log-sum-exp over the last axis where `mask`: [..., K] -> [...]."""
    count = mask.sum(-1).clamp(min=1)
    scaled = (logits * SHARPNESS).masked_fill(~mask, -1e4)
    return (torch.logsumexp(scaled, -1) - torch.log(count)) / SHARPNESS


def top_mean(logits: Tensor, mask: Tensor, share: float = 0.02, least: int = 5) -> Tensor:
    """Mean of the top `share` of the cells (at least `least`): [..., K] -> [...]. As at inference."""
    count = (mask.sum(-1, keepdim=True) * share + 0.5).floor().clamp(min=least)
    k = min(int(count.max()), logits.shape[-1])
    best = logits.masked_fill(~mask, -30.0).topk(k, -1).values
    keep = torch.arange(k, device=logits.device) < count
    return (best * keep).sum(-1) / keep.sum(-1)


def pane_loss(logits: Tensor, panes: Tensor, labels: Tensor) -> Tensor:
    """logits [N, C, s, s], panes [N, s, s], labels [N, PANES, C]: mean over known (pane, class)."""
    flat = logits.flatten(2)
    total, weight = logits.new_zeros(()), logits.new_zeros(())
    for i in range(PANES):
        truth = labels[:, i]
        known = truth >= 0
        if not known.any():
            continue
        mask = (panes == i).flatten(1)[:, None].expand_as(flat)
        target = truth.clamp(min=0).float()
        w = known * torch.where(target > 0, 3.0, 1.0)
        goal = target * (1 - 2 * SMOOTHING) + SMOOTHING
        for pooled in (soft_maximum(flat, mask), top_mean(flat, mask)):
            loss = F.binary_cross_entropy_with_logits(pooled, goal, reduction="none")
            total, weight = total + (loss * w).sum(), weight + w.sum()
    return total / weight.clamp(min=1)


def cell_loss(logits: Tensor, cells: Tensor) -> Tensor:
    """logits and cells [N, C, s, s]: positives and negatives averaged apart."""
    loss = F.binary_cross_entropy_with_logits(logits, cells.clamp(min=0).float(), reduction="none")
    positive, negative = cells == 1, cells == 0
    return 0.15 * _mean(loss, positive) + 2.0 * _mean(loss, negative)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)


def line_loss(logits: Tensor, lines: Tensor) -> Tensor:
    """Each line of cells (indices [B, K], -1 padding) holds at least one positive."""
    if len(lines) == 0:
        return logits.new_zeros(())
    mask = lines >= 0
    picked = logits.flatten()[lines.clamp(min=0)].masked_fill(~mask, -30.0)
    return F.softplus(-torch.logsumexp(picked * SHARPNESS, -1) / SHARPNESS).mean()


def total_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return (
        pane_loss(logits, batch["panes"], batch["labels"])
        + cell_loss(logits, batch["cells"])
        + 0.5 * line_loss(logits, batch["lines"])
    )
