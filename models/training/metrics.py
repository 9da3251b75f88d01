"""Small measures: average precision, F1, calibration error, overlap of boxes."""

import numpy as np


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the precision-recall steps; scores and truth (0 or 1) are [n]."""
    if truth.sum() == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # ties count together
    precision = hits[last] / (np.flatnonzero(last) + 1)
    recall = hits[last] / truth.sum()
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def precision_recall_f1(flagged: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """From boolean [n] arrays; nan where a rate has no ground."""
    hits = float((flagged & truth).sum())
    precision = hits / flagged.sum() if flagged.any() else float("nan")
    recall = hits / truth.sum() if truth.any() else float("nan")
    return precision, recall, 2 * hits / max(flagged.sum() + truth.sum(), 1)


def reliability(scores: np.ndarray, truth: np.ndarray, bins: int = 10) -> list[tuple[int, float, float]]:
    """Per bin of the score: count, mean score, share that holds. Empty bins are left out."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    table = []
    for b in range(bins):
        inside = which == b
        if inside.any():
            table.append((int(inside.sum()), float(scores[inside].mean()), float(truth[inside].mean())))
    return table


def calibration_error(scores: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error."""
    return sum(n * abs(s - t) for n, s, t in reliability(scores, truth, bins)) / len(scores)


def overlap(a, b) -> float:
    """Intersection over union of two boxes [x, y, w, h]."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inside = max(w, 0) * max(h, 0)
    return inside / (a[2] * a[3] + b[2] * b[3] - inside)


def share_inside(a, b) -> float:
    """Share of box a that lies in box b."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(w, 0) * max(h, 0) / (a[2] * a[3])
