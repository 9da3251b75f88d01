"""Photometric changes, and innocent things drawn on clean pictures (joints, cables, shadows, outlets)."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter


def photometric(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light, colour, sharpness, noise and compression as phones vary them."""
    image = image.point(_tone_table(rng))
    if rng.random() < 0.5:
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.3, 1.5))
    if rng.random() < 0.3:
        image = _ramp(image, rng)
    kind = rng.random()
    if kind < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.5)))
    elif kind < 0.4:
        image = ImageEnhance.Sharpness(image).enhance(rng.uniform(1.3, 3.0))
    if rng.random() < 0.25:
        image = _noise(image, rng)
    if rng.random() < 0.35:
        image = _compress(image, rng)
    return image


def _tone_table(rng: np.random.Generator) -> list[int]:
    """Lookup table of 3 x 256 entries: gamma, contrast, brightness, white balance."""
    x = np.arange(256) / 255.0
    curve = x ** np.exp(rng.normal(0, 0.25))
    curve = (curve - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.06)
    channels = [curve * np.exp(rng.normal(0, 0.06)) for _ in range(3)]
    return [int(v) for c in channels for v in np.clip(c * 255 + 0.5, 0, 255)]


def _ramp(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light that falls off over the picture."""
    w, h = image.size
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.5)
    x, y = np.linspace(-1, 1, w), np.linspace(-1, 1, h)
    gain = 1 + strength * 0.7 * (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None])
    pixels = np.asarray(image, np.float32) * gain[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    grain = rng.standard_normal(pixels.shape[:2], dtype=np.float32)[:, :, None]
    return Image.fromarray(np.clip(pixels + rng.uniform(2, 10) * grain, 0, 255).astype(np.uint8))


def _compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(35, 93)))
    return Image.open(buffer).convert("RGB")


def distract(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Draws one to three innocent things that are easily taken for defects."""
    image = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        image = _DECOYS[int(rng.integers(len(_DECOYS)))](image, rng)
    return image


def _grey(image: Image.Image, rng: np.random.Generator, dark: float = 0.75) -> tuple[int, int, int]:
    """A colour a good deal darker or lighter than a random spot of the picture."""
    spot = np.array(image.getpixel((int(rng.integers(image.width)), int(rng.integers(image.height)))), float)
    factor = rng.uniform(0.1, 0.75) if rng.random() < dark else rng.uniform(1.2, 1.8)
    return tuple(int(v) for v in np.clip(spot * factor + rng.normal(0, 6, 3), 0, 255))


def _blend(image: Image.Image, over: Image.Image, rng: np.random.Generator) -> Image.Image:
    return Image.blend(image, over, rng.uniform(0.35, 1.0))


def _lines(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Straight parallel lines or a grid: joints, tiles, formwork, beams."""
    over = image.copy()
    draw, colour = ImageDraw.Draw(over), _grey(image, rng)
    span = image.width + image.height
    base = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    for angle in [base] + ([base + np.pi / 2] if rng.random() < 0.5 else []):
        gap, width = rng.uniform(30, 400), int(rng.integers(1, 7))
        offset = rng.uniform(0, gap)
        normal, along = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        for k in np.arange(offset - span, span, gap):
            start, end = normal * k - along * span, normal * k + along * span
            draw.line([*start, *end], fill=colour, width=width)
    if rng.random() < 0.5:
        over = over.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    return _blend(image, over, rng)


def _cable(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A smooth curve of even width, with its shadow."""
    points = rng.uniform(-0.2, 1.2, (4, 2)) * image.size
    t = np.linspace(0, 1, 40)[:, None]
    curve = (1 - t) ** 3 * points[0] + 3 * t * (1 - t) ** 2 * points[1] + 3 * t**2 * (1 - t) * points[2] + t**3 * points[3]
    width = int(rng.integers(3, 12))
    draw = ImageDraw.Draw(image)
    shadow = tuple(int(v * 0.6) for v in image.resize((1, 1)).getpixel((0, 0)))
    if rng.random() < 0.6:
        draw.line([tuple(p + width * 0.6) for p in curve], fill=shadow, width=width, joint="curve")
    draw.line([tuple(p) for p in curve], fill=_grey(image, rng), width=width, joint="curve")
    return image


def _shadow(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A cast shadow with a straight edge."""
    mask = Image.new("L", image.size, 0)
    corners = rng.uniform(-0.3, 1.3, (int(rng.integers(3, 6)), 2)) * image.size
    ImageDraw.Draw(mask).polygon([tuple(p) for p in corners], fill=int(rng.integers(60, 180)))
    mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 8)))
    return Image.composite(Image.new("RGB", image.size, (10, 10, 14)), image, mask)


def _outlet(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A plate with a rim and a few dark holes."""
    draw = ImageDraw.Draw(image)
    w, h = rng.uniform(20, 90, 2)
    x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
    face = _grey(image, rng, dark=0.3)
    draw.rounded_rectangle([x, y, x + w, y + h], 4, fill=face, outline=tuple(int(v * 0.6) for v in face))
    for _ in range(int(rng.integers(0, 5))):
        px, py, r = x + rng.uniform(0.2, 0.8) * w, y + rng.uniform(0.2, 0.8) * h, rng.uniform(1, 4)
        draw.ellipse([px - r, py - r, px + r, py + r], fill=(30, 30, 30))
    return image


_DECOYS = (_lines, _lines, _cable, _shadow, _outlet)
