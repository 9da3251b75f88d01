"""What was measured, kept section by section, and how it is told."""

import json
import statistics
import sys
from pathlib import Path

MARKS = "<!-- peers -->", "<!-- /peers -->"


def figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def told(values: list[float] | None, form=figure, unit: str = "") -> str:
    """The median, and the least and the most where there are several."""
    if not values:
        return ""
    middle, spread = form(statistics.median(values)) + unit, f" ({form(min(values))} to {form(max(values))})"
    return middle + (spread if len(values) > 1 else "")


def line(row: dict) -> list[str]:
    return [row["what"], row["bar"], told(row["ratio"], "{:.2f}".format, "×"), told(row["ours"]), told(row["theirs"])]


class Section:
    """The rows of one section; each figure is a list with one value a round."""

    def __init__(self, machine: str):
        self.kept = {"machine": machine, "rows": [], "notes": []}

    def add(self, what: str, bar: str, ours: list[float], theirs: list[float] | None = None, ratio: list[float] | None = None) -> None:
        """`ratio` is how many times ours is better, round by round."""
        row = {"what": what, "bar": bar, "ratio": ratio, "ours": ours, "theirs": theirs}
        self.kept["rows"].append(row)
        what, bar, better, mine, other = line(row)
        said = [f"{better} better" if better else "", f"ours {mine}" if mine else "", f"theirs {other}" if other else "", bar and f"bar {bar}"]
        print(f"  {what}: {', '.join(part for part in said if part)}", file=sys.stderr, flush=True)

    def more(self, what: str, bar: str, ours: list[float], theirs: list[float]) -> None:
        """More is better."""
        self.add(what, bar, ours, theirs, [a / b for a, b in zip(ours, theirs) if b])

    def less(self, what: str, bar: str, ours: list[float], theirs: list[float]) -> None:
        """Less is better."""
        self.add(what, bar, ours, theirs, [b / a for a, b in zip(ours, theirs) if a])

    def note(self, text: str) -> None:
        self.kept["notes"].append(text)
        print(f"  {text}", file=sys.stderr, flush=True)


class Results:
    """The newest run of every section, in a file, so that one can be run again without the others."""

    def __init__(self, path: Path, order: list[str]):
        self.path, self.order = path, order
        self.sections: dict[str, dict] = json.loads(path.read_text()) if path.exists() else {}

    def keep(self, name: str, section: Section) -> None:
        """In place of the run before, unless that has more than nothing and this has not."""
        if section.kept["rows"] or name not in self.sections:
            self.sections[name] = section.kept
        self.path.write_text(json.dumps(self.sections, indent=1) + "\n")

    def markdown(self) -> str:
        """One table of all sections, and below it what is to be known of them, and where they were not run alike."""
        there = [(name, self.sections[name]) for name in self.order if name in self.sections]
        machines = {section["machine"]: [n for n, s in there if s["machine"] == section["machine"]] for _, section in there}
        lines = [f"{' and '.join(names)}: {machine}." if len(machines) > 1 else f"{machine}." for machine, names in machines.items()]
        lines = ["\n\n".join(lines), "", "| what | bar | ours is better by | ours | theirs |", "| --- | --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(line(row))} |" for _, section in there for row in section["rows"]]
        notes = [note for _, section in there for note in section["notes"]]
        missing = [name for name in self.order if name not in self.sections]
        notes += [f"Not run: {', '.join(missing)}."] if missing else []
        return "\n".join(lines + [""] + [f"- {note}" for note in notes])


def write(readme: Path, text: str) -> None:
    """Puts `text` between the marks."""
    before, mark, rest = readme.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise SystemExit(f"{readme} has no {' … '.join(MARKS)}")
    readme.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")
