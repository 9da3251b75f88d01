"""Averages the weights of two checkpoints of one training, the later going on from the earlier.

    python -m training.average --first A.pt --second B.pt --share 0.6 --out C.pt

Keeps what a later stage on other pictures would lose; `--share` is the second's. Both must have kept the same frozen parts.
"""

import argparse
from pathlib import Path

import torch


def average(first: dict, second: dict, share: float) -> dict:
    """A checkpoint like `first` whose averaged weights are mixed with those of `second`."""
    mixed = {
        name: value * (1 - share) + second["average"][name] * share if value.dtype.is_floating_point else value
        for name, value in first["average"].items()
    }
    return first | {"average": mixed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("first", "second", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5)
    args = parser.parse_args()
    first, second = (torch.load(p, weights_only=True) for p in (args.first, args.second))
    torch.save(average(first, second, args.share), args.out)


if __name__ == "__main__":
    main()
