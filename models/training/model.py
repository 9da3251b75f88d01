"""A shipped model folder: manifest, session, and what it finds on a photo."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from . import regions
from .photo import View, make_view


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def open_session(path: Path, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@dataclass
class Settings:
    """What of the manifest the pipeline needs."""

    views: list[int]
    max_upscale: float
    multiple: int
    stride: int
    top_share: float
    top_min_cells: int
    close_cells: int


class Model:
    """Runs a model folder the way the service does."""

    def __init__(self, folder: Path, precision: str | None = None, threads: int = 1):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        entry = self.manifest["files"][precision or self.manifest["default_precision"]]
        if digest(folder / entry["path"]) != entry["sha256"]:
            raise ValueError(f"{entry['path']} is not the file that the manifest names")
        self.session = open_session(folder / entry["path"], threads)
        self.classes = self.manifest["classes"]
        i, o = self.manifest["input"], self.manifest["output"]
        self.settings = Settings(
            i["views"], i["max_upscale"], i["multiple"], o["stride"], o["top_share"], o["top_min_cells"], o["close_cells"]
        )
        self.mean = np.array(i["mean"], np.float32).reshape(1, 3, 1, 1)
        self.std = np.array(i["std"], np.float32).reshape(1, 3, 1, 1)

    def maps(self, photo: Image.Image) -> list[tuple[View, np.ndarray]]:
        """Each view with its logits [classes, rows, columns]; views of equal size are run once."""
        found: dict = {}
        for long_side in self.settings.views:
            view = make_view(photo, long_side, self.settings.max_upscale, self.settings.multiple)
            if (view.width, view.height) not in found:
                fed = (view.image - self.mean) / self.std
                found[view.width, view.height] = view, self.session.run(None, {"image": fed})[0][0]
        return list(found.values())

    def pooled(self, maps: list[tuple[View, np.ndarray]]) -> np.ndarray:
        """[classes] pooled logits, mean over the views."""
        s = self.settings
        each = []
        for view, logits in maps:
            valid = view.valid(s.stride)
            each.append([regions.pooled(m[valid], s.top_share, s.top_min_cells) for m in logits])
        return np.mean(each, axis=0)

    def scores(self, pooled: np.ndarray) -> list[float]:
        """Calibrated photo scores."""
        return [regions.score(v, **c["calibration"]) for v, c in zip(pooled, self.classes)]

    def detect(self, photo: Image.Image) -> dict:
        """Upright size, class scores, and the regions of each reported class (experimental ones too)."""
        maps = self.maps(photo)
        scores = self.scores(self.pooled(maps))
        view, logits = maps[0]
        found = []
        for i, (entry, photo_score) in enumerate(zip(self.classes, scores)):
            if photo_score >= entry["threshold"]:
                found += self._regions(entry, logits[i], view, photo_score, photo.size)
        names = [c["name"] for c in self.classes]
        return {"width": photo.width, "height": photo.height, "class_scores": dict(zip(names, scores)), "regions": found}

    def _regions(self, entry: dict, logits: np.ndarray, view: View, photo_score: float, size) -> list[dict]:
        s = self.settings
        parts = regions.find_regions(logits, view.valid(s.stride), entry["cell_threshold"], s.close_cells, entry["min_cells"])
        found = []
        for cells in parts:
            value = regions.pooled(logits[cells[:, 0], cells[:, 1]], s.top_share, s.top_min_cells)
            own = regions.score(value, **entry["calibration"])
            box = self._box(cells, view, size)
            found.append({"class": entry["name"], "score": min(own, photo_score), "box": box, "cells": len(cells)})
        best = max(r["score"] for r in found)
        return [r for r in found if r["score"] >= min(entry["threshold"], best)]

    def _box(self, cells: np.ndarray, view: View, size) -> list[float]:
        """[x, y, w, h] in upright photo pixels."""
        (top, left), (bottom, right) = cells.min(0), cells.max(0) + 1
        stride = self.settings.stride
        x0, x1 = left * stride / view.scale_x, min(right * stride / view.scale_x, size[0])
        y0, y1 = top * stride / view.scale_y, min(bottom * stride / view.scale_y, size[1])
        return [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]
