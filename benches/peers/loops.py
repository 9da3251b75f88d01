"""One peer for a while, in a process of its own: prints a line of JSON.

    python loops.py PEER --model FOLDER --photos FOLDER --seconds S [--precision int8] [--mode offline|single]
"""

import argparse
import itertools
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np

from model import Model


def rgb_pillow(path: Path, sizes):
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return image.size, [np.asarray(image.resize(size, Image.Resampling.BILINEAR)) for size in sizes(*image.size)]


def rgb_opencv(path: Path, sizes, flags=None):
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR if flags is None else flags)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    # Reduced decoding leaves 1008 of 4032 pixels: that is taken as it is, as a tuned pipeline would.
    return (width, height), [
        image if max(size) >= max(width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for size in sizes(width, height)
    ]


def rgb_reduced(path: Path, sizes):
    import cv2
    from PIL import Image

    # The header alone tells whether a quarter is enough.
    with Image.open(path) as image:
        flags = cv2.IMREAD_REDUCED_COLOR_4 if max(image.size) >= 3900 else cv2.IMREAD_REDUCED_COLOR_2
        flags = flags if max(image.size) >= 1980 else cv2.IMREAD_COLOR
    return rgb_opencv(path, sizes, flags)


class Scores:
    """Whole photos with the shipped model."""

    def __init__(self, args, load, workers: int, threads: int | None, own_sessions: bool):
        self.load, self.workers = load, workers
        models = [Model(args.model, args.precision, threads) for _ in range(workers if own_sessions else 1)]
        self.models, self.next, self.local = models, itertools.count(), threading.local()

    def __call__(self, path: Path):
        if not hasattr(self.local, "model"):
            self.local.model = self.models[next(self.next) % len(self.models)]
        model = self.local.model
        _, views = self.load(path, model.sizes)
        scores = model.scores(np.mean([model.pooled(model.run(view)) for view in views], axis=0))
        return {"scores": scores, "found": model.found(scores)}


class Ultralytics:
    """Ultralytics' own predict on a YOLO export with random weights: speed alone."""

    workers = 1

    def __init__(self, args):
        from ultralytics import YOLO

        self.model = YOLO(str(args.model), task="detect", verbose=False)

    def __call__(self, path: Path):
        result = self.model.predict(str(path), imgsz=640, rect=False, verbose=False)[0]
        return {"found": sorted(set(result.boxes.cls.tolist()))}


class Sahi:
    """SAHI's sliced prediction around the shipped model, with the tiles of the manifest."""

    workers = 1

    def __init__(self, args):
        from sahi.models.base import DetectionModel
        from sahi.prediction import ObjectPrediction

        inner = Model(args.model, args.precision, None)
        rules = inner.manifest["tiles"]
        names = [c["name"] for c in inner.classes]

        class Shipped(DetectionModel):
            def check_dependencies(self, packages=None):
                pass

            def load_model(self):
                self.model = inner
                self.category_mapping = {str(i): name for i, name in enumerate(names)}

            def perform_inference(self, image):
                self._original_predictions = self.model.run(image)

            def _create_object_prediction_list_from_original_predictions(self, shift_amount_list=None, full_shape_list=None):
                shift, full = (shift_amount_list or [[0, 0]]), full_shape_list
                shift = shift[0] if isinstance(shift[0], (list, tuple)) else shift
                full = full[0] if full and isinstance(full[0], (list, tuple)) else full
                logits, found = self._original_predictions, []
                scores = self.model.scores(self.model.pooled(logits))
                for name in self.model.found(scores, rules["stricter"]):
                    for x, y, w, h in self.model.regions(logits, name):
                        found.append(
                            ObjectPrediction(
                                bbox=[x, y, x + w, y + h], category_id=names.index(name), category_name=name,
                                score=scores[name], shift_amount=shift, full_shape=full,
                            )
                        )
                self._object_prediction_list_per_image = [found]

        self.model, self.rules = Shipped(confidence_threshold=0.0, device="cpu"), rules

    def __call__(self, path: Path):
        from sahi.predict import get_sliced_prediction

        side, overlap = self.rules["side"], self.rules["overlap"]
        result = get_sliced_prediction(
            str(path), self.model, slice_height=side, slice_width=side, overlap_height_ratio=overlap,
            overlap_width_ratio=overlap, perform_standard_pred=True, verbose=0,
        )
        return {"found": sorted({p.category.name for p in result.object_prediction_list})}


PEERS = {
    "pillow": lambda args: Scores(args, rgb_pillow, 1, None, False),
    "opencv-pool": lambda args: Scores(args, rgb_opencv, os.cpu_count(), None, False),
    "tuned": lambda args: Scores(args, rgb_reduced, os.cpu_count(), 1, True),
    "ultralytics": Ultralytics,
    "sahi": Sahi,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--precision")
    parser.add_argument("--mode", choices=("offline", "single"), default="offline")
    args = parser.parse_args()
    photos = sorted(args.photos.glob("*.jpg"))
    started = time.perf_counter()
    look = PEERS[args.peer](args)
    first = look(photos[0])
    cold_ms = (time.perf_counter() - started) * 1000
    answers = {path.name: look(path) for path in photos}
    latencies, lock = [], threading.Lock()
    turn, until = itertools.count(), time.perf_counter() + args.seconds
    cpu, began = time.process_time(), time.perf_counter()

    def work():
        while time.perf_counter() < until:
            at = time.perf_counter()
            look(photos[next(turn) % len(photos)])
            with lock:
                latencies.append((time.perf_counter() - at) * 1000)

    threads = [threading.Thread(target=work) for _ in range(1 if args.mode == "single" else look.workers)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
    latencies.sort()
    json.dump(
        {
            "photos": len(latencies),
            "photos_per_s": len(latencies) / seconds,
            "cpu_ms": cpu * 1000 / len(latencies),
            "p50_ms": latencies[len(latencies) // 2],
            "p90_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.9))],
            "cold_ms": cold_ms,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
            "answers": answers,
            "first": first["found"],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
