"""Static quantisation: unsigned 8-bit activations, signed 8-bit weights per channel, QDQ nodes."""

from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from .graph import FLOAT_NODES
from .manifest import Row
from .photo import make_view
from .samples import Pictures, compose
from .dataset import Draw


class Reader(CalibrationDataReader):
    """Hands out pictures [1, 3, H, W] one by one."""

    def __init__(self, images: list[np.ndarray]):
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"image": image}


def calibration_images(rows: list[Row], count: int, seed: int) -> list[np.ndarray]:
    """Training pictures: two thirds as training composes them, one third as they are."""
    rng = np.random.default_rng(seed)
    draw = Draw(rows, rng)
    chosen = [draw() for _ in range(count * 2)]
    pictures = Pictures(chosen)
    some = Draw(chosen, rng)
    images = [compose(some, pictures, 256, rng).image for _ in range(count * 2 // 3)]
    composed = [i.transpose(2, 0, 1)[None].astype(np.float32) for i in images]
    whole = [make_view(pictures.images[row.image], 1024).image for row in chosen[: count // 3]]
    return composed + whole


def quantise(model: onnx.ModelProto, target: Path, images: list[np.ndarray]) -> None:
    """Writes the int8 file; what reads scores off stays in float, so that they have no steps."""
    names = {node.name for node in model.graph.node}
    quantize_static(
        model,
        str(target),
        Reader(images),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=[n for n in (*FLOAT_NODES, "logits") if n in names],
        extra_options={"CalibMovingAverage": True},
    )
