"""Reads a manifest of labelled pictures (JSON lines; the form is described in README.md)."""

import json
import tomllib
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from .classes import CLASSES, canonical


@dataclass(frozen=True)
class Rule:
    """What is known about a source beyond its rows (sources.toml)."""

    share: float = 0.05  # share of the draws in training
    annotates: frozenset = frozenset(CLASSES)  # classes that are marked wherever they occur
    absent: frozenset = frozenset()  # classes that never occur
    loose: bool = False  # boxes hold the defect but do not bound it tightly
    cracks: float = 0.0  # part of its clean pictures on which cracks are drawn in training


@dataclass
class Row:
    """One picture. Masks and boxes are in pixels of the picture as stored."""

    image: Path
    source: str
    tier: str
    split: str
    group: str
    width: int
    height: int
    labels: frozenset | None = None  # classes seen somewhere in the picture, place unknown
    boxes: list = field(default_factory=list)  # (class, x, y, w, h)
    masks: dict = field(default_factory=dict)  # class -> path of an 8-bit picture, above 127 = defect
    stratum: str = ""
    rule: Rule = Rule()

    def present(self) -> frozenset:
        """Classes that the picture shows."""
        return (self.labels or frozenset()) | {b[0] for b in self.boxes} | set(self.masks)

    def known(self, name: str) -> bool:
        """Whether the row says if the class is present or not."""
        return name in self.present() or name in self.rule.annotates or name in self.rule.absent

    def truth(self, name: str) -> int | None:
        """1 present, 0 absent, None unknown."""
        return int(name in self.present()) if self.known(name) else None


def read_rules(path: Path | None = None) -> dict[str, Rule]:
    """Rules per source from a TOML file (default: the one beside this module)."""
    table = tomllib.loads((path or Path(__file__).with_name("sources.toml")).read_text())
    return {
        name: Rule(
            share=entry.get("share", Rule.share),
            annotates=frozenset(entry.get("annotates", CLASSES)),
            absent=frozenset(entry.get("absent", ())),
            loose=entry.get("loose", False),
            cracks=entry.get("cracks", Rule.cracks),
        )
        for name, entry in table.items()
    }


def _row(folder: Path, entry: dict, rules: dict[str, Rule]) -> Row:
    boxes = [
        (canonical(b["class"]), b["x"], b["y"], b["w"], b["h"])
        for b in entry.get("boxes", ())
        if canonical(b["class"]) in CLASSES
    ]
    labels = entry.get("labels")
    if labels is not None:
        labels = frozenset(c for c in map(canonical, labels) if c in CLASSES)
    masks = {canonical(c): folder / p for c, p in entry.get("masks", {}).items() if canonical(c) in CLASSES}
    native = entry.get("native") or ",".join(sorted(labels or {b[0] for b in boxes} or masks))
    return Row(
        image=folder / entry["image"],
        source=entry["source"],
        tier=entry["licence_tier"],
        split=entry["split"],
        group=f"{entry['source']}/{entry['group']}",
        width=entry["width"],
        height=entry["height"],
        labels=labels if not masks else None,
        boxes=[] if masks else boxes,
        masks=masks,
        stratum=native,
        rule=rules.get(entry["source"], Rule()),
    )


def read_manifest(folder: Path, tiers: set[str] | None = None, rules: dict[str, Rule] | None = None) -> list[Row]:
    """Rows of `folder`/manifest.jsonl whose licence tier is in `tiers` (None: all)."""
    rules = read_rules() if rules is None else rules
    with open(folder / "manifest.jsonl") as lines:
        rows = [_row(folder, json.loads(line), rules) for line in lines if line.strip()]
    return _hold_out([row for row in rows if tiers is None or row.tier in tiers])


def _hold_out(rows: list[Row]) -> list[Row]:
    """Sources without a val part give every fifth group of train to it (by a checksum of its name)."""
    complete = {row.source for row in rows if row.split == "val"}

    def moved(row: Row) -> Row:
        if row.source in complete or row.split != "train" or zlib.crc32(row.group.encode()) % 5:
            return row
        return replace(row, split="val")

    return [moved(row) for row in rows]
