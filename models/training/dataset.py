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
    """Draws rows: source by share, stratum by the root of its size, then group and row, each even."""

    def __init__(self, rows: list[Row], rng: np.random.Generator):
        tree: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        shares = {}
        for row in rows:
            tree[row.source][row.stratum][row.group].append(row)
            shares[row.source] = row.rule.share
        self.rng = rng
        self.sources = [
            (_parts([len(g) ** 0.5 for g in strata.values()]), [list(g.values()) for g in strata.values()])
            for strata in tree.values()
        ]
        self.shares = _parts([shares[s] for s in tree])

    def __call__(self) -> Row:
        weights, strata = self.sources[self.rng.choice(len(self.sources), p=self.shares)]
        groups = strata[self.rng.choice(len(strata), p=weights)]
        rows = groups[int(self.rng.integers(len(groups)))]
        return rows[int(self.rng.integers(len(rows)))]


def _parts(weights: list[float]) -> np.ndarray:
    return np.array(weights) / sum(weights)


class Batches(IterableDataset):
    """Yields dictionaries of tensors, `batch` samples each.

    pixels: [N, 3, S, S] uint8, or where `frozen` (ONNX bytes) is given its outputs as float16:
    fine [N, 32, S/8, S/8] and perhaps middle [N, 96, S/16, S/16];
    cells [N, C, s, s] int8; panes [N, s, s] int8; labels [N, PANES, C] int8; lines [B, LINE_CELLS]
    int64 indices in the flattened [N, C, s, s], padded with -1.
    """

    def __init__(self, rows: list[Row], pictures: Pictures, batch: int, size: int, seed: int, mosaic: float, frozen: bytes | None):
        self.rows, self.pictures, self.batch, self.size = rows, pictures, batch, size
        self.seed, self.mosaic, self.frozen = seed, mosaic, frozen

    def __iter__(self):
        info = get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        draw = Draw(self.rows, rng)
        session = open_bytes(self.frozen) if self.frozen else None
        while True:
            samples = [compose(draw, self.pictures, self.size, rng, self.mosaic) for _ in range(self.batch)]
            yield collate(samples, session)


def open_bytes(model: bytes) -> ort.InferenceSession:
    """A session of one thread for an ONNX model in memory."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def collate(samples: list[Sample], session: ort.InferenceSession | None = None) -> dict[str, Tensor]:
    """Stacks samples; runs the frozen part picture by picture where a session is given."""
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
        each = [session.run(None, {"image": p[None].astype(np.float32)}) for p in pixels]
        for name, maps in zip(("fine", "middle"), zip(*each)):
            batch[name] = torch.from_numpy(np.concatenate(maps).astype(np.float16))
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
