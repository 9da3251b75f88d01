"""Measures a model folder on a labelled part of the data.

    python -m training.evaluate --model MODEL --data FOLDER [--split val] [--precision fp32] [--json FILE]

Per source and class: AP, precision, recall and F1 at the manifest's thresholds, calibration error;
clean pictures with any finding; hit rate of boxes; cells against masks; time of one 1024x768 picture.
Experimental classes count only for their own numbers.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from .manifest import Row, read_manifest
from .metrics import average_precision, calibration_error, overlap, precision_recall_f1, reliability, share_inside
from .model import Model
from .photo import View, open_photo
from .samples import dilate


class Tally:
    """What was seen of one source: scores and truth per class, boxes, cells."""

    def __init__(self):
        self.scores, self.truth = defaultdict(list), defaultdict(list)
        self.pictures = self.clean = self.alarms = 0
        self.boxes: dict = defaultdict(lambda: np.zeros(4, int))  # found, boxes, inside, regions
        self.cells: dict = defaultdict(lambda: np.zeros(4, int))  # right, flagged, covered, positive


def add(tally: Tally, model: Model, row: Row, masks) -> None:
    """Runs one picture and counts it in."""
    photo = open_photo(row.image, max(model.settings.views))
    found = model.detect(photo)
    tally.pictures += 1
    default = {c["name"] for c in model.classes if not c["experimental"]}
    for name, value in found["class_scores"].items():
        if row.truth(name) is not None:
            tally.scores[name].append(value)
            tally.truth[name].append(row.truth(name))
    if row.labels is not None and not row.present():
        tally.clean += 1
        tally.alarms += any(r["class"] in default for r in found["regions"])
    _add_boxes(tally, row, found, photo.width / row.width)
    if row.masks:
        _add_cells(tally, model, row, photo, masks)


def _add_boxes(tally: Tally, row: Row, found: dict, k: float) -> None:
    for name in {b[0] for b in row.boxes} & set(found["class_scores"]):
        truth = [[k * v for v in b[1:]] for b in row.boxes if b[0] == name]
        seen = [r["box"] for r in found["regions"] if r["class"] == name]
        hit = sum(any(overlap(t, s) >= 0.3 for s in seen) for t in truth)
        inside = sum(any(share_inside(s, t) >= 0.7 for t in truth) for s in seen)
        tally.boxes[name] += [hit, len(truth), inside, len(seen)]


def _add_cells(tally: Tally, model: Model, row: Row, photo, masks) -> None:
    """Cells of reported classes against masks, with one cell of slack."""
    view, logits = model.maps(photo)[0]
    scores = model.scores(model.pooled(model.maps(photo)))
    for i, entry in enumerate(model.classes):
        if entry["name"] not in row.masks:
            continue
        truth = mask_cells(masks(row.masks[entry["name"]]), view, logits.shape[1:])
        flagged = (logits[i] >= entry["cell_threshold"]) & view.valid() & (scores[i] >= entry["threshold"])
        right, covered = flagged & dilate(truth, 1), truth & dilate(flagged, 1)
        tally.cells[entry["name"]] += [right.sum(), flagged.sum(), covered.sum(), truth.sum()]


def mask_cells(mask, view: View, shape) -> np.ndarray:
    """[rows, columns] bool: cells of a view in which a mask covers at least 2 %."""
    small = np.asarray(mask.resize((view.width, view.height), 4), np.float32) / 255
    padded = np.pad(small, ((0, shape[0] * 16 - view.height), (0, shape[1] * 16 - view.width)))
    return padded.reshape(shape[0], 16, shape[1], 16).mean((1, 3)) > 0.02


def summary(tally: Tally, model: Model) -> dict:
    """One source's numbers."""
    classes = {}
    for entry in model.classes:
        name = entry["name"]
        scores, truth = np.array(tally.scores[name]), np.array(tally.truth[name], int)
        if len(truth) == 0:
            continue
        precision, recall, f1 = precision_recall_f1(scores >= entry["threshold"], truth == 1)
        classes[name] = {
            "pictures": len(truth),
            "positive": int(truth.sum()),
            "ap": average_precision(scores, truth),
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "ece": calibration_error(scores, truth),
            "reliability": reliability(scores, truth),
        }
    return {
        "pictures": tally.pictures,
        "clean": tally.clean,
        "clean_with_finding": tally.alarms,
        "classes": classes,
        "boxes": {n: dict(zip(("found", "boxes", "inside", "regions"), map(int, v))) for n, v in tally.boxes.items()},
        "cells": {n: dict(zip(("right", "flagged", "covered", "positive"), map(int, v))) for n, v in tally.cells.items()},
    }


def show(name: str, s: dict) -> None:
    print(f"\n{name}: {s['pictures']} pictures, clean with a finding {s['clean_with_finding']} of {s['clean']}")
    shown = [(c, v) for c, v in s["classes"].items() if v["positive"]]
    for c, v in shown:
        print(
            f"  {c:18} n {v['positive']:4}/{v['pictures']:4}  AP {v['ap']:.3f}  P {v['precision']:.3f}  "
            f"R {v['recall']:.3f}  F1 {v['f1']:.3f}  ECE {v['ece']:.3f}"
        )
    if len(shown) > 1:
        print(f"  mean               AP {np.mean([v['ap'] for _, v in shown]):.3f}  F1 {np.mean([v['f1'] for _, v in shown]):.3f}")
    for c, b in s["boxes"].items():
        print(f"  boxes {c}: found {b['found']} of {b['boxes']}, regions inside {b['inside']} of {b['regions']}")
    for c, b in s["cells"].items():
        print(
            f"  cells {c}: precision {b['right'] / max(b['flagged'], 1):.3f} recall {b['covered'] / max(b['positive'], 1):.3f}"
        )


def seconds(model: Model, repeats: int = 12) -> float:
    """Best time for one 1024x768 picture on one thread."""
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 768, 1024)).astype(np.float32)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.session.run(None, {"image": image})
        times.append(time.perf_counter() - start)
    return min(times)


def evaluate(model: Model, rows: list[Row]) -> dict:
    """Numbers per source."""
    from PIL import Image

    tallies: dict[str, Tally] = defaultdict(Tally)
    for row in rows:
        add(tallies[row.source], model, row, lambda p: Image.open(p).convert("L"))
    return {source: summary(tally, model) for source, tally in sorted(tallies.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--sources", help="only these, separated by commas")
    parser.add_argument("--precision", choices=("fp32", "int8"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = [r for folder in args.data for r in read_manifest(folder) if r.split == args.split]
    if args.sources:
        rows = [r for r in rows if r.source in args.sources.split(",")]
    model = Model(args.model, args.precision)
    numbers = evaluate(model, rows)
    for source, s in numbers.items():
        show(source, s)
    took = seconds(model)
    print(f"\n1024x768 on one thread: {took * 1000:.0f} ms")
    if args.json:
        args.json.write_text(json.dumps({"sources": numbers, "seconds_1024x768": took}, indent=1) + "\n")


if __name__ == "__main__":
    main()
