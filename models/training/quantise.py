"""Static quantisation: unsigned 8-bit activations, signed 8-bit weights per channel, QDQ nodes.

Processors with AVX2 but without VNNI (many an edge box) add two products at a time in 16 bits, which overflow silently:
with plain 8-bit weights SDNET's AP fell from 0.89 to 0.82 there. Weights of 7 bits, the usual remedy, cost more (BD3's mean AP
0.97 to 0.92). Here each output channel is scaled so that no two neighbouring weights can overflow together: a third of a
bit or so, and every processor computes the same integers.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
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
        extra_options={"CalibMovingAverage": True, "TensorQuantOverrides": safe_scales(model)},
    )


def safe_scales(model: onnx.ModelProto) -> dict[str, list[dict]]:
    """Scales of the weights, a channel each, of the convolutions that sum over channels."""
    constants = {c.name: c for c in model.graph.initializer}
    chosen = {}
    for node in model.graph.node:
        grouped = any(a.name == "group" and a.i > 1 for a in node.attribute)
        if node.op_type == "Conv" and not grouped and node.name not in FLOAT_NODES:
            scales = pair_safe(numpy_helper.to_array(constants[node.input[1]]))
            fixed = {"axis": 0, "quant_type": QuantType.QInt8, "zero_point": np.int8(0)}
            chosen[node.input[1]] = [fixed | {"scale": scale} for scale in scales]
    return chosen


def pair_safe(weight: np.ndarray) -> np.ndarray:
    """[out, in, h, w] -> [out]: the finest scale at which neighbours of one sign, as they are summed (row, column,
    channel), come to at most 127 together."""
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(weight), -1, 2)
    up, down = (np.clip(sign * pairs, 0, None).sum(2).max(1) for sign in (1, -1))
    return np.maximum(np.maximum(up, down) / 127, 1e-9).astype(np.float32)
