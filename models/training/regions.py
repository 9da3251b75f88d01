"""From score maps to scores and regions: the rules that the service follows cell by cell."""

import numpy as np


def top_count(cells: int, share: float, least: int) -> int:
    """How many of `cells` cells are pooled."""
    return min(cells, max(least, int(share * cells + 0.5)))


def pooled(logits: np.ndarray, share: float, least: int) -> float:
    """Mean of the top `share` (at least `least`) of the given logits [n]."""
    k = top_count(len(logits), share, least)
    return float(np.sort(logits)[::-1][:k].mean(dtype=np.float64))


def score(value: float, scale: float, offset: float) -> float:
    """Calibrated score of a pooled logit."""
    return float(1 / (1 + np.exp(-(scale * value + offset))))


def _grow(mask: np.ndarray, reach: int) -> np.ndarray:
    """[h, w] -> [h + 2 reach, w + 2 reach]: true where any cell within `reach` (a square) is."""
    h, w = mask.shape[0] + 2 * reach, mask.shape[1] + 2 * reach
    p = np.pad(mask, 2 * reach)
    span = range(2 * reach + 1)
    return np.any([p[y : y + h, x : x + w] for y in span for x in span], axis=0)


def close(mask: np.ndarray, reach: int) -> np.ndarray:
    """Morphological closing with a square of 2 * reach + 1 cells, as if the map lay on an endless
    empty plane (so that nothing is added at its border)."""
    inner = slice(2 * reach, -2 * reach or None)
    return ~_grow(~_grow(mask, reach), reach)[inner, inner]


def components(mask: np.ndarray) -> list[np.ndarray]:
    """8-connected components in reading order of their first cell: each [n, 2] (row, column)."""
    left = mask.copy()
    found = []
    for start in np.argwhere(mask):
        if not left[tuple(start)]:
            continue
        left[tuple(start)] = False
        stack, cells = [tuple(start)], []
        while stack:
            y, x = stack.pop()
            cells.append((y, x))
            for ny in range(max(0, y - 1), min(mask.shape[0], y + 2)):
                for nx in range(max(0, x - 1), min(mask.shape[1], x + 2)):
                    if left[ny, nx]:
                        left[ny, nx] = False
                        stack.append((ny, nx))
        found.append(np.array(sorted(cells)))
    return found


def find_regions(logits: np.ndarray, valid: np.ndarray, threshold: float, reach: int, least: int) -> list[np.ndarray]:
    """Components of one class's map [rows, columns] that are worth showing, never empty.

    Cells at or above the threshold, closed, 8-connected, at least `least` cells after closing.
    If none is left: the component with the best cell, or that cell alone.
    """
    closed = close((logits >= threshold) & valid, reach) & valid
    found = components(closed)
    kept = [c for c in found if len(c) >= least]
    if kept:
        return kept
    best = np.unravel_index(np.where(valid, logits, -np.inf).argmax(), logits.shape)
    holding = [c for c in found if (c == best).all(1).any()]
    return holding or [np.array([best])]
