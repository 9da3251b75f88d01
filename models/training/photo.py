"""From a photo file to the tensor a model sees, the way the service does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


@dataclass(frozen=True)
class View:
    """One view of a photo: padded pixels and what of them is real.

    image: [1, 3, H, W] float32, 0..255; width, height: the real area in view pixels;
    scale_x, scale_y: view pixels per photo pixel.
    """

    image: np.ndarray
    width: int
    height: int
    scale_x: float
    scale_y: float

    def valid(self, stride: int = 16) -> np.ndarray:
        """[rows, columns] bool: cells whose centre lies on the photo."""
        rows, columns = self.image.shape[2] // stride, self.image.shape[3] // stride
        y = (np.arange(rows) + 0.5) * stride < self.height
        x = (np.arange(columns) + 0.5) * stride < self.width
        return y[:, None] & x[None, :]


def open_photo(path: Path, draft: int | None = None) -> Image.Image:
    """Decodes, turns upright, RGB. `draft`: allow JPEG's own reduction down to this long side."""
    image = Image.open(path)
    if draft:
        long = max(image.size)
        scale = min(1.0, draft / long)
        image.draft("RGB", (max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    return ImageOps.exif_transpose(image).convert("RGB")


def view_size(width: int, height: int, long_side: int, max_upscale: float) -> tuple[int, int]:
    """Size of a view in pixels, before padding."""
    scale = min(long_side / max(width, height), max_upscale)
    # Half away from zero, as Rust's `round`; Python's own rounds half to even.
    return max(32, int(width * scale + 0.5)), max(32, int(height * scale + 0.5))


def make_view(photo: Image.Image, long_side: int, max_upscale: float = 1.0, multiple: int = 32) -> View:
    """Resizes (antialiased bilinear) and pads right and bottom by repeating the edge."""
    width, height = view_size(photo.width, photo.height, long_side, max_upscale)
    small = photo if photo.size == (width, height) else photo.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(small)
    pad_y, pad_x = -height % multiple, -width % multiple
    pixels = np.pad(pixels, ((0, pad_y), (0, pad_x), (0, 0)), mode="edge")
    image = pixels.transpose(2, 0, 1)[None].astype(np.float32)
    return View(image, width, height, width / photo.width, height / photo.height)
