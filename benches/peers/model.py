"""The shipped model as a Python user would run it: manifest, session, class scores, regions."""

import tomllib
from pathlib import Path

import numpy as np
import onnxruntime as ort


class Model:
    """One session; without `threads` ONNX Runtime's defaults."""

    def __init__(self, folder: Path, precision: str, threads: int | None):
        self.manifest = tomllib.loads((folder / "manifest.toml").read_text())
        options = ort.SessionOptions()
        if threads:
            options.intra_op_num_threads = options.inter_op_num_threads = threads
        file = folder / self.manifest["files"][precision]["path"]
        self.session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.input, self.output, self.classes = (self.manifest[key] for key in ("input", "output", "classes"))
        calibrated = lambda key: np.array([c["calibration"][key] for c in self.classes])
        self.scale, self.offset = calibrated("scale"), calibrated("offset")

    def sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """The views of a photo; those of equal size once."""
        scales = [min(side / max(width, height), 1.0) for side in self.input["views"]]
        side = lambda pixels, scale: max(32, int(pixels * scale + 0.5))
        return list(dict.fromkeys((side(width, scale), side(height, scale)) for scale in scales))

    def look(self, views: list[np.ndarray]) -> dict:
        """Scores of a photo from all of its views, and which classes are reported."""
        scores = self.scores(np.mean([self.pooled(self.run(view)) for view in views], axis=0))
        return {"scores": scores, "found": self.found(scores)}

    def tile(self, rgb: np.ndarray) -> tuple[np.ndarray, dict[str, float], float]:
        logits = self.run(rgb)
        return logits, self.scores(self.pooled(logits)), 1.0

    def reduced(self, rgb: np.ndarray) -> tuple[np.ndarray, dict[str, float], float]:
        """The whole photo: logits of the first view, scores of all, photo pixels a view pixel."""
        import cv2

        sizes = self.sizes(rgb.shape[1], rgb.shape[0])
        logits = [self.run(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)) for size in sizes]
        return logits[0], self.scores(np.mean([self.pooled(one) for one in logits], axis=0)), rgb.shape[1] / sizes[0][0]

    def run(self, rgb: np.ndarray) -> np.ndarray:
        """[classes, rows, columns] logits of the cells that show the picture."""
        height, width = rgb.shape[:2]
        padded = np.pad(rgb, ((0, -height % 32), (0, -width % 32), (0, 0)), mode="edge")
        tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        logits = self.session.run(None, {self.input["name"]: tensor})[0][0]
        stride = self.output["stride"]
        cells = lambda pixels: max(1, (pixels + stride // 2) // stride)
        return logits[:, : cells(height), : cells(width)]

    def pooled(self, logits: np.ndarray) -> np.ndarray:
        flat = logits.reshape(logits.shape[0], -1)
        wanted = max(self.output["top_min_cells"], int(self.output["top_share"] * flat.shape[1] + 0.5))
        count = min(flat.shape[1], wanted)
        return np.partition(flat, -count, axis=1)[:, -count:].mean(1)

    def scores(self, pooled: np.ndarray) -> dict[str, float]:
        values = 1 / (1 + np.exp(-(self.scale * pooled + self.offset)))
        return dict(zip((c["name"] for c in self.classes), values.tolist()))

    def found(self, scores: dict[str, float], stricter: float = 0.0) -> list[str]:
        """Reported classes, `stricter` logits above their thresholds."""
        odds = lambda c: c["threshold"] / (1 - c["threshold"]) * np.exp(stricter)
        passes = lambda c: not c["experimental"] and scores[c["name"]] >= odds(c) / (1 + odds(c))
        return sorted(c["name"] for c in self.classes if passes(c))

    def regions(self, logits: np.ndarray, name: str) -> list[tuple[int, ...]]:
        """Boxes of one class in view pixels: cells above its threshold, gaps closed, 8-connected."""
        import cv2

        index = next(i for i, c in enumerate(self.classes) if c["name"] == name)
        cells = (logits[index] >= self.classes[index]["cell_threshold"]).astype(np.uint8)
        side = 2 * self.output["close_cells"] + 1
        cells = cv2.morphologyEx(cells, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        least, stride = self.classes[index]["min_cells"], self.output["stride"]
        return [tuple(int(v) * stride for v in row[:4]) for row in stats[1:count] if row[4] >= least]
