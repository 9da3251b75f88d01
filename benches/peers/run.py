"""Punchlens beside its peers: the same ONNX file, the same photos, the same input size, in turns on one machine.

    python3 benches/peers/run.py [--rounds 5] [--seconds 3] [--only whole,thorough,yolo,service,cost] [--write]

Makes an environment of its own below target/peers (6 GB, since SAHI and Ultralytics ask for torch; --python NAME takes one
that is there), paints ten 12 MP photos, eight of them without a defect, checks that both sides find the same, and measures
in turns. Prints a Markdown table, keeps target/peers/results.json, and with --write puts the table into README.md. Leave the
machine alone meanwhile: ratios of CPU time hold on a busy one, rates and latencies do not.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "peers"
MODEL = ROOT / "models" / "finish-defects"
MARKS = "<!-- peers -->", "<!-- /peers -->"
# Nothing is to be fetched while we measure.
QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(WORK)}


def environment(python: str | None) -> str:
    own = WORK / "venv" / "bin" / "python"
    if python is None and not own.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        install = [own, "-m", "pip", "install", "-q"]
        subprocess.run([*install, "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([*install, "--no-deps", "-r", HERE / "requirements-alone.txt"], check=True)
    return python or str(own)


def photos(punchlens: str) -> tuple[Path, Path]:
    """Ten photos, eight of them clean; and five of those, four of them clean, for what takes long."""
    all_, few = WORK / "photos", WORK / "few"
    if not few.exists():
        painted = WORK / "painted"
        size = ["--count", "24", "--seed", "6", "--size", "4032x3024", "--labels"]
        subprocess.run([punchlens, "fixtures", "--out", painted, *size], check=True, capture_output=True)
        rows = [json.loads(line) for line in (painted / "manifest.jsonl").read_text().splitlines()]
        clean, defects = ([r["image"] for r in rows if bool(r["labels"]) == wanted] for wanted in (False, True))
        for folder, chosen in ((all_, clean[:8] + defects[:2]), (few, clean[:4] + defects[:1])):
            folder.mkdir(exist_ok=True)
            for image in chosen:
                shutil.copy(painted / image, folder)
    return all_, few


class Sides:
    """Ours and theirs, each run in a process of its own."""

    def __init__(self, args):
        self.punchlens, self.seconds = str(Path(args.punchlens).resolve()), args.seconds
        self.python = environment(args.python)
        self.photos, self.few = photos(self.punchlens)

    def env(self, model: Path, precision: str) -> dict:
        return {**os.environ, "PUNCHLENS_INFERENCE__MODEL": str(model), "PUNCHLENS_INFERENCE__PRECISION": precision}

    def ours(self, scenario: str, *flags: str, model=MODEL, precision="int8", photos=None, cores=None) -> dict:
        command = [self.punchlens, "bench", photos or self.photos, "--scenarios", scenario, "--warm-up", "3", "--json", "-"]
        command = (["taskset", "-c", cores] if cores else []) + command + ["--seconds", str(self.seconds), *flags]
        return json.loads(run(command, self.env(model, precision)))

    def found(self, *flags: str, model=MODEL, precision="int8", photos=None) -> dict[str, dict]:
        env = self.env(model, precision) | {"PUNCHLENS_INFERENCE__COARSE_TO_FINE": "false"}
        lines = run([self.punchlens, "scan", photos or self.photos, "--json", *flags], env, allowed=(0, 1))
        return {Path(row["file"]).name: row for row in map(json.loads, lines.splitlines())}

    def peer(self, name: str, *flags: str, model=MODEL, precision="int8", photos=None, seconds=None) -> dict:
        seconds = self.seconds if seconds is None else seconds
        command = [self.python, HERE / "loops.py", name, "--model", model, "--photos", photos or self.photos]
        command += ["--seconds", str(seconds), "--precision", precision, *flags]
        return json.loads(run(command, os.environ | QUIET).splitlines()[-1])

    def classes(self, name: str, *flags: str, **where) -> str:
        """How far both sides report the same classes, and how far apart their scores are."""
        ours, theirs = self.found(*flags, **where), self.peer(name, "--answers", seconds=0, **where)["answers"]
        same = sum(sorted({f["class"] for f in ours[p]["findings"]}) == a["found"] for p, a in theirs.items())
        apart = [abs(ours[p]["class_scores"][c] - s) for p, a in theirs.items() for c, s in a.get("scores", {}).items()]
        return f"same classes in {same} of {len(theirs)} photos" + (f", scores within {max(apart):.3f}" if apart else "")


def run(command: list, env: dict, allowed: tuple = (0,)) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env)
    if done.returncode not in allowed:
        raise RuntimeError((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])
    return done.stdout


class Table:
    """Rows of a comparison; a ratio is how many times ours is better."""

    def __init__(self):
        self.rows, self.notes = [], []

    def add(self, what: str, bar: str, ratio: list[float] | None, ours: float | str, theirs: float | str = "") -> None:
        told = lambda value: value if isinstance(value, str) else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        spread = f"**{statistics.median(ratio):.2f}×** ({min(ratio):.2f} to {max(ratio):.2f})" if ratio else ""
        self.rows.append({"what": what, "bar": bar, "ratio": ratio, "ours": told(ours), "theirs": told(theirs), "text": spread})
        print(f"  {what}: {spread} ours {told(ours)}, theirs {told(theirs)}", file=sys.stderr, flush=True)

    def markdown(self) -> str:
        lines = ["| what | bar | ratio, median (least to most) | ours | theirs |", "| --- | --- | --- | --- | --- |"]
        lines += [f"| {r['what']} | {r['bar']} | {r['text']} | {r['ours']} | {r['theirs']} |" for r in self.rows]
        return "\n".join(lines + [""] + [f"- {note}" for note in self.notes])


def median(values) -> float:
    return statistics.median(list(values))


def pairs(rounds: int, *sides) -> list[tuple]:
    """Each side once a round, in turns."""
    return [tuple(side() for side in sides) for _ in range(rounds)]


def whole(sides: Sides, table: Table, rounds: int) -> None:
    bars = {"pillow": ("≥ 5×", ""), "opencv": ("≥ 3×", ""), "tuned": ("≥ 1.05×", "≥ 2×")}
    names = {"pillow": "Pillow loop, defaults", "opencv": "OpenCV, pool, defaults", "tuned": "best-tuned Python"}
    for name in names:
        table.notes.append(f"{names[name]}: {sides.classes(name)}.")
    offline = lambda *flags, **where: lambda: sides.ours("offline", *flags, **where)["offline"]
    runs = pairs(rounds, offline("--no-coarse-to-fine"), offline(), *(lambda n=n: sides.peer(n) for n in names))
    rate = lambda got: got["photos_per_s"]
    for at, name in enumerate(names, start=2):
        for side, (mode, bar) in enumerate(zip(("off", "on"), bars[name])):
            ratio = [rate(one[side]) / rate(one[at]) for one in runs]
            mine, theirs = (median(rate(one[k]) for one in runs) for k in (side, at))
            table.add(f"Offline, photos/s, {names[name]}; coarse to fine {mode}", bar, ratio, mine, theirs)
        cpu = [(one[0]["cpu_ms_per_photo"], one[at]["cpu_ms"]) for one in runs]
        ratio = [theirs / mine for mine, theirs in cpu]
        table.add(f"CPU ms a photo, {names[name]}; coarse to fine off", "", ratio, median(c[0] for c in cpu), median(c[1] for c in cpu))
    fp32 = pairs(min(3, rounds), offline("--no-coarse-to-fine", precision="fp32"), lambda: sides.peer("tuned", precision="fp32"))
    table.add("Offline, photos/s, best-tuned Python, fp32 on both sides; coarse to fine off", "", [rate(a) / rate(b) for a, b in fp32],
              median(rate(a) for a, _ in fp32), median(rate(b) for _, b in fp32))
    mb = lambda got: got["peak_memory"] / 1e6
    for at, name in enumerate(names, start=2):
        table.add(f"Peak memory, MB, {names[name]}", "≤ 400 MB", [one[at]["peak_mb"] / mb(one[0]) for one in runs],
                  max(mb(one[0]) for one in runs), max(one[at]["peak_mb"] for one in runs))
    shares = pairs(1, lambda: sides.ours("ceiling,single"))[0][0]
    table.add("Share of the combined ceiling, CPU time", "≥ 0.97", None, f"{shares['ceiling']['share']:.3f}")
    stages = ", ".join(f"{stage} {share:.0%}" for stage, share in shares["single_stream"]["stages"])
    table.notes.append(f"Ours, one photo after the other, by stage: {stages}; {shares['single_stream']['ended_early']:.0%} ended after the first look.")
    one, two = offline("--no-coarse-to-fine", cores="0"), offline("--no-coarse-to-fine", cores="0,1")
    scaling = pairs(min(3, rounds), one, two)
    table.add("1 → 2 cores, photos/s", "≥ 1.85×", [rate(b) / rate(a) for a, b in scaling], median(rate(b) for _, b in scaling), median(rate(a) for a, _ in scaling))


def thorough(sides: Sides, table: Table, rounds: int) -> None:
    few = {"photos": sides.few}
    table.notes.append(f"SAHI: {sides.classes('sahi', '--mode', 'thorough', **few)}.")
    ours = lambda *flags: lambda: sides.ours("offline", "--mode", "thorough", *flags, **few)["offline"]["cpu_ms_per_photo"] / 1000
    runs = pairs(min(2, rounds), ours("--no-coarse-to-fine"), ours(), lambda: sides.peer("sahi", seconds=0.1, **few)["cpu_ms"] / 1000)
    for at, (mode, bar) in enumerate((("off", "≥ 4×"), ("on", "≥ 10×"))):
        table.add(f"Thorough, CPU s a photo, SAHI; coarse to fine {mode}", bar, [one[2] / one[at] for one in runs],
                  median(one[at] for one in runs), median(one[2] for one in runs))


def overlap(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return shared / (area(a) + area(b) - shared)


def same_boxes(sides: Sides, **where) -> tuple[int, int]:
    """How many of the peer's boxes from 0.4 on lie on one of ours; near the threshold either may lack one."""
    ours, theirs = sides.found(**where), sides.peer("ultralytics", "--answers", seconds=0, **where)["answers"]
    boxes = {name: [f["box"] for f in row["findings"]] for name, row in ours.items()}
    sure = [(name, box[2:]) for name, answer in theirs.items() for box in answer["boxes"] if box[1] >= 0.4]
    return sum(any(overlap(box, own) >= 0.5 for own in boxes[name]) for name, box in sure), len(sure)


def yolo(sides: Sides, table: Table, rounds: int) -> None:
    folder = WORK / "yolo"
    if not (folder / "manifest.toml").exists():
        run([sides.python, HERE / "yolo.py", folder, sides.photos], os.environ | QUIET)
    own, small = {"model": folder, "precision": "fp32"}, WORK / "small"
    if not small.exists():
        run([sides.punchlens, "fixtures", "--out", small, "--count", "8", "--seed", "7", "--size", "640x480"], os.environ)
    for what, where in (("at 640 pixels, which nothing makes smaller", small / "images"), ("at 12 MP", sides.photos)):
        met, boxes = same_boxes(sides, photos=where, **own)
        table.notes.append(f"Ultralytics, random weights, photos {what}: {met} of its {boxes} boxes lie on one of ours.")
    runs = pairs(min(3, rounds), lambda: sides.ours("single", **own)["single_stream"]["latencies"]["p90"]["ms"],
                 lambda: sides.ours("offline", **own)["offline"]["cpu_ms_per_photo"], lambda: sides.peer("ultralytics", "--single", **own))
    table.add("SingleStream p90, ms, Ultralytics, YOLOv8n 640 fp32", "≥ 2.5×", [one[2]["p90_ms"] / one[0] for one in runs],
              median(one[0] for one in runs), median(one[2]["p90_ms"] for one in runs))
    table.add("CPU ms a photo, Ultralytics, YOLOv8n 640 fp32", "", [one[2]["cpu_ms"] / one[1] for one in runs],
              median(one[1] for one in runs), median(one[2]["cpu_ms"] for one in runs))


def service(sides: Sides, table: Table, rounds: int) -> None:
    import serving

    start = {
        "ours": lambda: serving.Ours(sides.punchlens, MODEL, sides.photos),
        "FastAPI": lambda: serving.Python("fastapi", sides.python, MODEL, sides.photos),
        "LitServe": lambda: serving.Python("litserve", sides.python, MODEL, sides.photos),
    }
    got = {}
    for name, begin in start.items():
        running = begin()
        try:
            got[name] = serving.measure(running, burst=48, seconds=max(4.0, 1.5 * sides.seconds), bound_ms=1000, trials=4)
        finally:
            running.stop()
    ours = got.pop("ours")
    figures = [
        ("p99 of the acknowledgement while every core looks, ms", "busy_ack_p99_ms", "≤ 50 ms", True),
        ("p99 of the acknowledgement of 48 at once, ms", "ack_p99_ms", "", True),
        ("a burst of 48 through, photos/s", "photos_per_s", "", False),
        ("Server: highest rate with p99 through in 1 s, photos/s", "server_photos_per_s", "", False),
        ("CPU ms a photo", "cpu_ms", "", True), ("peak memory, MB", "peak_mb", "", True), ("cold start to ready, ms", "cold_ms", "≤ 1 s", True),
    ]
    for name, theirs in got.items():
        for what, key, bar, less in figures:
            pair = (theirs[key], ours[key]) if less else (ours[key], theirs[key])
            table.add(f"{name}: {what}", bar, [pair[0] / pair[1]] if pair[1] else None, ours[key], theirs[key])
    table.notes.append("FastAPI and LitServe run the best-tuned loop, one worker a core. LitServe's answer is the result, so its acknowledgement waits for it; `serve` also keeps queue, evidence and pictures on disk, and looks from coarse to fine.")


def size(path: Path) -> float:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6 if path.is_dir() else path.stat().st_size / 1e6


PACKAGES = {"Pillow loop": ["pillow", "onnxruntime", "numpy"], "OpenCV": ["opencv-python-headless", "onnxruntime", "numpy"], "FastAPI": ["fastapi", "uvicorn", "opencv-python-headless", "pillow", "onnxruntime"], "LitServe": ["litserve", "opencv-python-headless", "pillow", "onnxruntime"], "SAHI": ["sahi", "onnxruntime"], "Ultralytics": ["ultralytics", "onnxruntime"]}
CLOSURE = """
import importlib.metadata as m, json, re, sys
from packaging.requirements import Requirement
def closure(names, seen):
    for name in names:
        key = re.sub(r"[-_.]+", "-", name).lower()
        try: found = m.distribution(name)
        except m.PackageNotFoundError: seen.setdefault(key, None); continue
        if seen.get(key) is not None: continue
        seen[key] = sum(f.size or 0 for f in found.files or [])
        wanted = map(Requirement, found.requires or [])
        closure([r.name for r in wanted if not r.marker or r.marker.evaluate({"extra": ""})], seen)
    return seen
print(json.dumps({k: closure(v, {}) for k, v in json.loads(sys.argv[1]).items()}))
"""


def cost(sides: Sides, table: Table, rounds: int) -> None:
    env = sides.env(MODEL, "int8")
    first = sorted(sides.photos.glob("*.jpg"))[0]
    one = WORK / "one"
    one.mkdir(exist_ok=True)
    shutil.copy(first, one)

    def timed(command: list, env: dict, allowed=(0,)) -> float:
        started = time.perf_counter()
        run(command, env, allowed)
        return (time.perf_counter() - started) * 1000

    loop = lambda name, model=MODEL: [sides.python, HERE / "loops.py", name, "--model", model, "--photos", one]
    names = {"pillow": "Pillow loop", "tuned": "best-tuned Python", "sahi": "SAHI, thorough"}
    mode = lambda name: ["--mode", "thorough"] if name == "sahi" else []
    for name, called in names.items():
        runs = pairs(1 if name == "sahi" else 3, lambda: timed([sides.punchlens, "scan", one, "--json", *mode(name)], env, (0, 1)), lambda: timed(loop(name), os.environ | QUIET))
        table.add(f"Cold start to the first photo's findings, ms, {called}", "", [b / a for a, b in runs], median(a for a, _ in runs), median(b for _, b in runs))
    shown = run([sides.punchlens, "runtime", "show"], env)
    library = next(Path(word) for word in shown.replace("(", " ").replace(")", " ").split() if "libonnxruntime" in word)
    own = size(Path(sides.punchlens)) + size(library.resolve())
    closures = json.loads(run([sides.python, "-c", CLOSURE, json.dumps(PACKAGES)], os.environ))
    for name, packages in closures.items():
        missing = [package for package, bytes_ in packages.items() if bytes_ is None]
        theirs = sum(bytes_ or 0 for bytes_ in packages.values()) / 1e6 + size(MODEL / "model.int8.onnx")
        note = f" (without {len(missing)} that are not installed here)" if missing else ""
        table.add(f"On disk, MB, model included, Python itself not, {name}{note}", "≤ 70 MB", [theirs / own], own, theirs)


SECTIONS = {"whole": whole, "thorough": thorough, "yolo": yolo, "service": service, "cost": cost}


def about(sides: Sides) -> str:
    model = next((l.split(": ")[1] for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name")), platform.processor())
    versions = "import importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in ('onnxruntime','numpy','pillow','opencv-python-headless','sahi','ultralytics','fastapi','litserve')))"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return (f"{os.cpu_count()} cores of {model}, load {os.getloadavg()[0]:.1f} at the start; {run([sides.punchlens, '--version'], os.environ).strip()} ({commit}), "
            f"Python {run([sides.python, '-c', 'import platform; print(platform.python_version())'], os.environ).strip()}, {run([sides.python, '-c', versions], os.environ).strip()}; "
            f"finish-defects int8, ten photos of 12 MP, eight of them clean.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--punchlens", default=str(ROOT / "target" / "release" / "punchlens"))
    parser.add_argument("--python", help="an environment that has what requirements.txt names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    sides, table = Sides(args), Table()
    machine = about(sides)
    for name in args.only.split(","):
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            SECTIONS[name](sides, table, args.rounds)
        except (RuntimeError, OSError) as error:
            table.notes.append(f"{name}: not measured to the end ({error}).")
    text = f"{machine}\n\n{table.markdown()}"
    print(text)
    (WORK / "results.json").write_text(json.dumps({"machine": machine, "rows": table.rows, "notes": table.notes}, indent=1) + "\n")
    if args.write:
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split(MARKS[0])
        readme.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.split(MARKS[1])[1]}")


if __name__ == "__main__":
    main()
