"""Writes a model card: prose from a file, tables from the data and from the numbers of `punchlens eval`.

    punchlens eval DATA/manifest.jsonl --model MODEL --precision int8 --out int8     # and the same with fp32
    python -m training.card --prose cards/NAME.md --data FOLDER --tiers open,... --model MODEL \\
        --int8 int8/eval.json --fp32 fp32/eval.json --out MODEL/CARD.md

--int8 and --fp32 may be given several times where the pictures lie in several folders. Experimental classes have boxes and
cells only where they are reported: --experimental takes the same reports made with `punchlens eval --experimental`, and
their numbers are taken from there.

Lines `{{data}}`, `{{pictures}}` (of the painted fixtures, for shipped models), `{{sources}}`, `{{boxes}}`, `{{reliability}}` and `{{precision}}` of the prose are replaced by tables.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from .evaluate import seconds
from .manifest import read_manifest
from .model import Model
from .pictures import draw


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def data_table(folders: list[Path], tiers: set[str]) -> str:
    """Pictures per source, tier and split, of the tiers trained on."""
    counts: dict = defaultdict(lambda: defaultdict(int))
    for row in (r for folder in folders for r in read_manifest(folder, tiers)):
        counts[row.source, row.tier][row.split] += 1
    rows = [[*key, c["train"], c["val"], c["test"]] for key, c in sorted(counts.items())]
    return table(["source", "licence tier", "train", "val", "kept out"], rows)


def read_numbers(files: list[Path]) -> dict:
    """Sources by name, from one or more eval.json of the same model file."""
    reports = [json.loads(file.read_text()) for file in files]
    if len({r["model"]["sha256"] for r in reports}) > 1:
        raise ValueError(f"{', '.join(map(str, files))} are of different model files")
    return {name: source for report in reports for name, source in report["sources"].items()}


def with_experimental(sources: dict, on: dict) -> dict:
    """`sources` with the numbers of experimental classes from a run that reported them."""
    known = {(name, c["class"]): c for name, s in on.items() for c in s["classes"] if c["experimental"]}
    return {
        name: {**s, "classes": [known.get((name, c["class"]), c) for c in s["classes"]]} for name, s in sources.items()
    }


def is_mixed(c: dict) -> bool:
    """Without pictures that lack the class, only recall says anything."""
    return 0 < c["positive"] < c["pictures"]


def source_table(sources: dict) -> str:
    """AP, precision, recall, F1 and calibration error per source and class."""
    rows = []
    for source, s in sorted(sources.items()):
        clean = f"{s['clean_with_finding']} of {s['clean']}" if s["clean"] else "–"
        shown = [c for c in s["classes"] if c["positive"]]
        if not shown:
            rows.append([source, "–", f"0 / {s['pictures']}", "–", "–", "–", "–", "–", clean])
        for c in shown:
            values = [number(c[k]) if is_mixed(c) or k == "recall" else "–" for k in ("ap", "precision", "recall", "f1", "ece")]
            rows.append([source, c["class"], f"{c['positive']} / {c['pictures']}", *values, clean])
            clean = ""
    head = ["source", "class", "with it / pictures", "AP", "precision", "recall", "F1", "ECE", "clean photos with a finding"]
    return table(head, rows)


def box_table(sources: dict) -> str:
    """Boxes hit, regions inside, cells against masks."""
    rows = []
    for source, s in sorted(sources.items()):
        for c in sorted(s["classes"], key=lambda c: c["class"]):
            boxes, cells = c["boxes"], c["cells"]
            if not boxes and not cells:
                continue
            found = [f"{boxes['found']} of {boxes['boxes']}", f"{boxes['inside']} of {boxes['regions']}"] if boxes else ["–", "–"]
            rates = [number(cells["precision"]), number(cells["recall"])] if cells else ["–", "–"]
            rows.append([source, c["class"], *found, *rates])
    return table(["source", "class", "boxes found (IoU 0.3)", "regions in a box (70 %)", "cell precision", "cell recall"], rows)


def reliability_table(sources: dict, source: str) -> str:
    """Scores of one source's pictures against what holds, reported classes together."""
    rows = [
        [f"{b['from']:.1f} to {b['to']:.1f}", b["count"], number(b["mean_score"]), number(b["share_that_holds"])]
        for b in sources[source]["reliability"]
    ]
    return table(["score", "(picture, class) pairs", "mean score", "share that holds"], rows)


def precision_table(numbers: dict, source: str, times: dict) -> str:
    """`numbers` and `times` (seconds for one 1024x768 picture) by precision."""
    rows = [
        [name, number(s[source]["mean_ap"]), number(s[source]["macro_f1"]), f"{times[name] * 1000:.0f} ms"]
        for name, s in numbers.items()
    ]
    return table(["file", f"mean AP ({source} val)", "macro-F1", "1024x768, one thread"], rows)


def picture_links(name: str) -> str:
    """Both sheets of painted fixtures, drawn anew."""
    words = {
        "found": "Fixtures where what is painted is found and nothing else (white: painted; coloured: found)",
        "failed": "Fixtures where something is missed or taken for something else",
    }
    sheets = {part: photos for part, photos in draw(name).items() if photos}
    return "\n\n".join(f"{words[part]}: {', '.join(p)}.\n\n![{words[part]}]({part}.jpg)" for part, p in sheets.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("prose", "model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("int8", "fp32", "data"):
        parser.add_argument(f"--{name}", type=Path, action="append", required=True)
    parser.add_argument("--experimental", type=Path, action="append", default=[])
    parser.add_argument("--tiers", default="open,declared-open,unclear")
    parser.add_argument("--closeups", default="bd3", help="source for reliability and for int8 against fp32")
    args = parser.parse_args()
    numbers = {"fp32": read_numbers(args.fp32), "int8": read_numbers(args.int8)}
    shown = with_experimental(numbers["int8"], read_numbers(args.experimental))
    times = {name: seconds(Model(args.model, name)) for name in numbers}
    tables = {
        "data": data_table(args.data, set(args.tiers.split(","))),
        "sources": source_table(shown),
        "boxes": box_table(shown),
        "reliability": reliability_table(numbers["int8"], args.closeups),
        "precision": precision_table(numbers, args.closeups, times),
    }
    text = args.prose.read_text()
    if "{{pictures}}" in text:
        tables["pictures"] = picture_links(Model(args.model).manifest["name"])
    for name, rows in tables.items():
        text = text.replace("{{" + name + "}}", rows)
    args.out.write_text(text)


if __name__ == "__main__":
    main()
