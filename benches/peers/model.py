"""The shipped model as a Python user would run it: manifest, session, class scores, regions."""

import tomllib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort


class Model:
    """One session; `threads` None leaves ONNX Runtime's defaults."""

    def __init__(self, folder: Path, precision: str | None, threads: int | None):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        file = self.manifest["files"][precision or self.manifest["default_precision"]]["path"]
        options = ort.SessionOptions()
        if threads:
            options.intra_op_num_threads = options.inter_op_num_threads = threads
        self.session = ort.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
        self.views, self.classes = self.manifest["input"]["views"], self.manifest["classes"]
        self.output = self.manifest["output"]

    def sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """The views of a photo; those of equal size once."""
        found = []
        for side in self.views:
            scale = min(side / max(width, height), 1.0)
            size = (max(32, int(width * scale + 0.5)), max(32, int(height * scale + 0.5)))
            if size not in found:
                found.append(size)
        return found

    def run(self, rgb: np.ndarray) -> np.ndarray:
        """[classes, rows, columns] logits of the cells that show the picture."""
        height, width = rgb.shape[:2]
        padded = np.pad(rgb, ((0, -height % 32), (0, -width % 32), (0, 0)), mode="edge")
        tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        logits = self.session.run(None, {self.manifest["input"]["name"]: tensor})[0][0]
        return logits[:, : (2 * height + 15) // 32 or 1, : (2 * width + 15) // 32 or 1]

    def pooled(self, logits: np.ndarray) -> np.ndarray:
        flat = logits.reshape(logits.shape[0], -1)
        count = min(flat.shape[1], max(self.output["top_min_cells"], int(self.output["top_share"] * flat.shape[1] + 0.5)))
        return np.partition(flat, -count, axis=1)[:, -count:].mean(1)

    def scores(self, pooled: np.ndarray) -> dict[str, float]:
        scale = np.array([c["calibration"]["scale"] for c in self.classes])
        offset = np.array([c["calibration"]["offset"] for c in self.classes])
        return dict(zip((c["name"] for c in self.classes), (1 / (1 + np.exp(-(scale * pooled + offset)))).tolist()))

    def found(self, scores: dict[str, float], logits_more: float = 0.0) -> list[str]:
        """Reported classes; `logits_more` above their thresholds."""

        def passes(c):
            odds = c["threshold"] / (1 - c["threshold"]) * np.exp(logits_more)
            return not c["experimental"] and scores[c["name"]] >= odds / (1 + odds)

        return sorted(c["name"] for c in self.classes if passes(c))

    def regions(self, logits: np.ndarray, name: str) -> list[tuple[int, int, int, int]]:
        """Boxes in picture pixels of one class: cells, closed, 8-connected."""
        index = next(i for i, c in enumerate(self.classes) if c["name"] == name)
        cells = (logits[index] >= self.classes[index]["cell_threshold"]).astype(np.uint8)
        cells = cv2.morphologyEx(cells, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        least = self.classes[index]["min_cells"]
        return [tuple(int(v) * 16 for v in s[:4]) for s in stats[1:count] if s[4] >= least]
