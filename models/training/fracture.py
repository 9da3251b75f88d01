"""Cracks drawn on pictures of bare surfaces: real texture, and what no source of ours has: the exact cells of hairlines."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINE = 4  # drawn so many times larger: hairlines are thinner than a pixel
VISIBLE = 1.5  # how far a crack is darker than its surface, at least, in deviations of the surface's grain


def fracture(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """The picture with one to three cracks, and their mask: 8 bits, 255 where a pixel is all crack."""
    ink = Image.new("L", (image.width * FINE, image.height * FINE), 0)
    draw = ImageDraw.Draw(ink)
    width = float(np.exp(rng.uniform(np.log(0.6), np.log(2.5))))
    for _ in range(int(rng.integers(1, 4))):
        _walk(draw, image.size, rng.uniform(0, 1, 2) * image.size, rng.uniform(0, 2 * np.pi), width, rng)
    ink = ink.resize(image.size, Image.Resampling.BOX)
    return _darken(image, ink, rng), ink


def _walk(draw: ImageDraw.ImageDraw, size, at: np.ndarray, heading: float, width: float, rng: np.random.Generator) -> None:
    """A crooked line that keeps its heading in the long run, swells and thins, fades in places and branches."""
    length, step = rng.uniform(0.3, 1.4) * max(size), rng.uniform(1.5, 5.0)
    rough, swell, fade, turn = rng.uniform(0.2, 1.0), 0.0, 1.0, 0.0
    for _ in range(int(length / step)):
        turn = 0.75 * turn + rng.normal(0, rough) * 0.6
        swell = 0.9 * swell + rng.normal(0, 0.15)
        fade = float(np.clip(fade + rng.normal(0, 0.1), 0.35, 1.0))
        angle = heading + turn
        after = at + step * np.array([np.cos(angle), np.sin(angle)])
        stroke = max(1, round(width * np.exp(swell) * FINE))
        draw.line([*(at * FINE), *(after * FINE)], fill=int(255 * fade), width=stroke)
        at = after
        if width > 0.5 and rng.random() < 0.5 * step / max(size):
            aside = rng.choice([-1, 1]) * rng.uniform(0.4, 1.2)
            _walk(draw, size, at, heading + aside, width * rng.uniform(0.4, 0.8), rng)


def _darken(image: Image.Image, ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Faint or black, but never fainter than the grain of the surface hides."""
    pixels = np.asarray(image, np.float32)
    grey = pixels.mean(2)
    smooth = np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(3)), np.float32)
    least = VISIBLE * float(np.std(grey - smooth)) / max(float(grey.mean()), 1.0)
    depth = min(0.95, max(rng.uniform(0.12, 0.9), least))
    shade = 1 - depth * (np.asarray(ink, np.float32) / 255)[:, :, None]
    return Image.fromarray((pixels * shade).astype(np.uint8))
