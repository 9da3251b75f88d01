"""Turns a checkpoint into a model folder: fp32 and int8 files, calibration, thresholds, manifest.

    python -m training.export --run RUN/last.pt --data FOLDER --out MODEL --name NAME --version X.Y.Z

Calibration and thresholds are chosen on val, on the int8 file.
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np
import onnx
import torch

from .calibrate import BETA, Fitted, fit
from .classes import CLASSES, EXPERIMENTAL
from .context import load_context
from .graph import build
from .initialise import load_shipped
from .manifest import Row, read_manifest
from .model import Model, digest
from .net import Conv, Net
from .predict import Predictions, predict
from .quantise import calibration_images, quantise

LICENCES = {
    "all": (
        "unclear",
        "Trained on pictures under open licences and on pictures whose licence is not stated or unclear "
        "(see CARD.md); get it checked before commercial use, or use a model trained on open pictures alone.",
    ),
    "open": (
        "declared-open",
        "Trained only on pictures under open licences (Creative Commons with attribution, some share-alike, and CC0), "
        "some of them as declared by uploaders "
        "who may not own every picture (see CARD.md); attribution is owed.",
    ),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="checkpoint, or the fp32 file of a model folder")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--second", type=Path, action="append", default=[], help="another from the same start, to be averaged with --run")
    parser.add_argument("--share", type=float, default=0.5, help="what each --second counts; the rest is --run's")
    parser.add_argument("--context", type=Path, help="fitted context (training.context), or the fp32 file of a model folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--summary", default="Finds visible finish defects on photos of building surfaces.")
    parser.add_argument("--classes", default=",".join(CLASSES), help="the classes to keep")
    parser.add_argument("--licence", choices=tuple(LICENCES), default="all")
    parser.add_argument("--views", default="1024,192")
    parser.add_argument("--max-upscale", type=float, default=1.0)
    parser.add_argument("--settings", type=Path, default=Path(__file__).with_name("postprocess.toml"))
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def load_net(path: Path) -> tuple[Net, list[str]]:
    """The averaged net of a checkpoint, or that of a shipped fp32 file, and its classes."""
    if path.suffix == ".onnx":
        names = [c["name"] for c in tomllib.loads(path.with_name("manifest.toml").read_text())["classes"]]
        net = Net(len(names))
        load_shipped(net, path)
        return net.eval(), names
    state = torch.load(path, weights_only=True)
    net = Net(len(state["classes"]))
    for part in (net.middle, net.coarse):
        for conv in part.modules():
            if isinstance(conv, Conv):
                conv.add_norm()
    net.load_state_dict(state["average"])
    return net.eval(), state["classes"]


@torch.no_grad()
def average_folded(first: Net, others: list[Net], share: float) -> None:
    """Mixes the weights of the others, `share` each, into the first, batch norms folded."""

    def mix(kept: torch.Tensor, own: torch.Tensor, theirs: list[torch.Tensor]) -> None:
        kept.copy_((1 - share * len(others)) * own + share * sum(theirs))

    for a, *rest in zip(first.modules(), *(other.modules() for other in others)):
        if isinstance(a, Conv):
            for kept, own, *theirs in zip((a.conv.weight, a.conv.bias), a.folded(), *(b.folded() for b in rest)):
                mix(kept, own, theirs)
            a.bn = torch.nn.Identity()
    for kept, *theirs in zip(first.head.logits.parameters(), *(other.head.logits.parameters() for other in others)):
        mix(kept, kept, theirs)


def keep_classes(last: torch.nn.Conv2d, have: list[str], wanted: list[str]) -> None:
    """Drops the other classes' channels from a last convolution."""
    index = [have.index(name) for name in wanted]
    last.weight.data, last.bias.data = last.weight.data[index], last.bias.data[index]
    last.out_channels = len(index)


def manifest_text(args, names: list[str], settings: dict, fitted: dict[str, Fitted]) -> str:
    """The manifest of the folder, in the form that the service reads."""
    views = ", ".join(args.views.split(","))
    data, statement = LICENCES[args.licence]
    parts = [
        f"""schema = 1
name = "{args.name}"
version = "{args.version}"
summary = "{args.summary}"
default_precision = "int8"

[files.fp32]
path = "model.onnx"
sha256 = "{digest(args.out / 'model.onnx')}"

[files.int8]
path = "model.int8.onnx"
sha256 = "{digest(args.out / 'model.int8.onnx')}"

[input]
name = "image"
layout = "nchw"
colour = "rgb"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
views = [{views}]
max_upscale = {args.max_upscale}
multiple = 32

[output]
layout = "score-map"
name = "logits"
stride = 16
top_share = {settings["top_share"]}
top_min_cells = {settings["top_min_cells"]}
close_cells = {settings["close_cells"]}
"""
    ]
    parts += [_section(name, settings[name]) for name in ("coarse", "tiles") if name in settings]
    for name in names:
        parts.append(_class_text(name, settings["classes"][name], fitted.get(name, Fitted(1.0, 0.0, 0.5, "not chosen"))))
    parts.append(
        f"""[licence]
weights = "Apache-2.0 start weights (MobileNetV2); see training_data"
training_data = "{data}"
statement = "{statement}"
"""
    )
    return "\n".join(parts)


def _section(name: str, values: dict) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def _class_text(name: str, settings: dict, fitted: Fitted) -> str:
    return f"""[[classes]]
name = "{name}"
threshold = {fitted.threshold:.4f}
threshold_rule = "{fitted.rule}"
cell_threshold = {settings["cell_threshold"]}
min_cells = {settings["min_cells"]}
calibration = {{ scale = {fitted.scale:.5f}, offset = {fitted.offset:.5f} }}
experimental = {str(name in EXPERIMENTAL).lower()}
"""


def choose(predictions: Predictions, settings: dict) -> dict[str, Fitted]:
    """Calibration and threshold of each class, by the rules of postprocess.toml."""
    fitted = {}
    for name in predictions.names:
        entry = settings["classes"][name]
        values, truth = predictions.of(name, set(entry["fit_on"]))
        clean = predictions.clean(name, set(settings["clean_sources"]))
        rate = settings["clean_rate"]
        words = (
            f"best F{BETA} as calibrated on {len(values)} val pictures ({', '.join(entry['fit_on'])}; {int(truth.sum())} with the class) "
            f"with at most {rate:.1%} of {len(clean)} clean val photos at or above it, int8 file"
        )
        fitted[name] = fit(values, truth, clean, rate, words)
    return fitted


def main() -> None:
    args = arguments()
    settings = tomllib.loads(args.settings.read_text())
    rows = [row for folder in args.data for row in read_manifest(folder)]
    names = args.classes.split(",")
    net, have = load_net(args.run)
    others = [load_net(path) for path in args.second]
    for path, (_, same) in zip(args.second, others):
        if same != have:
            raise ValueError(f"{path} does not have the classes of {args.run}")
    average_folded(net, [other for other, _ in others], args.share)
    keep_classes(net.head.logits, have, names)
    context = load_context(args.context) if args.context else None
    if context and context.classes.out_channels != len(names):
        keep_classes(context.classes, list(CLASSES), names)
    args.out.mkdir(parents=True, exist_ok=True)
    onnx.save(build(net, context, packed=True), args.out / "model.onnx")
    train = [r for r in rows if r.split == "train" and r.tier != "noncommercial"]
    if args.licence == "open":
        train = [r for r in train if r.tier in ("open", "declared-open")]
    quantise(build(net, context), args.out / "model.int8.onnx", calibration_images(train, 90, args.seed))
    (args.out / "manifest.toml").write_text(manifest_text(args, names, settings, {}))
    fitted = choose(predict(Model(args.out), _fit_rows(rows, settings, names)), settings)
    (args.out / "manifest.toml").write_text(manifest_text(args, names, settings, fitted))
    for name, f in fitted.items():
        print(f"{name:18} threshold {f.threshold:.3f} scale {f.scale:.3f} offset {f.offset:.3f}")


def _fit_rows(rows: list[Row], settings: dict, names: list[str]) -> list[Row]:
    wanted = set(settings["clean_sources"]).union(*(settings["classes"][n]["fit_on"] for n in names))
    return [r for r in rows if r.split == "val" and r.source in wanted]


if __name__ == "__main__":
    main()
