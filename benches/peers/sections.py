"""What is measured: each function is a section of the table, which can be run by itself."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import serving
from sides import HERE, MODEL, QUIET, WORK, Sides, on, run
from table import Section

OFF = "--no-coarse-to-fine"
LOOPS = {"pillow": "Pillow loop, defaults", "opencv": "OpenCV, pool, defaults", "tuned": "best-tuned Python"}


class OutOfTime(Exception):
    """A section took longer than it may; raised wherever it is then."""


class Clock:
    """The time that a section may take."""

    def __init__(self, limit_s: float):
        self.ends, self.left_out = time.monotonic() + limit_s, 0

    def pairs(self, rounds: int, *sides) -> list[list]:
        """Each side once a round, in turns: what each of them gave. Rounds for which there is no time are left out, but not the first."""
        given, longest = [], 0.0
        for number in range(rounds):
            began = time.monotonic()
            try:
                if began + longest > self.ends:
                    raise OutOfTime
                given.append([side() for side in sides])
            except OutOfTime:
                if not given:
                    raise
                self.left_out += rounds - number
                break
            longest = max(longest, time.monotonic() - began)
        return [list(one) for one in zip(*given)]


def each(runs: list[dict], *keys: str) -> list[float]:
    for key in keys:
        runs = [one[key] for one in runs]
    return runs


def peaks(runs: list[dict]) -> list[float]:
    return [one["peak_memory"] / 1e6 for one in runs]


def offline(sides: Sides, *flags: str, **where):
    return lambda: sides.ours("offline", *flags, **where)["offline"]


def whole(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    bars = {"pillow": ("≥ 5×", ""), "opencv": ("≥ 3×", ""), "tuned": ("≥ 1.05×", "≥ 2×")}
    for name, called in LOOPS.items():
        table.note(f"{called}: {sides.classes(name)}.")
    peers = [lambda name=name: sides.peer(name) for name in LOOPS]
    off, on_, *theirs = clock.pairs(rounds, offline(sides, OFF), offline(sides), *peers)
    for (name, called), other in zip(LOOPS.items(), theirs):
        for ours, mode, bar in zip((off, on_), ("off", "on"), bars[name]):
            table.more(f"Offline, photos/s, {called}; coarse to fine {mode}", bar, each(ours, "photos_per_s"), each(other, "photos_per_s"))
        table.less(f"CPU ms a photo, {called}; coarse to fine off", "", each(off, "cpu_ms_per_photo"), each(other, "cpu_ms"))
    for (name, called), other in zip(LOOPS.items(), theirs):
        table.less(f"Peak memory, MB, {called}", "≤ 400 MB", peaks(off), each(other, "peak_mb"))
    ours, other = clock.pairs(min(3, rounds), offline(sides, OFF, precision="fp32"), lambda: sides.peer("tuned", precision="fp32"))
    what = "Offline, photos/s, best-tuned Python, fp32 on both sides; coarse to fine off"
    table.more(what, "", each(ours, "photos_per_s"), each(other, "photos_per_s"))
    (shares,) = clock.pairs(min(3, rounds), lambda: sides.ours("ceiling,single"))
    table.add("Share of the combined ceiling, CPU time", "≥ 0.97", each(shares, "ceiling", "share"))
    single = shares[-1]["single_stream"]
    stages = ", ".join(f"{stage} {share:.0%}" for stage, share in single["stages"])
    table.note(f"Ours, one photo after the other, by stage: {stages}; {single['ended_early']:.0%} ended after the first look.")


SPIN = "import time\nends, turns = time.perf_counter() + 2, 0\nwhile time.perf_counter() < ends:\n    turns += sum(range(1000)) > 0\nprint(turns)"


def spin(cores: list[int]) -> float:
    """Turns of a loop that asks nothing of memory, on all of `cores` at once."""
    start = lambda core: subprocess.Popen(on(str(core), [sys.executable, "-c", SPIN]), stdout=subprocess.PIPE, text=True)
    return sum(int(one.communicate()[0]) for one in [start(core) for core in cores])


def scaling(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    """From one core to two, beside what decoding, inference and a mere loop gain, so that it can be told whose the rest is."""
    if len(cores := sorted(os.sched_getaffinity(0))) < 2:
        raise RuntimeError("there is but one core")
    first, second = cores[:2]
    one, two = str(first), f"{first},{second}"
    # At the end of a run one core waits for the other's last photo: in short runs that counts as much as what is asked for.
    seconds = max(10.0, sides.seconds)
    # The ceiling is measured with every core that there is, as the whole way is.
    ours = lambda cores: lambda: sides.ours("offline,ceiling", OFF, seconds=seconds, cores=cores)
    peer = lambda cores: lambda: sides.peer("tuned", seconds=seconds, cores=cores)
    a, b, p, q, x, y = clock.pairs(rounds, ours(one), ours(two), peer(one), peer(two), lambda: spin([first]), lambda: spin([first, second]))

    def gain(what: str, bar: str, alone: list[float], both: list[float]) -> float:
        ratio = [n / m for n, m in zip(both, alone)]
        table.add(f"1 → 2 cores, {what}; on the right with one", bar, both, alone, ratio)
        return statistics.median(ratio)

    own = gain("photos/s", "≥ 1.85×", each(a, "offline", "photos_per_s"), each(b, "offline", "photos_per_s"))
    gain("best-tuned Python, photos/s", "", each(p, "photos_per_s"), each(q, "photos_per_s"))
    bare = lambda runs, cores, *keys: [1000 * cores / sum(one["ceiling"][key] for key in keys) for one in runs]
    parts = {"decoding": ["decode_ms"], "inference": ["infer_ms"], "decoding and inference": ["decode_ms", "infer_ms"]}
    gains = [gain(f"bare {what}, photos/s", "", bare(a, 1, *keys), bare(b, 2, *keys)) for what, keys in parts.items()]
    gain("a loop without memory, turns", "", x, y)
    cpu = [statistics.median(each(runs, "offline", "cpu_ms_per_photo")) for runs in (a, b)]
    busy = [statistics.median(each(runs, "offline", "cores_busy")) for runs in (a, b)]
    table.note(
        f"1 → 2 cores: of the {2 - own:.2f} that ours lacks to 2×, bare decoding and inference lack {2 - gains[-1]:.2f}, which is the machine's. "
        f"Ours takes {cpu[0]:.0f} CPU ms a photo on one core and {cpu[1]:.0f} on two, of which {busy[0]:.2f} and {busy[1]:.2f} are busy. {topology()}"
    )


def topology() -> str:
    told = dict(line.split(":", 1) for line in run(["lscpu"], os.environ | {"LC_ALL": "C"}).splitlines() if ":" in line)
    wanted = ("Thread(s) per core", "Core(s) per socket", "Hypervisor vendor", "L2 cache", "L3 cache")
    return "lscpu: " + ", ".join(f"{key} {told[key].strip()}" for key in wanted if key in told) + "."


def thorough(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    few = {"photos": sides.few}
    table.note(f"SAHI: {sides.classes('sahi', '--mode', 'thorough', **few)}.")
    ours = lambda *flags: offline(sides, "--mode", "thorough", *flags, **few)
    off, on_, sahi = clock.pairs(min(2, rounds), ours(OFF), ours(), lambda: sides.peer("sahi", seconds=0.1, **few))
    seconds = lambda runs, key: [one[key] / 1000 for one in runs]
    for runs, mode, bar in ((off, "off", "≥ 4×"), (on_, "on", "≥ 10×")):
        table.less(f"Thorough, CPU s a photo, SAHI; coarse to fine {mode}", bar, seconds(runs, "cpu_ms_per_photo"), seconds(sahi, "cpu_ms"))
    table.less("Thorough, peak memory, MB, SAHI", "", peaks(off), each(sahi, "peak_mb"))


def overlap(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def met(some: dict[str, list], others: dict[str, list]) -> tuple[int, int, float]:
    """How many of `some` boxes have one of `others`' of their class at their place, of how many, and how far those scores are apart.

    A box on the bars beside a photo has no part of it: one side leaves it out, the other has it without an area.
    """
    boxes = [(name, box) for name, found in some.items() for box in found if overlap(box[2:], box[2:])]
    apart = []
    for name, (kind, score, *corners) in boxes:
        there = [abs(other[1] - score) for other in others[name] if other[0] == kind and overlap(corners, other[2:]) >= 0.5]
        apart += [min(there)] if there else []
    return len(apart), len(boxes), max(apart, default=0.0)


def same_boxes(sides: Sides, model: Path, photos: Path, noise: bool = False) -> str:
    """How far the boxes of both sides agree, or those of the peer with its own on photos with noise of one grey level."""
    answers = lambda *flags: sides.peer("ultralytics", "--answers", *flags, model=model, photos=photos, seconds=0)["answers"]
    theirs = {name: answer["boxes"] for name, answer in answers().items()}
    if noise:
        again = {name: answer["boxes"] for name, answer in answers("--noise").items()}
        here, of, _ = met(theirs, again)
        return f"{here} of its {of} boxes are there again"
    classes = json.loads((model / "classes.json").read_text())
    rows = sides.found(model=model, precision="fp32", photos=photos)
    ours = {name: [[classes.index(f["class"]), f["score"], *f["box"]] for f in row["findings"]] for name, row in rows.items()}
    (here, of, apart), (back, own, _) = met(theirs, ours), met(ours, theirs)
    return f"{here} of its {of} boxes are among ours, {back} of our {own} among its, scores within {apart:.3f}"


def yolo(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    model, small = WORK / "yolo", WORK / "small"
    if not (model / "classes.json").exists():
        run([sides.python, HERE / "yolo.py", "model", model, sides.photos], os.environ | QUIET)
    run([sides.python, HERE / "yolo.py", "small", sides.photos, small], os.environ)
    # Random weights make much of little: only where both are given the same pixels must all boxes be the same.
    table.note(f"Ultralytics, the very same pixels (PNG, 640 across, which nobody resizes): {same_boxes(sides, model, small / 'png')}.")
    table.note(f"Ultralytics with itself, those pixels with noise of one grey level: {same_boxes(sides, model, small / 'png', noise=True)}.")
    table.note(f"Ultralytics, the same photos as JPEG, which two libraries decode: {same_boxes(sides, model, small / 'jpg')}.")
    table.note(f"Ultralytics, 12 MP, which it makes smaller without a filter: {same_boxes(sides, model, sides.photos)}; "
               f"with itself and noise of one grey level: {same_boxes(sides, model, sides.photos, noise=True)}.")
    own = {"model": model, "precision": "fp32"}
    single, many, theirs = clock.pairs(min(3, rounds), lambda: sides.ours("single", **own)["single_stream"], offline(sides, **own),
                                       lambda: sides.peer("ultralytics", "--single", **own))
    table.less("SingleStream p90, ms, Ultralytics, YOLOv8n 640 fp32", "≥ 2.5×", each(single, "latencies", "p90", "ms"), each(theirs, "p90_ms"))
    table.less("CPU ms a photo, Ultralytics, YOLOv8n 640 fp32", "", each(many, "cpu_ms_per_photo"), each(theirs, "cpu_ms"))
    table.less("Peak memory, MB, Ultralytics, YOLOv8n 640 fp32", "", peaks(many), each(theirs, "peak_mb"))


FIGURES = [
    ("p99 of the acknowledgement while every core looks, ms", "busy_ack_p99_ms", "≤ 50 ms", "less"),
    ("p99 of the acknowledgement of 48 at once, ms", "ack_p99_ms", "", "less"),
    ("a burst of 48 through, photos/s", "photos_per_s", "", "more"),
    ("Server: highest rate with p99 through in 1 s, photos/s", "server_photos_per_s", "", "more"),
    ("CPU ms a photo", "cpu_ms", "", "less"),
    ("peak memory, MB", "peak_mb", "≤ 400 MB", "less"),
]


def services(sides: Sides) -> dict:
    """How each is started; started means that it answers as ready."""
    return {
        "ours": lambda: serving.Ours(sides.punchlens, MODEL, sides.photos, sides.env()),
        "FastAPI": lambda: serving.Python("fastapi", sides.python, MODEL, sides.photos),
        "LitServe": lambda: serving.Python("litserve", sides.python, MODEL, sides.photos),
    }


def service(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    def measure(begin) -> dict:
        running = begin()
        try:
            return serving.measure(running, burst=48, seconds=max(4.0, 1.5 * sides.seconds), bound_ms=1000, trials=4)
        finally:
            running.stop()

    start = services(sides)
    ours, *theirs = clock.pairs(min(3, rounds), *(lambda begin=begin: measure(begin) for begin in start.values()))
    for name, other in zip(list(start)[1:], theirs):
        for what, key, bar, better in FIGURES:
            getattr(table, better)(f"{name}: {what}", bar, each(ours, key), each(other, key))
    table.note("FastAPI and LitServe run the best-tuned loop, one worker a core. LitServe's answer is the result, so its acknowledgement waits for it; `serve` also keeps queue, evidence and pictures on disk, and looks from coarse to fine.")


def ready_ms(begin) -> float:
    """From the start of its process to its first answer that it is ready."""
    running = begin()
    running.stop()
    return running.cold_ms


def cold(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    start = services(sides)
    # The first start of each, which reads from disk, does not count.
    ours, *theirs = [one[1:] for one in clock.pairs(1 + rounds, *(lambda begin=begin: ready_ms(begin) for begin in start.values()))]
    for name, other in zip(list(start)[1:], theirs):
        table.less(f"Cold start to ready, warm disk, ms, {name}", "≤ 1 s", ours, other)

    def timed(command: list, env: dict, allowed=(0,)) -> float:
        started = time.perf_counter()
        run(command, env, allowed)
        return (time.perf_counter() - started) * 1000

    scan = lambda *mode: lambda: timed([sides.punchlens, "scan", sides.one, "--json", *mode], sides.env(), (0, 1))
    loop = lambda name, model=MODEL, precision="int8": lambda: timed(
        [sides.python, HERE / "loops.py", name, "--model", model, "--photos", sides.one, "--precision", precision], os.environ | QUIET)
    first = "Cold start to the first photo's findings, ms"
    for name, called, mode in (("pillow", "Pillow loop", ()), ("tuned", "best-tuned Python", ()), ("sahi", "SAHI, thorough", ("--mode", "thorough"))):
        ours, other = clock.pairs(min(2 if mode else 3, rounds), scan(*mode), loop(name))
        table.less(f"{first}, {called}", "", ours, other)


def size(path: Path) -> float:
    return path.stat().st_size / 1e6


PACKAGES = {
    "Pillow loop": ["pillow", "onnxruntime", "numpy"],
    "OpenCV": ["opencv-python-headless", "onnxruntime", "numpy"],
    "FastAPI": ["fastapi", "uvicorn", "opencv-python-headless", "pillow", "onnxruntime"],
    "LitServe": ["litserve", "opencv-python-headless", "pillow", "onnxruntime"],
    "SAHI": ["sahi", "onnxruntime"],
    "Ultralytics": ["ultralytics", "onnxruntime"],
}
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


def disk(sides: Sides, table: Section, rounds: int, clock: Clock) -> None:
    # The executable holds the default model.
    own = size(Path(sides.punchlens)) + size(Path(sides.library).resolve())
    closures = json.loads(run([sides.python, "-c", CLOSURE, json.dumps(PACKAGES)], os.environ))
    for name, packages in closures.items():
        missing = [package for package, length in packages.items() if length is None]
        # torch as PyPI has it brings them; who looks for it finds one without.
        cuda = [package for package in packages if package.startswith(("nvidia-", "cuda-", "triton"))]
        counted = sum(length or 0 for package, length in packages.items() if package not in cuda)
        theirs = counted / 1e6 + size(MODEL / "model.int8.onnx")
        without = ([f"{len(missing)} that are not installed here"] if missing else []) + (["CUDA's libraries"] if cuda else [])
        note = f" (without {' and '.join(without)})" if without else ""
        table.less(f"On disk, MB, model included, Python itself not, {name}{note}", "≤ 70 MB", [own], [theirs])


SECTIONS = {"whole": whole, "scaling": scaling, "thorough": thorough, "yolo": yolo, "service": service, "cold": cold, "disk": disk}
