"""Batches of samples, drawn without end by seeded workers."""

from collections import defaultdict

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from .manifest import Row
from .samples import Pictures, Sample, compose

LINE_CELLS = 48  # longest line of cells kept


class Draw:
    """Draws rows: source by share, then stratum, then group, then row, each even."""

    def __init__(self, rows: list[Row], rng: np.random.Generator):
        tree: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        shares = {}
        for row in rows:
            tree[row.source][row.stratum][row.group].append(row)
            shares[row.source] = row.rule.share
        self.rng = rng
        self.sources = [[list(groups.values()) for groups in strata.values()] for strata in tree.values()]
        weights = np.array([shares[s] for s in tree])
        self.weights = weights / weights.sum()

    def __call__(self) -> Row:
        pick = self.sources[self.rng.choice(len(self.sources), p=self.weights)]
        for _ in range(3):  # stratum, group, row
            pick = pick[int(self.rng.integers(len(pick)))]
        return pick


class Batches(IterableDataset):
    """Yields dictionaries of tensors, `batch` samples each.

    pixels: [N, 3, S, S] uint8, or features: [N, 32, S/8, S/8] float16 where `stem` (ONNX bytes) is given;
    cells [N, C, s, s] int8; panes [N, s, s] int8; labels [N, PANES, C] int8; lines [B, LINE_CELLS]
    int64 indices in the flattened [N, C, s, s], padded with -1.
    """

    def __init__(self, rows: list[Row], pictures: Pictures, batch: int, size: int, seed: int, mosaic: float, stem: bytes | None):
        self.rows, self.pictures, self.batch, self.size = rows, pictures, batch, size
        self.seed, self.mosaic, self.stem = seed, mosaic, stem

    def __iter__(self):
        info = get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        draw = Draw(self.rows, rng)
        session = _session(self.stem) if self.stem else None
        while True:
            samples = [compose(draw, self.pictures, self.size, rng, self.mosaic) for _ in range(self.batch)]
            yield collate(samples, session)


def _session(stem: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(stem, options, providers=["CPUExecutionProvider"])


def collate(samples: list[Sample], session: ort.InferenceSession | None = None) -> dict[str, Tensor]:
    """Stacks samples; runs the frozen stem picture by picture where a session is given."""
    pixels = np.stack([s.image for s in samples]).transpose(0, 3, 1, 2)
    batch = {
        "cells": torch.from_numpy(np.stack([s.cells for s in samples])),
        "panes": torch.from_numpy(np.stack([s.panes for s in samples])),
        "labels": torch.from_numpy(np.stack([s.labels for s in samples])),
        "lines": torch.from_numpy(_line_indices(samples)),
    }
    if session is None:
        batch["pixels"] = torch.from_numpy(np.ascontiguousarray(pixels))
    else:
        maps = [session.run(None, {"image": p[None].astype(np.float32)})[0] for p in pixels]
        batch["features"] = torch.from_numpy(np.concatenate(maps).astype(np.float16))
    return batch


def _line_indices(samples: list[Sample]) -> np.ndarray:
    """[B, LINE_CELLS] flat cell indices over the batch, -1 where a line is shorter."""
    classes, s, _ = samples[0].cells.shape
    found = []
    for n, sample in enumerate(samples):
        for c, line in sample.lines:
            index = np.flatnonzero(line)[:LINE_CELLS] + (n * classes + c) * s * s
            found.append(np.pad(index, (0, LINE_CELLS - len(index)), constant_values=-1))
    return np.array(found, np.int64).reshape(-1, LINE_CELLS)
