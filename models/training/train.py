"""Trains a score-map net.

    python -m training.train --data FOLDER [--data FOLDER ...] --weights FILE.tflite --out RUN

Writes RUN/last.pt (weights, averaged weights, arguments) every few hundred steps. The same command runs on CPU and CUDA.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .classes import CLASSES
from .dataset import Batches
from .graph import build_frozen
from .initialise import insert_norm, load_backbone, load_shipped
from .losses import total_loss
from .manifest import Row, read_manifest
from .net import Conv, Net
from .samples import Pictures


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder with manifest.jsonl")
    parser.add_argument("--tiers", default="open,declared-open,unclear", help="licence tiers to train on")
    parser.add_argument("--weights", type=Path, help="int8 MobileNetV2 to start the backbone from")
    parser.add_argument("--start", type=Path, help="checkpoint or shipped model.onnx to go on from (instead of --weights)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1e9, help="plan the schedule on time as well as on steps")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate of the head; the backbone has 0.3 of it")
    parser.add_argument("--stem-rate", type=float, default=0.0, help="of the head's rate for a stem with start weights; 0 keeps it as it is")
    parser.add_argument("--mosaic", type=float, default=0.4)
    parser.add_argument("--freeze-middle", action="store_true", help="train only what follows stride 16: a third of the time")
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 (faster where a CPU has AMX)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def training_rows(args) -> list[Row]:
    tiers = set(args.tiers.split(","))
    return [r for folder in args.data for r in read_manifest(folder, tiers) if r.split == "train"]


def start_net(args, rows: list[Row], pictures: Pictures) -> Net:
    """A net from the start weights with batch norms put in, or from a checkpoint."""
    net = Net(len(CLASSES))
    later = [c for part in (net.middle, net.coarse) for c in part.modules() if isinstance(c, Conv)]
    if args.start and args.start.suffix == ".onnx":
        load_shipped(net, args.start)
        _measure_norms(net, later + [c for c in net.head.modules() if isinstance(c, Conv)], args, rows, pictures)
    elif args.start:
        for conv in later:
            conv.add_norm()
            conv.conv.bias.requires_grad_(False)
        net.load_state_dict(torch.load(args.start, weights_only=True)["average"])
    elif args.weights:
        load_backbone(net, args.weights)
        _measure_norms(net, later, args, rows, pictures)
    else:
        for conv in later:
            conv.add_norm()
    if not args.start:
        torch.nn.init.constant_(net.head.logits.bias, -2.0)
    if args.start or args.weights:
        net.stem.requires_grad_(args.stem_rate > 0)
    if args.freeze_middle:
        net.middle.requires_grad_(False)
    return net


def _measure_norms(net: Net, convs: list[Conv], args, rows: list[Row], pictures: Pictures) -> None:
    """Puts batch norms with the statistics of a batch of samples behind these convolutions."""
    loader = iter(Batches(rows, pictures, 32, args.size, args.seed + 1000, args.mosaic, None))
    net.eval()
    insert_norm(convs, lambda: net(next(loader)["pixels"].float()))


def optimiser(net: Net, rate: float, stem: float) -> torch.optim.AdamW:
    """Head at `rate`, stem at `stem` and the rest at 0.3 of it; no decay on norms and biases."""
    groups = []
    for part, factor in ((net.stem, stem or 0.3), (net.middle, 0.3), (net.coarse, 0.3), (net.head, 1.0)):
        parameters = [p for p in part.parameters() if p.requires_grad]
        for decay, chosen in ((0.02, [p for p in parameters if p.ndim > 1]), (0.0, [p for p in parameters if p.ndim <= 1])):
            if chosen:
                groups.append({"params": chosen, "lr": rate * factor, "weight_decay": decay, "base": rate * factor})
    return torch.optim.AdamW(groups)


def schedule(done: float) -> float:
    """Factor on the learning rate for the part of the training done: short rise, cosine fall."""
    return min(1.0, done / 0.03 + 0.05) * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)))


@torch.no_grad()
def follow(average: Net, net: Net, step: int) -> None:
    """Exponential average of weights and running statistics."""
    keep = min(0.995, (1 + step) / (10 + step))
    for a, b in zip(average.state_dict().values(), net.state_dict().values()):
        if a.dtype.is_floating_point:
            a.mul_(keep).add_(b, alpha=1 - keep)
        else:
            a.copy_(b)


def forward(net: Net, batch: dict[str, Tensor], bfloat16: bool) -> Tensor:
    maps = [batch[k].float().contiguous(memory_format=torch.channels_last) for k in ("pixels", "fine", "middle") if k in batch]
    with torch.autocast(maps[0].device.type, torch.bfloat16, enabled=bfloat16):
        logits = net(*maps) if "pixels" in batch else net.from_stem(*maps)
    return logits.float()


def save(path: Path, net: Net, average: Net, args, step: int) -> None:
    state = {"net": net.state_dict(), "average": average.state_dict(), "step": step, "classes": list(CLASSES)}
    torch.save(state | {"seed": args.seed, "size": args.size}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def run(args) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rows = training_rows(args)
    pictures = Pictures(rows)
    print(f"{len(rows)} pictures", flush=True)
    net = start_net(args, rows, pictures)
    frozen = not any(p.requires_grad for p in net.stem.parameters())
    part = build_frozen(net, args.freeze_middle).SerializeToString() if frozen and args.device == "cpu" else None
    batches = Batches(rows, pictures, args.batch, args.size, args.seed, args.mosaic, part)
    loader = iter(DataLoader(batches, batch_size=None, num_workers=args.workers, prefetch_factor=2 if args.workers else None))
    net = net.to(args.device, memory_format=torch.channels_last).train()
    net.middle.train(not args.freeze_middle)
    average = copy.deepcopy(net).eval()
    optim = optimiser(net, args.rate, args.stem_rate)
    args.out.mkdir(parents=True, exist_ok=True)
    begun, mean = time.monotonic(), 0.0
    for step in range(args.steps):
        done = max(step / args.steps, (time.monotonic() - begun) / 60 / args.minutes)
        if done >= 1:
            break
        for group in optim.param_groups:
            group["lr"] = group["base"] * schedule(done)
        batch = {k: v.to(args.device, non_blocking=True) for k, v in next(loader).items()}
        loss = total_loss(forward(net, batch, args.bfloat16), batch)
        optim.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optim.step()
        follow(average, net, step)
        mean += (loss.item() - mean) * max(0.01, 1 / (step + 1))
        if step % 50 == 49:
            print(f"step {step + 1} loss {mean:.4f} {time.monotonic() - begun:.0f} s", flush=True)
        if step % 100 == 99:
            save(args.out / "last.pt", net, average, args, step + 1)
    save(args.out / "last.pt", net, average, args, step + 1)


if __name__ == "__main__":
    run(arguments())
