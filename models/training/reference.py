"""Golden detections: the photo pipeline in Python, for the service to agree with.

    python -m training.reference                  # every shipped model, both precisions, every fixture photo
    python -m training.reference finish-defects   # only the models of these names
    python -m training.reference --model FOLDER --photos FOLDER --out FILE.json [--precision fp32]

The first two write fixtures/golden/NAME-PRECISION.json, which `cargo test parity` holds the service against: to be run
again whenever a model's files change. Regions are in the order class, then reading order of their first cell; boxes are
[x, y, w, h] in upright photo pixels.
"""

import argparse
import json
from pathlib import Path

from PIL import Image

from .model import Model
from .photo import open_photo

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "fixtures/golden"
SMALL, PAINTED = GOLDEN / "photos", ROOT / "fixtures/photos"
# The tiny model sees bars and patches, no defects: the painted photos would say nothing.
MODELS = {
    "tiny": (ROOT / "fixtures/tiny", (SMALL,)),
    "finish-defects": (ROOT / "models/finish-defects", (SMALL, PAINTED)),
    "crack-open": (ROOT / "models/crack-open", (SMALL, PAINTED)),
}
# How much smaller than a view a photo may come from its decoder and be taken as it is, as in the service.
NEAR = 0.035
# Fixtures that no decoder may take for a photo.
BROKEN = {"truncated.jpg", "huge-header.jpg"}


def photos_in(folder: Path) -> list[Path]:
    kinds = (".jpg", ".jpeg", ".png", ".webp")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds and p.name not in BROKEN)


def rounded(found: dict) -> dict:
    """`found` without the digits that mean nothing."""
    return {
        **found,
        "class_scores": {name: round(value, 5) for name, value in found["class_scores"].items()},
        "regions": [{**r, "score": round(r["score"], 5), "box": [round(v, 2) for v in r["box"]]} for r in found["regions"]],
    }


def as_served(path: Path, view: int, draft: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """The photo as the service feeds it to a view, and its full size."""
    full, small = open_photo(path), open_photo(path, draft or int(view * (1 - NEAR)))
    near = small.size != full.size and max(small.size) <= view
    return small if near or draft else full, full.size


def detected(model: Model, path: Path, draft: int | None) -> dict:
    """What the model finds, in pixels of the whole photo."""
    photo, (width, height) = as_served(path, max(model.settings.views), draft)
    found, scale = model.detect(photo), width / photo.width
    regions = [{**r, "box": [value * scale for value in r["box"]]} for r in found["regions"]]
    return {**found, "width": width, "height": height, "regions": regions}


def golden(folder: Path, precision: str | None, photos: list[Path], root: Path, draft: int | None = None) -> dict:
    """What the model in `folder` finds on each of `photos`, named relative to `root`."""
    model = Model(folder, precision)
    precision = precision or model.manifest["default_precision"]
    return {
        "model": str(folder.resolve().relative_to(root)) if folder.resolve().is_relative_to(root) else model.manifest["name"],
        "version": model.manifest["version"],
        "precision": precision,
        "sha256": model.manifest["files"][precision]["sha256"],
        "photos": {str(p.resolve().relative_to(root)): rounded(detected(model, p, draft)) for p in photos},
    }


def write(found: dict, file: Path) -> None:
    """A line for each photo, so that a change of one shows as a change of one."""
    head = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items() if k != "photos")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(seen)}" for name, seen in found["photos"].items())
    file.write_text(f"{{\n{head},\n\"photos\": {{\n{lines}\n}}\n}}\n")


def shipped(names: list[str]) -> None:
    """Writes the goldens of the models of these names."""
    for name in names:
        folder, sets = MODELS[name]
        photos = [p for photos in sets for p in photos_in(photos)]
        for precision in Model(folder).manifest["files"]:
            file = GOLDEN / f"{name}-{precision}.json"
            write(golden(folder, precision, photos, ROOT), file)
            print(f"{file.relative_to(ROOT)}: {len(photos)} photos")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--precision", choices=("fp32", "int8"))
    parser.add_argument("--draft", type=int, help="decode JPEG reduced, but not below this long side")
    args = parser.parse_args()
    if not args.model:
        return shipped(args.names or list(MODELS))
    if not args.photos or not args.out:
        parser.error("--model needs --photos and --out")
    root = args.photos.resolve()
    write(golden(args.model, args.precision, photos_in(root), root, args.draft), args.out)


if __name__ == "__main__":
    main()
