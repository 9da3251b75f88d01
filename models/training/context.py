"""What a photo as a whole says: the start network, kept as it came, looks at a small square copy of the photo.

    python -m training.context --weights FILE.tflite --data FOLDER --data OUTDOORS --out context.pt

Its features know a thousand kinds of things. Two readings of them are fitted. One says how much the picture looks like
each class and moves every cell of the class's map (never up by much, so that the map keeps its shape). The other tells
foreign photos - rocks, plants, animals, things - from building surfaces, and lowers all cells.
"""

import argparse
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .augment import photometric
from .classes import CLASSES
from .dataset import open_bytes
from .graph import build_features
from .initialise import copy_constants, copy_convolutions, load_backbone, shipped_constants
from .manifest import Row, read_manifest
from .net import FEATURES, Context
from .photo import make_view, open_photo

FOREIGN = "outdoors"  # the source whose pictures show no building surface
SCENES = frozenset({FOREIGN, "houses_negative", "scene_cracks"})  # few and varied: more crops, and smaller ones
VIEWS = (1024, 192)  # long sides at which a whole picture is read


@torch.no_grad()
def start_context(weights: Path, classes: int, size: int, most: float) -> Context:
    """A context with the start weights and readings that are not fitted yet."""
    context = Context(classes, size, most)
    (weight, bias), _ = load_backbone(context.net, weights)
    context.last.conv.weight.copy_(torch.from_numpy(weight.copy()))
    context.last.conv.bias.copy_(torch.from_numpy(bias.copy()))
    return context.eval()


def crop(image: Image.Image, size: int, rng: np.random.Generator, least: float) -> Image.Image:
    """A part of at least `least` of the picture's area, mirrored at random, as a square."""
    area = rng.uniform(least, 1)
    w = min(1.0, float(area**0.5 * np.exp(rng.uniform(-0.25, 0.25))))
    h = min(1.0, area / w)
    x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
    box = (x * image.width, y * image.height, (x + w) * image.width, (y + h) * image.height)
    part = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def looks(row: Row, size: int, crops: int, rng: np.random.Generator) -> list[np.ndarray]:
    """What the context sees of one picture: the service's views, and crops in other light."""
    image = open_photo(row.image, max(VIEWS))
    scene = row.source in SCENES
    parts = [crop(image, size, rng, 0.15 if scene else 0.5) for _ in range(crops * (4 if scene else 1))]
    return [make_view(image, v).image for v in VIEWS] + [make_view(photometric(p, rng), size).image for p in parts]


def gather(context: Context, rows: list[Row], crops: int, seed: int) -> tuple[np.ndarray, list[Row]]:
    """Features [n, 1280] and the row that each comes from."""
    session = open_bytes(build_features(context).SerializeToString())
    features, origin = [], []
    for row in rows:
        rng = np.random.default_rng([seed, zlib.crc32(str(row.group).encode()), zlib.crc32(row.image.name.encode())])
        for image in looks(row, context.size, crops, rng):
            features.append(session.run(None, {"image": image})[0][0, :, 0, 0])
            origin.append(row)
    return np.array(features), origin


@dataclass
class Samples:
    """x: [n, 1280] standardised features; rows: where each comes from."""

    x: Tensor
    rows: list[Row]

    def truth(self) -> np.ndarray:
        """[n, classes] 1, 0, or -1 where the row does not say."""
        known = {id(r): [-1 if r.truth(c) is None else r.truth(c) for c in CLASSES] for r in self.rows}
        return np.array([known[id(r)] for r in self.rows])

    def shares(self) -> np.ndarray:
        """[n] chance of being drawn: by source as in training, within it by the root of what is shown."""
        groups: dict = {}
        for i, row in enumerate(self.rows):
            groups.setdefault(row.source, {}).setdefault(row.stratum, []).append(i)
        p = np.zeros(len(self.rows))
        for strata in groups.values():
            total = sum(len(members) ** 0.5 for members in strata.values())
            for members in strata.values():
                share = self.rows[members[0]].rule.share * len(members) ** 0.5 / total
                p[members] = share / len(members)
        return p / p.sum()


def fit_classes(context: Context, samples: Samples, args) -> None:
    """Trains the reading of the classes: one hidden layer, much dropout, cosine rate."""
    truth = torch.from_numpy(samples.truth())
    goal, known = truth.clamp(min=0).float(), (truth >= 0).float()
    chance, rng, batch = samples.shares(), np.random.default_rng(args.seed), 128
    layers = nn.Sequential(nn.Dropout(0.2), context.hidden, nn.ReLU(), nn.Dropout(0.5), context.classes)
    for layer in (context.hidden, context.classes):
        layer.reset_parameters()
    optim = torch.optim.AdamW(layers.parameters(), weight_decay=args.decay)
    layers.train()
    steps = args.epochs * len(truth) // batch
    for step in range(steps):
        for group in optim.param_groups:
            group["lr"] = args.rate * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        chosen = torch.from_numpy(rng.choice(len(truth), batch, p=chance))
        logits = layers(samples.x[chosen][:, :, None, None])[:, :, 0, 0]
        each = F.binary_cross_entropy_with_logits(logits, goal[chosen] * 0.96 + 0.02, reduction="none")
        loss = (each * known[chosen] * torch.where(goal[chosen] > 0, 3.0, 1.0)).sum() / batch
        optim.zero_grad()
        loss.backward()
        optim.step()
    _finish(context, [args.crack_share if c == "crack" else args.share for c in CLASSES])


@torch.no_grad()
def _finish(context: Context, shares: list[float]) -> None:
    """Rounds the hidden layer to 8 bits, as the file stores it, and scales each class by its share."""
    weight = context.hidden.weight
    scale = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    weight.copy_(torch.round(weight / scale) * scale)
    factor = torch.tensor(shares)
    context.classes.weight.mul_(factor[:, None, None, None])
    context.classes.bias.mul_(factor)


def fit_foreign(context: Context, samples: Samples, args) -> None:
    """A logistic fit of foreign against surfaces; finished rooms and fronts without defects are left out."""
    foreign = np.array([r.source == FOREIGN for r in samples.rows])
    used = foreign | np.array([bool(r.present()) or r.source not in SCENES for r in samples.rows])
    weight = np.where(foreign, 0.5 / max(foreign.sum(), 1), 0.5 / (used & ~foreign).sum())
    weight *= [args.scenes if r.source == "scene_cracks" else 1.0 for r in samples.rows]
    x, truth, weight = samples.x[used], torch.from_numpy(foreign[used]).float(), torch.from_numpy(weight[used]).float()
    w, b = torch.zeros(FEATURES, requires_grad=True), torch.zeros(1, requires_grad=True)
    optim = torch.optim.LBFGS([w, b], max_iter=200, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optim.zero_grad()
        each = F.binary_cross_entropy_with_logits(x @ w + b, truth, reduction="none")
        loss = (each * weight).sum() / weight.sum() + args.foreign_decay * w.square().sum()
        loss.backward()
        return loss

    optim.step(closure)
    with torch.no_grad():
        context.foreign.weight.copy_(args.slope * w[None, :, None, None])
        context.foreign.bias.copy_(args.slope * (b - args.margin))


def save(context: Context, path: Path) -> None:
    torch.save({"state": context.state_dict(), "size": context.size, "most": context.most, "classes": list(CLASSES)}, path)


def load_context(path: Path) -> Context:
    """A fitted context, or that of a shipped fp32 file."""
    if path.suffix == ".onnx":
        return _shipped_context(path)
    kept = torch.load(path, weights_only=True)
    width = len(kept["state"]["hidden.weight"])
    context = Context(len(kept["classes"]), kept["size"], kept["most"], width)
    context.load_state_dict(kept["state"])
    return context.eval()


@torch.no_grad()
def _shipped_context(path: Path) -> Context:
    kept = shipped_constants(path)
    size, most = kept["photo.square"][0].item(), kept["photo.most"].item()
    context = Context(len(kept["photo.classes.weight"]), size, most, len(kept["photo.hidden.weight"]))
    copy_convolutions(kept, context.net, ("stem", "middle", "coarse"), "photo.")
    copy_constants(kept, context.last.conv, "photo.last")
    for name in ("hidden", "classes", "foreign"):
        copy_constants(kept, getattr(context, name), f"photo.{name}")
    for name in ("mean", "gain"):
        getattr(context, name).copy_(torch.from_numpy(kept[f"photo.{name}"].copy()))
    return context.eval()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--tiers", default="open,declared-open,unclear")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--features", type=Path, help="keeps the features in this .npy for the next fit of the same data")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--crops", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.7, help="what the reading of a class counts beside its cells")
    parser.add_argument("--crack-share", type=float, default=0.3, help="the same for cracks, which the cells see better")
    parser.add_argument("--most", type=float, default=1.0, help="by how much it may lift a cell")
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--slope", type=float, default=3.0, help="what foreignness takes off, per unit of log-odds")
    parser.add_argument("--margin", type=float, default=-0.75, help="log-odds of foreignness that cost nothing yet")
    parser.add_argument("--foreign-decay", type=float, default=0.1)
    parser.add_argument("--scenes", type=float, default=5.0, help="weight of scenes with defects against being taken for foreign")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    context = start_context(args.weights, len(CLASSES), args.size, args.most)
    tiers = set(args.tiers.split(","))
    rows = [r for folder in args.data for r in read_manifest(folder, tiers) if r.split == "train"]
    if args.features and args.features.exists():
        features = np.load(args.features)
        origin = [r for r in rows for _ in range(len(VIEWS) + args.crops * (4 if r.source in SCENES else 1))]
    else:
        features, origin = gather(context, rows, args.crops, args.seed)
        if args.features:
            np.save(args.features, features)
    mean, gain = features.mean(0), 1 / (features.std(0) + 0.05)
    context.mean.copy_(torch.from_numpy(mean)[None, :, None, None])
    context.gain.copy_(torch.from_numpy(gain)[None, :, None, None])
    samples = Samples(torch.from_numpy((features - mean) * gain).float(), origin)
    fit_classes(context, samples, args)
    fit_foreign(context, samples, args)
    save(context, args.out)


if __name__ == "__main__":
    main()
