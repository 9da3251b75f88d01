"""A tiny painted data set: plain pictures, and pictures with a dark crooked line."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw


def paint(path, rng, crack):
    base = rng.integers(120, 200, 3)
    pixels = np.clip(base + rng.normal(0, 4, (96, 128, 3)), 0, 255).astype(np.uint8)
    image, mask = Image.fromarray(pixels), Image.new("L", (128, 96), 0)
    if crack:
        points = [(x, 48 + int(rng.normal(0, 4))) for x in range(0, 129, 8)]
        ImageDraw.Draw(image).line(points, fill=(20, 20, 20), width=3)
        ImageDraw.Draw(mask).line(points, fill=255, width=3)
    image.save(path.with_suffix(".jpg"), quality=95)
    mask.save(path.with_suffix(".png"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Folder with manifest.jsonl: labels, boxes and masks, train and val."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    entries = []
    for i in range(16):
        crack = i % 2 == 0
        paint(root / f"{i}", rng, crack)
        entry = {"image": f"{i}.jpg", "width": 128, "height": 96, "source": "toy", "licence": "own", "licence_tier": "open"}
        entry |= {"split": "val" if i >= 10 else "train", "group": str(i), "annotation": "test"}
        if crack and i % 4 == 0:
            entry["boxes"] = [{"class": "crack", "x": 0, "y": 32, "w": 128, "h": 32}]
        elif crack and i % 3 == 0:
            entry["masks"] = {"crack": f"{i}.png"}
        else:
            entry["labels"] = ["crack"] if crack else []
        entries.append(entry)
    (root / "manifest.jsonl").write_text("\n".join(map(json.dumps, entries)) + "\n")
    return root
