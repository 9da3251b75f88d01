"""Draws what a shipped model finds on the painted fixtures: found.jpg and failed.jpg of its folder, for its card.

    python -m training.pictures finish-defects      # after training.reference, from whose goldens it draws

White: painted there. Coloured: found. A photo has failed where a painted class is not found, or another one is.
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .model import Model
from .photo import open_photo
from .reference import GOLDEN, PAINTED, ROOT

SIDE, COLUMNS, LINE = 300, 4, 16
COLOURS = ("#e6194b", "#ffd000", "#00b4ff", "#3cb44b", "#f58231", "#b45f06", "#d24dff")


def thumbnail(photo: Path, painted: list[dict], found: list[dict], colours: dict) -> Image.Image:
    """The photo, small, with boxes and a line of words."""
    image = open_photo(photo)
    scale = SIDE / max(image.size)
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(small)
    for one in painted:
        draw.rectangle([v * scale for v in one["bounds"]], outline="white", width=1)
    for one in found:
        x, y, w, h = (v * scale for v in one["box"])
        draw.rectangle([x, y, x + w, y + h], outline=colours[one["class"]], width=3)
    card = Image.new("RGB", (SIDE, SIDE + LINE), "#202020")
    card.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    words = ", ".join(f"{one['class']} {one['score']:.2f}" for one in found) or "nothing found"
    ImageDraw.Draw(card).text((4, SIDE + 1), words, fill="white", font=ImageFont.load_default(12))
    return card


def sheet(cards: list[Image.Image]) -> Image.Image:
    """Cards in rows."""
    rows = -(-len(cards) // COLUMNS)
    whole = Image.new("RGB", (min(len(cards), COLUMNS) * SIDE, rows * (SIDE + LINE)), "#202020")
    for at, card in enumerate(cards):
        whole.paste(card, (at % COLUMNS * SIDE, at // COLUMNS * (SIDE + LINE)))
    return whole


def draw(name: str) -> dict[str, list[str]]:
    """Writes both sheets; the photos on each."""
    folder = ROOT / "models" / name
    manifest = Model(folder).manifest
    golden = json.loads((GOLDEN / f"{name}-{manifest['default_precision']}.json").read_text())
    if golden["sha256"] != manifest["files"][manifest["default_precision"]]["sha256"]:
        raise ValueError("the goldens are of another file: run python -m training.reference")
    reported = [c["name"] for c in manifest["classes"] if not c["experimental"]]
    colours = dict(zip(reported, COLOURS))
    sheets: dict = {"found": {}, "failed": {}}
    for row in json.loads((PAINTED / "truth.json").read_text()):
        photo = PAINTED / row["file"]
        painted = [d for d in row["defects"] if d["class"] in reported]
        found = golden["photos"][str(photo.relative_to(ROOT))]["regions"]
        found = [r for r in found if r["class"] in reported]
        right = {d["class"] for d in painted} == {r["class"] for r in found}
        sheets["found" if right else "failed"][row["file"]] = thumbnail(photo, painted, found, colours)
    for part, cards in sheets.items():
        (folder / f"{part}.jpg").unlink(missing_ok=True)
        if cards:
            sheet(list(cards.values())).save(folder / f"{part}.jpg", quality=80, optimize=True)
    return {part: list(cards) for part, cards in sheets.items()}


def main() -> None:
    for name in sys.argv[1:]:
        for part, photos in draw(name).items():
            print(f"{name}: {part}: {', '.join(photos) or 'none'}")


if __name__ == "__main__":
    main()
