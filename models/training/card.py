"""Writes a model card: prose from a file, tables from the data and from evaluate's numbers.

    python -m training.card --prose cards/NAME.md --data FOLDER --tiers open,... \\
        --int8 int8.json --fp32 fp32.json --out MODEL/CARD.md

Lines `{{data}}`, `{{sources}}`, `{{boxes}}`, `{{reliability}}` and `{{precision}}` of the prose are replaced by tables.
"""

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

from .classes import EXPERIMENTAL
from .manifest import read_manifest


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def number(value: float) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def data_table(folders: list[Path], tiers: set[str]) -> str:
    """Pictures per source, tier and split, of the tiers trained on."""
    counts: dict = defaultdict(lambda: defaultdict(int))
    for row in (r for folder in folders for r in read_manifest(folder, tiers)):
        counts[row.source, row.tier][row.split] += 1
    rows = [[*key, c["train"], c["val"], c["test"]] for key, c in sorted(counts.items())]
    return table(["source", "licence tier", "train", "val", "kept out"], rows)


def source_table(numbers: dict) -> str:
    """AP, precision, recall, F1 and calibration error per source and class."""
    rows = []
    for source, s in numbers["sources"].items():
        clean = f"{s['clean_with_finding']} of {s['clean']}" if s["clean"] else "–"
        shown = [(c, v) for c, v in s["classes"].items() if v["positive"]] or [("–", None)]
        for name, v in shown:
            if v is None:
                rows.append([source, name, f"0 / {s['pictures']}", "–", "–", "–", "–", "–", clean])
                continue
            # Without pictures that lack the class, only recall says anything.
            mixed = v["positive"] < v["pictures"]
            values = [number(v[k]) if mixed or k == "recall" else "–" for k in ("ap", "precision", "recall", "f1", "ece")]
            rows.append([source, name, f"{v['positive']} / {v['pictures']}", *values, clean])
            clean = ""
    head = ["source", "class", "with it / pictures", "AP", "precision", "recall", "F1", "ECE", "clean photos with a finding"]
    return table(head, rows)


def box_table(numbers: dict) -> str:
    """Boxes hit, regions inside, cells against masks."""
    rows = []
    for source, s in numbers["sources"].items():
        for name in sorted({*s["boxes"], *s["cells"]}):
            b, c = s["boxes"].get(name), s["cells"].get(name)
            found = [f"{b['found']} of {b['boxes']}", f"{b['inside']} of {b['regions']}"] if b else ["–", "–"]
            cells = [number(c["right"] / max(c["flagged"], 1)), number(c["covered"] / max(c["positive"], 1))] if c else ["–", "–"]
            rows.append([source, name, *found, *cells])
    return table(["source", "class", "boxes found (IoU 0.3)", "regions in a box (70 %)", "cell precision", "cell recall"], rows)


def reliability_table(numbers: dict, source: str) -> str:
    """Scores of one source's pictures against what holds, classes together."""
    bins: dict = defaultdict(lambda: [0, 0.0, 0.0])
    for name, v in numbers["sources"][source]["classes"].items():
        if name in EXPERIMENTAL:
            continue
        for count, mean, holds in v["reliability"]:
            entry = bins[min(int(mean * 10), 9)]
            entry[0], entry[1], entry[2] = entry[0] + count, entry[1] + count * mean, entry[2] + count * holds
    rows = [[f"{b / 10:.1f} to {(b + 1) / 10:.1f}", n, number(s / n), number(t / n)] for b, (n, s, t) in sorted(bins.items())]
    return table(["score", "(picture, class) pairs", "mean score", "share that holds"], rows)


def means(numbers: dict, source: str) -> tuple[float, float]:
    """Mean AP and F1 over the classes of a source that are not experimental."""
    shown = [v for c, v in numbers["sources"][source]["classes"].items() if v["positive"] and c not in EXPERIMENTAL]
    return sum(v["ap"] for v in shown) / len(shown), sum(v["f1"] for v in shown) / len(shown)


def precision_table(int8: dict, fp32: dict, source: str) -> str:
    rows = []
    for name, numbers in (("fp32", fp32), ("int8", int8)):
        ap, f1 = means(numbers, source)
        rows.append([name, number(ap), number(f1), f"{numbers['seconds_1024x768'] * 1000:.0f} ms"])
    return table(["file", f"mean AP ({source} val)", "macro-F1", "1024x768, one thread"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("prose", "int8", "fp32", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--tiers", default="open,declared-open,unclear")
    parser.add_argument("--closeups", default="bd3", help="source for reliability and for int8 against fp32")
    args = parser.parse_args()
    int8, fp32 = (json.loads(p.read_text()) for p in (args.int8, args.fp32))
    tables = {
        "data": data_table(args.data, set(args.tiers.split(","))),
        "sources": source_table(int8),
        "boxes": box_table(int8),
        "reliability": reliability_table(int8, args.closeups),
        "precision": precision_table(int8, fp32, args.closeups),
    }
    text = args.prose.read_text()
    for name, rows in tables.items():
        text = text.replace("{{" + name + "}}", rows)
    args.out.write_text(text)


if __name__ == "__main__":
    main()
