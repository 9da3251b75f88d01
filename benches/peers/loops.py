"""One peer in a process of its own, over the same photos for a while; prints one line of JSON.

    python loops.py PEER --model FOLDER --photos FOLDER [--seconds S] [--precision int8] [--single] [--answers] [--noise]
"""

import argparse
import itertools
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

from model import Model


def pillow(path: Path, sizes):
    """As most people write it: the whole photo is decoded, then made small."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return [np.asarray(image.resize(size, Image.Resampling.BILINEAR)) for size in sizes(*image.size)]


def opencv(path: Path, sizes, flags=None):
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR if flags is None else flags)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    small = [size for size in sizes(width, height)]
    # A quarter of 4032 pixels is 1008: that is taken as it is.
    fits = lambda size: max(size) >= max(width, height)
    return [image if fits(size) else cv2.resize(image, size, interpolation=cv2.INTER_AREA) for size in small]


def reduced(path: Path, sizes):
    """The best that OpenCV has: the decoder itself makes the photo small."""
    import cv2
    from PIL import Image

    with Image.open(path) as header:
        side = max(header.size)
    quarter, half = cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_2
    return opencv(path, sizes, quarter if side >= 3900 else half if side >= 1980 else cv2.IMREAD_COLOR)


class Whole:
    """The shipped model on whole photos. Without `threads` there is one session with ONNX Runtime's defaults, with it one a worker."""

    def __init__(self, args, load, workers: int, threads: int | None = None):
        self.load, self.workers, self.free = load, workers, threading.local()
        self.models = [Model(args.model, args.precision, threads) for _ in range(workers if threads else 1)]
        self.next = itertools.count()

    def __call__(self, path: Path) -> dict:
        if not hasattr(self.free, "model"):
            self.free.model = self.models[next(self.next) % len(self.models)]
        return self.free.model.look(self.load(path, self.free.model.sizes))


class Sahi:
    """SAHI's sliced prediction around the shipped model, with the tiles of the manifest."""

    workers = 1

    def __init__(self, args):
        from sahi.models.base import DetectionModel
        from sahi.prediction import ObjectPrediction

        shipped = Model(args.model, args.precision, None)
        self.rules = rules = shipped.manifest["tiles"]
        names = [c["name"] for c in shipped.classes]

        class Around(DetectionModel):
            def check_dependencies(self, packages=None):
                pass

            def load_model(self):
                self.model = shipped
                self.category_mapping = {str(i): name for i, name in enumerate(names)}

            def perform_inference(self, image):
                self._original_predictions = image

            def _create_object_prediction_list_from_original_predictions(self, shift_amount_list=None, full_shape_list=None):
                first = lambda rows: rows[0] if rows and isinstance(rows[0], (list, tuple)) else rows
                image, shift, full = self._original_predictions, first(shift_amount_list or [[0, 0]]), first(full_shape_list)
                height, width = image.shape[:2]
                # The whole photo, which SAHI shows last, is looked at as we look at it; a tile pixel by pixel.
                tile = max(width, height) <= rules["side"]
                logits, scores, scale = shipped.tile(image) if tile else shipped.reduced(image)
                self._object_prediction_list_per_image = [[
                    ObjectPrediction(
                        bbox=[x * scale, y * scale, (x + w) * scale, (y + h) * scale], category_id=names.index(name),
                        category_name=name, score=scores[name], shift_amount=shift, full_shape=full,
                    )
                    for name in shipped.found(scores, rules["stricter"] if tile else 0.0)
                    for x, y, w, h in shipped.regions(logits, name)
                ]]

        self.model = Around(confidence_threshold=0.0, device="cpu")

    def __call__(self, path: Path) -> dict:
        from sahi.predict import get_sliced_prediction

        side, overlap = self.rules["side"], self.rules["overlap"]
        result = get_sliced_prediction(
            str(path), self.model, slice_height=side, slice_width=side, overlap_height_ratio=overlap,
            overlap_width_ratio=overlap, verbose=0,
        )
        return {"found": sorted({p.category.name for p in result.object_prediction_list})}


class Ultralytics:
    """Its own predict on its own export, square as ours is."""

    workers = 1

    def __init__(self, args):
        from ultralytics import YOLO

        self.model = YOLO(str(args.model / "model.onnx"), task="detect")
        self.settings = {"imgsz": 640, "rect": False, "conf": 0.25, "iou": 0.7, "max_det": 300, "verbose": False}
        self.noise = np.random.default_rng(6) if args.noise else None

    def __call__(self, path: Path) -> dict:
        boxes = self.model.predict(self.noisy(path) if self.noise else str(path), **self.settings)[0].boxes
        return {"boxes": np.column_stack([boxes.cls, boxes.conf, boxes.xyxy]).tolist()}

    def noisy(self, path: Path) -> np.ndarray:
        """The photo with noise of one grey level, as two JPEG decoders differ."""
        import cv2

        image = cv2.imread(str(path)).astype(np.int16)
        return np.clip(image + self.noise.integers(-1, 2, image.shape), 0, 255).astype(np.uint8)


CORES = len(os.sched_getaffinity(0))
PEERS = {
    "pillow": lambda args: Whole(args, pillow, 1),
    "opencv": lambda args: Whole(args, opencv, CORES),
    "tuned": lambda args: Whole(args, reduced, CORES, threads=1),
    "sahi": Sahi,
    "ultralytics": Ultralytics,
}


def most_memory() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--single", action="store_true", help="one photo after the other")
    parser.add_argument("--answers", action="store_true", help="tell what was found in each photo")
    parser.add_argument("--noise", action="store_true", help="of one grey level over each photo; Ultralytics alone")
    args = parser.parse_args()
    photos = sorted(path for path in args.photos.iterdir() if path.suffix in (".jpg", ".png"))
    look = PEERS[args.peer](args)
    answers = {path.name: look(path) for path in (photos if args.answers else photos[:2])}
    latencies, turn = [], itertools.count()
    began, cpu = time.perf_counter(), time.process_time()

    def work():
        # Every photo at least once, however slow the peer is.
        while (n := next(turn)) < len(photos) or time.perf_counter() < began + args.seconds:
            at = time.perf_counter()
            look(photos[n % len(photos)])
            latencies.append((time.perf_counter() - at) * 1000)

    threads = [threading.Thread(target=work) for _ in range(1 if args.single else look.workers)]
    for thread in threads if args.seconds else []:
        thread.start()
    for thread in threads if args.seconds else []:
        thread.join()
    count = max(len(latencies), 1)
    told = {
        "photos_per_s": count / (time.perf_counter() - began),
        "cpu_ms": (time.process_time() - cpu) * 1000 / count,
        "p90_ms": sorted(latencies)[int((count - 1) * 0.9)] if latencies else None,
        "peak_mb": most_memory(),
        "answers": answers,
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
