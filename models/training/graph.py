"""Writes a net as an ONNX graph: batch norms folded, padding inside the convolutions, opset 17."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .net import SHRINKS, Context, Conv, Net, Residual

# Nodes that stay in float in the int8 file: scores have no steps, shrinking is no sum, and what follows the first
# depthwise convolution bears no rounding of its weights.
FLOAT_NODES = [
    "logits.cells",
    "photo.features",
    "photo.says",
    "photo.strange",
    "stem.1.1.conv",
    "photo.stem.1.1.conv",
    *(f"photo.shrink.{i}" for i in range(SHRINKS)),
]


class Graph:
    """Collects nodes and constants; every method returns the name of its output.

    `packed`: the context's weights are stored in 8 bits. They came in 8 bits, so nothing is lost.
    """

    def __init__(self, packed: bool = False):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.packed = packed
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))

    def constant(self, name: str, values) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, values: np.ndarray) -> str:
        """A convolution's weight, packed where it belongs to the context."""
        if not (self.packed and name.startswith("photo.")):
            return self.constant(name, values)
        eight, scale = pack(values)
        zero = self.constant(f"{name}.zero", np.zeros(len(scale), np.int8))
        return self.node(
            "DequantizeLinear", [self.constant(f"{name}.int8", eight), self.constant(f"{name}.scale", scale), zero], name, axis=0
        )

    def conv(self, x: str, conv: Conv, name: str, scale: float = 1.0) -> str:
        """Convolution and its activation; `scale` multiplies the input (folded in the weight)."""
        weight, bias = conv.folded()
        inner = conv.conv
        y = self.node(
            "Conv",
            [x, self.weight(f"{name}.weight", (weight * scale).numpy()), self.constant(f"{name}.bias", bias.numpy())],
            f"{name}.conv",
            kernel_shape=list(inner.kernel_size),
            strides=list(inner.stride),
            pads=list(conv.pads),
            group=inner.groups,
        )
        return self.node("Clip", [y, "zero", "six"], f"{name}.relu6") if conv.act else y

    def read(self, x: str, conv: torch.nn.Conv2d, weights: str, name: str) -> str:
        """A plain 1x1 convolution."""
        small = conv.out_channels <= 16
        weight = (self.constant if small else self.weight)(f"{weights}.weight", conv.weight.detach().numpy())
        bias = self.constant(f"{weights}.bias", conv.bias.detach().numpy())
        return self.node("Conv", [x, weight, bias], name, kernel_shape=[1, 1])

    def residual(self, x: str, block: Residual, name: str) -> str:
        y = x
        for i, conv in enumerate(block.layers):
            y = self.conv(y, conv, f"{name}.{i}")
        return self.node("Add", [x, y], f"{name}.sum") if block.skip else y

    def stem(self, stem, image: str = "image", name: str = "stem") -> str:
        mean = self.constant(f"{name}.mean", np.full((1, 3, 1, 1), 127.0, np.float32))
        x = self.node("Sub", [image, mean], f"{name}.centred")
        x = self.conv(x, stem[0], f"{name}.0", scale=1 / 127.5)
        return self.blocks(x, stem[1:], name, 1)

    def blocks(self, x: str, blocks, name: str, first: int = 0) -> str:
        for i, block in enumerate(blocks):
            x = self.residual(x, block, f"{name}.{i + first}")
        return x

    def head(self, net: Net, fine: str, middle: str, coarse: str, name: str) -> str:
        head = net.head
        scales = self.constant("double", np.array([1, 1, 2, 2], np.float32))
        up = self.node(
            "Resize",
            [self.conv(coarse, head.coarse, "head.coarse"), "", scales],
            "head.up",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        x = self.node("Add", [self.conv(fine, head.fine, "head.fine"), self.conv(middle, head.middle, "head.middle")], "head.two")
        x = self.node("Relu", [self.node("Add", [x, up], "head.three")], "head.relu")
        for i, conv in enumerate(head.mix):
            x = self.conv(x, conv, f"head.mix.{i}")
        return self.read(x, head.logits, "head.logits", name)

    def shrink(self, size: int) -> str:
        """The picture as a square of `size` pixels, halved step by step so that no pixel is skipped."""

        def numbers(name: str, *values: int) -> str:
            return self.constant(f"photo.{name}", np.array(values, np.int64))

        shape = self.node("Shape", ["image"], "photo.shape")
        first = self.node("Slice", [shape, numbers("0", 0), numbers("2", 2)], "photo.leading")
        sides = self.node("Slice", [shape, numbers("from", 2), numbers("4", 4)], "photo.sides.0")
        square, two = numbers("square", size, size), numbers("two", 2, 2)
        x = "image"
        for i in range(SHRINKS):
            last = i == SHRINKS - 1
            half = square if last else self.node("Div", [sides, two], f"photo.half.{i}")
            sides = square if last else self.node("Max", [half, square], f"photo.sides.{i + 1}")
            sizes = self.node("Concat", [first, sides], f"photo.sizes.{i}", axis=0)
            x = self.node("Resize", [x, "", "", sizes], f"photo.shrink.{i}", mode="linear", coordinate_transformation_mode="half_pixel")
        return x

    def features(self, context: Context) -> str:
        """[N, 1280, 1, 1]: what the start network saw on the whole picture."""
        x = self.stem(context.net.stem, self.shrink(context.size), "photo.stem")
        x = self.blocks(self.blocks(x, context.net.middle, "photo.middle"), context.net.coarse, "photo.coarse")
        return self.node("GlobalAveragePool", [self.conv(x, context.last, "photo.last")], "photo.features")

    def context(self, context: Context) -> str:
        """[N, classes, 1, 1]: what the whole picture adds to every cell."""
        mean, gain = (self.constant(f"photo.{k}", getattr(context, k).numpy()) for k in ("mean", "gain"))
        x = self.node("Mul", [self.node("Sub", [self.features(context), mean], "photo.offset"), gain], "photo.standard")
        hidden = self.node("Relu", [self.read(x, context.hidden, "photo.hidden", "photo.mix")], "photo.mixed")
        says = self.read(hidden, context.classes, "photo.classes", "photo.says")
        says = self.node("Min", [says, self.constant("photo.most", np.float32(context.most))], "photo.bounded")
        foreign = self.node("Relu", [self.read(x, context.foreign, "photo.foreign", "photo.strange")], "photo.penalty")
        return self.node("Sub", [says, foreign], "photo.sum")

    def model(self, outputs: dict[str, list]) -> onnx.ModelProto:
        """Wraps up: input `image` [N, 3, H, W] float32, outputs by name with their shapes."""

        def value(name: str, shape: list) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        image = value("image", ["batch", 3, "height", "width"])
        graph = helper.make_graph(self.nodes, "score-map", [image], [value(*o) for o in outputs.items()], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="punchlens")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def pack(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """8-bit form [out, ...] and scale per output channel of weights that came from such a form."""
    scale = np.abs(values).reshape(len(values), -1).max(1) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    wide = scale.reshape(-1, *[1] * (values.ndim - 1))
    eight = np.rint(values / wide).astype(np.int8)
    if not np.allclose(eight * wide, values, rtol=0, atol=1e-3 * scale.max()):
        raise ValueError("these weights did not come from 8 bits")
    return eight, scale


@torch.no_grad()
def build(net: Net, context: Context | None = None, packed: bool = False) -> onnx.ModelProto:
    """The whole net: `image` -> `logits` [N, classes, H/16, W/16]."""
    graph = Graph(packed)
    fine = graph.stem(net.stem)
    middle = graph.blocks(fine, net.middle, "middle")
    coarse = graph.blocks(middle, net.coarse, "coarse")
    graph.head(net, fine, middle, coarse, "logits.cells" if context else "logits")
    if context:
        graph.node("Add", ["logits.cells", graph.context(context)], "logits")
    return graph.model({"logits": ["batch", net.head.logits.out_channels, "rows", "columns"]})


@torch.no_grad()
def build_frozen(net: Net, with_middle: bool) -> onnx.ModelProto:
    """The frozen part alone: `image` -> [N, 32, H/8, W/8] and, if wanted, [N, 96, H/16, W/16]."""
    graph = Graph()
    fine = graph.stem(net.stem)
    outputs = {fine: ["batch", 32, "rows", "columns"]}
    if with_middle:
        outputs[graph.blocks(fine, net.middle, "middle")] = ["batch", 96, "rows16", "columns16"]
    return graph.model(outputs)


@torch.no_grad()
def build_features(context: Context) -> onnx.ModelProto:
    """The context's frozen part alone: `image` -> [N, 1280, 1, 1]."""
    graph = Graph()
    return graph.model({graph.features(context): ["batch", context.hidden.in_channels, 1, 1]})
