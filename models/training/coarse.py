"""What coarse-to-fine costs in recall and saves in time, on labelled pictures.

    python -m training.coarse --model FOLDER --data FOLDER [--data FOLDER] [--limit N] [--all]

For the first look ([coarse] of the manifest): of the (picture, class) pairs that show the class, how many are found by
the full look and how many are left by each margin, and how many pictures end early. For thorough looks ([tiles]): the
same against all tiles, for pictures larger than a tile, and how many tiles are left out. Only classes that are reported
by default count. Pictures of the val parts, or with --all of both parts.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from . import regions
from .manifest import read_manifest
from .model import Model
from .photo import make_view, open_photo

MARGINS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def tiles(width: int, height: int, side: int, overlap: float) -> list[tuple[int, int, int, int]]:
    """The cut of the service: the last of a row is moved inwards."""

    def starts(length: int) -> list[int]:
        step, last = max(1, side - int(side * overlap)), max(0, length - side)
        return [*range(0, last, step), last]

    w, h = min(side, width), min(side, height)
    return [(x, y, x + w, y + h) for y in starts(height) for x in starts(width)]


class Looker:
    """A model's logits against its thresholds."""

    def __init__(self, folder: Path):
        self.model = Model(folder)
        self.reported = [i for i, c in enumerate(self.model.classes) if not c["experimental"]]
        self.names = [self.model.classes[i]["name"] for i in self.reported]

    def run(self, photo, long_side: int):
        view = make_view(photo, long_side, self.model.settings.max_upscale, self.model.settings.multiple)
        fed = (view.image - self.model.mean) / self.model.std
        return view, self.model.session.run(None, {"image": fed})[0][0]

    def pooled(self, view, logits) -> np.ndarray:
        return self.model.pooled([(view, logits)])

    def above(self, pooled: np.ndarray) -> np.ndarray:
        """Calibrated logits above the thresholds, reported classes only."""
        found = []
        for i in self.reported:
            c = self.model.classes[i]
            found.append(c["calibration"]["scale"] * pooled[i] + c["calibration"]["offset"] - logit(c["threshold"]))
        return np.array(found)

    def whole(self, photo):
        """Above-threshold logits of the first look and of all views, and the first view's map.

        Photos smaller than the largest view have no first look: it says infinity, so that none ends early.
        """
        coarse = self.model.manifest.get("coarse", {"view": min(self.model.settings.views)})["view"]
        looks = {side: self.run(photo, side) for side in dict.fromkeys([*self.model.settings.views, coarse])}
        pooled = {side: self.pooled(*look) for side, look in looks.items()}
        sizes = {(looks[side][0].width, looks[side][0].height): side for side in reversed(self.model.settings.views)}
        full = np.mean([pooled[side] for side in sizes.values()], axis=0)
        above = self.above(full)
        first = self.above(pooled[coarse]) if max(photo.size) >= max(self.model.settings.views) else np.full_like(above, np.inf)
        return first, above, looks[self.model.settings.views[0]]

    def tiles(self, photo, look, rules: dict):
        """For each tile: above-threshold logits, and how near the whole photo's map comes there."""
        view, logits = look
        stride, found = self.model.settings.stride, []
        for box in tiles(*photo.size, rules["side"], rules["overlap"]):
            part, map_ = self.run(photo.crop(box), max(box[2] - box[0], box[3] - box[1]))
            x0, x1 = int(box[0] * view.scale_x / stride), -int(-box[2] * view.scale_x // stride)
            y0, y1 = int(box[1] * view.scale_y / stride), -int(-box[3] * view.scale_y // stride)
            cells = view.valid(stride)[y0:y1, x0:x1]
            near = max(
                float(logits[i][y0:y1, x0:x1][cells].max()) - self.model.classes[i]["cell_threshold"]
                for i in self.reported
            )
            found.append((self.above(self.pooled(part, map_)) - rules["stricter"], near))
        return np.array([f for f, _ in found]), np.array([n for _, n in found])


def table(title: str, rows: list[tuple]) -> None:
    print(f"\n{title}\n\n| margin | found | of | recall lost | left out | of clean |\n|---|---|---|---|---|---|")
    for margin, found, full, truth, left, clean in rows:
        lost = (full - found) / max(1, truth)
        print(f"| {margin} | {found} ({full} in full) | {truth} | {lost:.4f} | {left:.1%} | {clean:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--limit", type=int, default=10**9, help="pictures of each source")
    parser.add_argument("--all", action="store_true", help="train parts too")
    parser.add_argument("--without-tiles", action="store_true")
    args = parser.parse_args()
    looker = Looker(args.model)
    rules = looker.model.manifest.get("tiles", {"side": 640, "overlap": 0.2, "stricter": 1.0})
    taken, firsts, tiled = defaultdict(int), [], []
    for row in (row for folder in args.data for row in read_manifest(folder)):
        if not (args.all or row.split == "val") or taken[row.source] >= args.limit:
            continue
        taken[row.source] += 1
        photo = open_photo(row.image)
        truth = np.array([row.truth(name) == 1 for name in looker.names])
        clean = not row.present() and all(row.truth(name) == 0 for name in looker.names)
        first, full, look = looker.whole(photo)
        firsts.append((first, full, truth, clean))
        if not args.without_tiles and max(photo.size) >= rules["side"] * 1.5:
            tiled.append((full, *looker.tiles(photo, look, rules), truth, clean))
    print(f"{len(firsts)} pictures: {dict(taken)}")
    lines = []
    for margin in MARGINS:
        ended = np.array([(first < -margin).all() for first, *_ in firsts])
        pairs = [((full >= 0) & truth, e) for (_, full, truth, _), e in zip(firsts, ended)]
        found, full = sum(p.sum() for p, e in pairs if not e), sum(p.sum() for p, _ in pairs)
        of_clean = ended[[c for *_, c in firsts]]
        truth = sum(t.sum() for _, _, t, _ in firsts)
        lines.append((margin, found, full, truth, ended.mean(), of_clean.mean() if len(of_clean) else 0.0))
    table("First look: pictures that end after it", lines)
    if not tiled:
        return
    lines = []
    for margin in MARGINS:
        found = full_found = truth_all = false = 0
        left, left_clean = [], []
        for full, above, near, truth, clean in tiled:
            keep = near >= -margin
            every = (full >= 0) | (above >= 0).any(0)
            some = (full >= 0) | (above[keep] >= 0).any(0) if keep.any() else full >= 0
            found, full_found = found + (some & truth).sum(), full_found + (every & truth).sum()
            truth_all, false = truth_all + truth.sum(), false + (clean and every.any())
            left.extend(~keep)
            left_clean.extend(~keep if clean else [])
        lines.append((margin, found, full_found, truth_all, np.mean(left), np.mean(left_clean) if left_clean else 0.0))
    table(f"Tiles of {len(tiled)} pictures: tiles that are left out", lines)
    whole = sum(((full >= 0) & truth).sum() for full, _, _, truth, _ in tiled)
    falsely = sum((full >= 0).any() for full, _, _, _, clean in tiled if clean)
    clean = sum(c for *_, c in tiled)
    print(f"\nThe whole look alone finds {whole}; clean pictures with a finding: {falsely} by it, {false} with all tiles, of {clean}.")


if __name__ == "__main__":
    main()
