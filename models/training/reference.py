"""Golden detections: the photo pipeline in Python, for the service to agree with.

    python -m training.reference --model FOLDER --photos FOLDER --out FILE.json [--precision fp32]

Regions are in the order class, then reading order of their first cell; boxes are [x, y, w, h] in
upright photo pixels.
"""

import argparse
import json
from pathlib import Path

from .model import Model
from .photo import open_photo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--precision", choices=("fp32", "int8"))
    parser.add_argument("--draft", type=int, help="decode JPEG reduced, but not below this long side")
    args = parser.parse_args()
    model = Model(args.model, args.precision)
    photos = sorted(p for p in args.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    golden = {
        "model": model.manifest["name"],
        "version": model.manifest["version"],
        "precision": args.precision or model.manifest["default_precision"],
        "photos": {str(p.relative_to(args.photos)): model.detect(open_photo(p, args.draft)) for p in photos},
    }
    args.out.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
