"""Start weights: dequantises an int8 MobileNetV2 (tflite) into the backbone, and proves it.

    python -m training.initialise --weights FILE.tflite --pictures FOLDER

runs the original file and the dequantised one on pictures and prints how often the first class agrees.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import tflite
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image
from torch import Tensor, nn

from .net import Conv, Net

_NUMPY = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32}


def _dequantise(model, graph, index: int) -> np.ndarray:
    """One constant tensor as float32, scaled per channel of its quantised axis."""
    tensor = graph.Tensors(index)
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
    values = raw.view(_NUMPY[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).astype(np.float32)
    quant = tensor.Quantization()
    scale = quant.ScaleAsNumpy().astype(np.float32)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[quant.QuantizedDimension()] = -1
        scale = scale.reshape(shape)
    return values * scale


def read_convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights [out, in/groups, k, k] and biases [out] of every convolution, in file order."""
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    found = []
    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind not in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D):
            continue
        _, w, b = op.InputsAsNumpy()
        # [out, k, k, in] for plain, [1, k, k, out] for depthwise convolutions.
        order = (0, 3, 1, 2) if kind == tflite.BuiltinOperator.CONV_2D else (3, 0, 1, 2)
        found.append((_dequantise(model, graph, w).transpose(order), _dequantise(model, graph, b)))
    return found


def load_backbone(net: Net, path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies the start weights into the net; returns the layers left over (the classifier)."""
    layers = read_convolutions(path)
    convs = net.backbone()
    with torch.no_grad():
        for conv, (weight, bias) in zip(convs, layers):
            assert conv.conv.weight.shape == weight.shape, (conv.conv.weight.shape, weight.shape)
            conv.conv.weight.copy_(torch.from_numpy(weight.copy()))
            conv.conv.bias.copy_(torch.from_numpy(bias.copy()))
    return layers[len(convs):]


def load_shipped(net: Net, path: Path) -> None:
    """Copies a shipped fp32 file (batch norms folded, classes in the same order) into a net without norms.

    The head's norms, which every net has, are set to do nothing; `insert_norm` gives all of them statistics again.
    """
    kept = shipped_constants(path)
    with torch.no_grad():
        copy_convolutions(kept, net, ("stem", "middle", "coarse", "head"))
        copy_constants(kept, net.head.logits, "head.logits")


def shipped_constants(path: Path) -> dict[str, np.ndarray]:
    """The constants of a shipped fp32 file by name; weights that it keeps in 8 bits as the floats they stand for."""
    kept = {c.name: numpy_helper.to_array(c) for c in onnx.load(path).graph.initializer}
    for name in [n.removesuffix(".int8") for n in kept if n.endswith(".int8")]:
        eight, scale = kept[f"{name}.int8"], kept[f"{name}.scale"]
        kept[name] = eight * scale.reshape(-1, *[1] * (eight.ndim - 1))
    return kept


def copy_convolutions(kept: dict[str, np.ndarray], net: Net, parts: tuple[str, ...], prefix: str = "") -> None:
    """Copies these parts' convolutions, which a shipped file names after them with `prefix`; they are left without norms."""
    for part in parts:
        for name, module in getattr(net, part).named_modules():
            if isinstance(module, Conv):
                module.bn = nn.Identity()
                full = f"{part}.{name}".replace(".layers", "")
                copy_constants(kept, module.conv, prefix + full, 127.5 if full == "stem.0" else 1.0)


def copy_constants(kept: dict[str, np.ndarray], target: nn.Conv2d, name: str, scale: float = 1.0) -> None:
    """Copies the weight, times `scale`, and the bias that a shipped file calls `name`."""
    target.weight.copy_(torch.from_numpy(kept[f"{name}.weight"].copy()) * scale)
    target.bias.copy_(torch.from_numpy(kept[f"{name}.bias"].copy()))


def insert_norm(convs: list[Conv], run) -> None:
    """Puts a batch norm behind each conv without changing the function.

    `run()` sends pictures through; each conv's output mean and variance become the running
    statistics, and gain and offset undo them.
    """
    seen: dict[Conv, tuple[Tensor, Tensor]] = {}

    def note(conv):
        def hook(_module, _inputs, out):
            return seen.__setitem__(conv, (out.mean((0, 2, 3)), out.var((0, 2, 3))))

        return hook

    hooks = [conv.bn.register_forward_hook(note(conv)) for conv in convs]
    with torch.no_grad():
        run()
        for hook in hooks:
            hook.remove()
        for conv in convs:
            mean, var = seen[conv]
            conv.add_norm()
            conv.bn.running_mean.copy_(mean - conv.conv.bias)
            conv.bn.running_var.copy_(var)
            conv.bn.weight.copy_(torch.sqrt(var + conv.bn.eps))
            conv.bn.bias.copy_(mean)
            conv.conv.bias.zero_()
            conv.conv.bias.requires_grad_(False)


def classify(net: Net, classifier, images: Tensor) -> Tensor:
    """[N, 3, 224, 224] pixels -> [N, 1001] logits of the original classifier."""
    (w1, b1), (w2, b2) = ((torch.from_numpy(w.copy()), torch.from_numpy(b.copy())) for w, b in classifier)
    x = net.coarse(net.middle(net.stem((images - 127.0) / 127.5)))
    x = F.relu6(F.conv2d(x, w1, b1)).mean((2, 3), keepdim=True)
    return F.conv2d(x, w2, b2)[:, :, 0, 0]


def _original(path: Path, pixels: np.ndarray) -> int:
    """First class of the untouched file for one [224, 224, 3] uint8 picture."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path), num_threads=1)
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], pixels[None])
    run.invoke()
    return int(run.get_tensor(run.get_output_details()[0]["index"])[0].argmax())


def agreement(path: Path, pictures: list[Path]) -> int:
    """In how many pictures both networks name the same first class."""
    net = Net(1).eval()
    classifier = load_backbone(net, path)
    same = 0
    for picture in pictures:
        pixels = np.asarray(Image.open(picture).convert("RGB").resize((224, 224)))
        with torch.no_grad():
            ours = classify(net, classifier, torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float())
        same += int(ours.argmax()) == _original(path, pixels)
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--count", type=int, default=25)
    args = parser.parse_args()
    pictures = sorted(args.pictures.glob("*.jpg"))[: args.count]
    same = agreement(args.weights, pictures)
    print(f"same first class: {same} of {len(pictures)}")
    return 0 if same >= 0.9 * len(pictures) else 1


if __name__ == "__main__":
    sys.exit(main())
