"""Writes a net as an ONNX graph: batch norms folded, padding inside the convolutions, opset 17."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .net import Conv, Net, Residual


class Graph:
    """Collects nodes and constants; every method returns the name of its output."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x: str, conv: Conv, name: str, scale: float = 1.0) -> str:
        """Convolution and its activation; `scale` multiplies the input (folded in the weight)."""
        weight, bias = conv.folded()
        inner = conv.conv
        y = self.node(
            "Conv",
            [x, self.constant(f"{name}.weight", (weight * scale).numpy()), self.constant(f"{name}.bias", bias.numpy())],
            f"{name}.conv",
            kernel_shape=list(inner.kernel_size),
            strides=list(inner.stride),
            pads=list(conv.pads),
            group=inner.groups,
        )
        return self.node("Clip", [y, "zero", "six"], f"{name}.relu6") if conv.act else y

    def residual(self, x: str, block: Residual, name: str) -> str:
        y = x
        for i, conv in enumerate(block.layers):
            y = self.conv(y, conv, f"{name}.{i}")
        return self.node("Add", [x, y], f"{name}.sum") if block.skip else y

    def stem(self, net: Net) -> str:
        mean = self.constant("mean", np.full((1, 3, 1, 1), 127.0, np.float32))
        x = self.node("Sub", ["image", mean], "centred")
        x = self.conv(x, net.stem[0], "stem.0", scale=1 / 127.5)
        return self.blocks(x, net.stem[1:], "stem", 1)

    def blocks(self, x: str, blocks, name: str, first: int = 0) -> str:
        for i, block in enumerate(blocks):
            x = self.residual(x, block, f"{name}.{i + first}")
        return x

    def head(self, net: Net, fine: str, middle: str, coarse: str) -> str:
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
        weight = self.constant("head.logits.weight", head.logits.weight.detach().numpy())
        bias = self.constant("head.logits.bias", head.logits.bias.detach().numpy())
        return self.node("Conv", [x, weight, bias], "logits", kernel_shape=[1, 1])

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


def _start() -> Graph:
    graph = Graph()
    graph.constant("zero", np.float32(0))
    graph.constant("six", np.float32(6))
    return graph


@torch.no_grad()
def build(net: Net) -> onnx.ModelProto:
    """The whole net: `image` -> `logits` [N, classes, H/16, W/16]."""
    graph = _start()
    fine = graph.stem(net)
    middle = graph.blocks(fine, net.middle, "middle")
    coarse = graph.blocks(middle, net.coarse, "coarse")
    graph.head(net, fine, middle, coarse)
    return graph.model({"logits": ["batch", net.head.logits.out_channels, "rows", "columns"]})


@torch.no_grad()
def build_frozen(net: Net, with_middle: bool) -> onnx.ModelProto:
    """The frozen part alone: `image` -> [N, 32, H/8, W/8] and, if wanted, [N, 96, H/16, W/16]."""
    graph = _start()
    fine = graph.stem(net)
    outputs = {fine: ["batch", 32, "rows", "columns"]}
    if with_middle:
        outputs[graph.blocks(fine, net.middle, "middle")] = ["batch", 96, "rows16", "columns16"]
    return graph.model(outputs)
