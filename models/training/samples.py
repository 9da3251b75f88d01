"""Training samples: crops and mosaics with what is known about each cell, pane and line of cells.

A sample is a square canvas made of one to four panes, each a crop of one picture at a random zoom.
Zoom 1 is the size at which the service would see that picture.
"""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from .augment import distract, photometric
from .classes import CLASSES
from .fracture import fracture
from .manifest import Row
from .net import STRIDE

VIEW = 1024  # long side at which the service sees a photo
PANES = 4
WHOLE = 0.35  # share of crops that show as much of the picture as the pane's shape allows
SURE = 0.3  # share of a picture that a crop must show to inherit its label
CRACK = CLASSES.index("crack")
AREA_LIKE = frozenset(CLASSES) - {"crack", "drywall_joint"}


@dataclass
class Pane:
    """pixels [h, w, 3] uint8; cells [C, h/16, w/16] (1, 0, -1 unknown); labels [C] (1, 0, -1);
    valid [h/16, w/16] bool; lines: (class index, [h/16, w/16] bool), each holding a positive cell."""

    pixels: np.ndarray
    cells: np.ndarray
    labels: np.ndarray
    valid: np.ndarray
    lines: list = field(default_factory=list)


class Pictures:
    """Decoded pictures, reduced to what training can use (long side at most 1.5 views)."""

    def __init__(self, rows: list[Row]):
        self.images = {row.image: _load(row.image) for row in rows}
        self.masks = {(row.image, c): _load_mask(p) for row in rows for c, p in row.masks.items()}


def _load(path) -> Image.Image:
    image = Image.open(path)
    image.draft("RGB", (VIEW * 3 // 2,) * 2)
    image = image.convert("RGB")
    image.thumbnail((VIEW * 3 // 2,) * 2, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return image


def _load_mask(path) -> Image.Image:
    mask = Image.open(path).convert("L")
    mask.thumbnail((VIEW * 3 // 2,) * 2, Image.Resampling.BOX)
    return mask


def _zoom(rng: np.random.Generator) -> float:
    """Log-triangular between 0.25 and 2.4, most often 1: services see photos at several sizes."""
    return float(np.exp(rng.triangular(np.log(0.25), 0.0, np.log(2.4))))


def crop_box(row: Row, image: Image.Image, height: int, width: int, rng: np.random.Generator):
    """What the pane shows, in pixels of `image`: (x0, y0, x1, y1).

    At small zooms that may reach beyond the picture's right and bottom edge, as padded views do.
    """
    view_scale = min(1.0, VIEW / max(row.width, row.height)) * row.width / image.width
    scale, fit = _zoom(rng) * view_scale, (width / image.width, height / image.height)
    kind = rng.random()
    if kind < WHOLE:
        scale = max(fit)
    else:
        scale = max(scale, *fit) if kind < 0.75 else max(scale, 0.7 * max(fit), min(fit))
    w, h = width / scale, height / scale
    x, y = rng.uniform(0, max(image.width - w, 0)), rng.uniform(0, max(image.height - h, 0))
    if row.boxes and rng.random() < 0.6:
        _, bx, by, bw, bh = row.boxes[int(rng.integers(len(row.boxes)))]
        k = image.width / row.width
        x = np.clip((bx + rng.random() * bw) * k - rng.random() * w, 0, max(image.width - w, 0))
        y = np.clip((by + rng.random() * bh) * k - rng.random() * h, 0, max(image.height - h, 0))
    return float(x), float(y), float(x + w), float(y + h)


def _inner(image: Image.Image, box, h: int, w: int):
    """The part of the crop that lies on the picture: its box, and its height and width in the pane."""
    x1, y1 = min(box[2], image.width), min(box[3], image.height)
    height = max(1, round(h * (y1 - box[1]) / (box[3] - box[1])))
    width = max(1, round(w * (x1 - box[0]) / (box[2] - box[0])))
    return (box[0], box[1], x1, y1), min(height, h), min(width, w)


def cut_pane(row: Row, pictures: Pictures, height: int, width: int, rng: np.random.Generator) -> Pane:
    """One pane of the given size (multiples of 16) with its targets, turned and mirrored at random."""
    turned = bool(rng.random() < 0.5)
    h, w = (width, height) if turned else (height, width)
    image = pictures.images[row.image]
    box = crop_box(row, image, h, w, rng)
    part, inner_h, inner_w = _inner(image, box, h, w)
    crop = image.resize((inner_w, inner_h), Image.Resampling.BILINEAR, box=part, reducing_gap=2.0)
    cells, labels, lines = targets(row, pictures, box, h, w)
    if not row.present() and rng.random() < 0.3:
        crop = distract(crop, rng)
    if not row.present() and rng.random() < row.rule.cracks:
        crop, ink = fracture(crop, rng)
        cells[CRACK], labels[CRACK] = _from_mask(ink, (0, 0, w, h), *cells.shape[1:], "crack")
    pixels = np.asarray(photometric(crop, rng))
    pixels = np.pad(pixels, ((0, h - inner_h), (0, w - inner_w), (0, 0)), mode="edge")
    return _turn(Pane(pixels, cells, labels, _on_photo(h, w, inner_h, inner_w), lines), turned, rng)


def _on_photo(h: int, w: int, inner_h: int, inner_w: int) -> np.ndarray:
    """[h/16, w/16] bool: cells whose centre lies on the picture."""
    y = (np.arange(h // STRIDE) + 0.5) * STRIDE < inner_h
    x = (np.arange(w // STRIDE) + 0.5) * STRIDE < inner_w
    return y[:, None] & x[None, :]


def _turn(pane: Pane, turned: bool, rng: np.random.Generator) -> Pane:
    steps, mirror = int(rng.integers(2)) * 2 + int(turned), bool(rng.random() < 0.5)

    def move(a, axes):
        a = np.rot90(a, steps, axes)
        return np.flip(a, axes[1]) if mirror else a

    lines = [(c, move(m, (0, 1))) for c, m in pane.lines]
    valid = move(pane.valid, (0, 1))
    cells = np.where(valid, move(pane.cells, (1, 2)), -1)
    return Pane(move(pane.pixels, (0, 1)), cells, pane.labels, valid, lines)


def targets(row: Row, pictures: Pictures, box, h: int, w: int):
    """Cells, labels and lines of the crop `box` (pixels of the loaded picture) at size h x w."""
    rows, columns = h // STRIDE, w // STRIDE
    cells = np.full((len(CLASSES), rows, columns), -1, np.int8)
    labels = np.full(len(CLASSES), -1, np.int8)
    lines = []
    image = pictures.images[row.image]
    (x0, y0, x1, y1), _, _ = _inner(image, box, h, w)
    share = (x1 - x0) * (y1 - y0) / (image.width * image.height)
    for c, name in enumerate(CLASSES):
        if not row.known(name):
            continue
        if name not in row.present():
            cells[c], labels[c] = 0, 0
        elif name in row.masks:
            mask = pictures.masks[row.image, name]
            kx, ky = mask.width / image.width, mask.height / image.height
            part = (round(box[0] * kx), round(box[1] * ky), round(box[2] * kx), round(box[3] * ky))
            cells[c], labels[c] = _from_mask(mask, part, rows, columns, name)
        elif any(b[0] == name for b in row.boxes):
            cells[c], labels[c], found = _from_boxes(row, name, box, rows, columns, image)
            lines += [(c, line) for line in found]
        else:
            labels[c] = 1 if share > SURE else -1
    return cells, labels, lines


def _from_mask(mask: Image.Image, part, rows: int, columns: int, name: str):
    """Cells and label from a part of a mask: covered cells 1, cells that touch or border on it unknown, the rest 0."""
    cover = np.asarray(mask.crop(part).resize((columns, rows), Image.Resampling.BOX), np.float32) / 255
    positive = cover > (0.4 if name in AREA_LIKE else 0.02)
    near = dilate(cover > 0.002, 1)
    cells = np.where(positive, 1, np.where(near, -1, 0)).astype(np.int8)
    count = positive.sum()
    return cells, np.int8(1 if count >= 3 else (-1 if near.any() else 0))


def _from_boxes(row: Row, name: str, box, rows: int, columns: int, image: Image.Image):
    """Cells outside the boxes 0, inside unknown; every line of cells across a box holds a positive."""
    k = image.width / row.width
    sx, sy = columns / (box[2] - box[0]), rows / (box[3] - box[1])
    outside = np.ones((rows, columns), bool)
    label, lines = 0, []
    for _, bx, by, bw, bh in (b for b in row.boxes if b[0] == name):
        x0, x1 = ((v * k - box[0]) * sx for v in (bx, bx + bw))
        y0, y1 = ((v * k - box[1]) * sy for v in (by, by + bh))
        if x1 <= 0 or y1 <= 0 or x0 >= columns or y0 >= rows:
            continue
        left, right = max(0, int(x0)), min(columns, int(np.ceil(x1)))
        top, bottom = max(0, int(y0)), min(rows, int(np.ceil(y1)))
        outside[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = False
        seen = (min(x1, columns) - max(x0, 0)) * (min(y1, rows) - max(y0, 0)) / max((x1 - x0) * (y1 - y0), 1e-6)
        label = max(label, 1) if seen > 0.5 else (label or -1)
        if not row.rule.loose:
            lines += _lines(x0, x1, y0, y1, left, right, top, bottom, rows, columns)
    return np.where(outside, 0, -1).astype(np.int8), np.int8(label), lines


def _lines(x0, x1, y0, y1, left, right, top, bottom, rows, columns) -> list[np.ndarray]:
    """Columns of cells across a box that is whole from top to bottom, and rows likewise."""
    lines = []
    if y0 >= 0 and y1 <= rows and x1 - x0 >= 1:
        for x in range(max(left, int(np.ceil(x0))), min(right, int(x1))):
            line = np.zeros((rows, columns), bool)
            line[top:bottom, x] = True
            lines.append(line)
    if x0 >= 0 and x1 <= columns and y1 - y0 >= 1:
        for y in range(max(top, int(np.ceil(y0))), min(bottom, int(y1))):
            line = np.zeros((rows, columns), bool)
            line[y, left:right] = True
            lines.append(line)
    return lines


def dilate(mask: np.ndarray, steps: int) -> np.ndarray:
    """[h, w] bool grown by `steps` cells in all eight directions."""
    for _ in range(steps):
        p = np.pad(mask, 1)
        mask = np.any([p[y : y + mask.shape[0], x : x + mask.shape[1]] for y in range(3) for x in range(3)], axis=0)
    return mask


@dataclass
class Sample:
    """image [S, S, 3] uint8; cells [C, s, s]; panes [s, s] (index, -1 beyond the picture); labels [PANES, C]; lines as in Pane."""

    image: np.ndarray
    cells: np.ndarray
    panes: np.ndarray
    labels: np.ndarray
    lines: list


def layout(size: int, rng: np.random.Generator, mosaic: float) -> list[tuple[int, int, int, int]]:
    """Panes as (y, x, height, width) in pixels, cuts on the cell grid."""

    def cut() -> int:
        return int(rng.integers(size // STRIDE // 4, size // STRIDE * 3 // 4 + 1)) * STRIDE

    if rng.random() >= mosaic:
        return [(0, 0, size, size)]
    a, b = cut(), cut()
    kind = rng.random()
    if kind < 0.3:
        return [(0, 0, a, size), (a, 0, size - a, size)]
    if kind < 0.6:
        return [(0, 0, size, a), (0, a, size, size - a)]
    return [(0, 0, a, b), (0, b, a, size - b), (a, 0, size - a, b), (a, b, size - a, size - b)]


def compose(draw, pictures: Pictures, size: int, rng: np.random.Generator, mosaic: float = 0.4) -> Sample:
    """One canvas; `draw()` gives a row."""
    s = size // STRIDE
    sample = Sample(
        np.zeros((size, size, 3), np.uint8),
        np.full((len(CLASSES), s, s), -1, np.int8),
        np.zeros((s, s), np.int8),
        np.full((PANES, len(CLASSES)), -1, np.int8),
        [],
    )
    for i, (y, x, h, w) in enumerate(layout(size, rng, mosaic)):
        pane = cut_pane(draw(), pictures, h, w, rng)
        rows, columns = slice(y // STRIDE, (y + h) // STRIDE), slice(x // STRIDE, (x + w) // STRIDE)
        sample.image[y : y + h, x : x + w] = pane.pixels
        sample.cells[:, rows, columns] = pane.cells
        sample.panes[rows, columns] = np.where(pane.valid, i, -1)
        sample.labels[i] = pane.labels
        for c, line in pane.lines:
            whole = np.zeros((s, s), bool)
            whole[rows, columns] = line
            sample.lines.append((c, whole))
    return sample
