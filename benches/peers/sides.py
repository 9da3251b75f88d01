"""Ours and theirs, each run in a process of its own, and what they run on."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "peers"
MODEL = ROOT / "models" / "finish-defects"
REQUIREMENTS = HERE / "requirements.txt", HERE / "requirements-alone.txt"
# Nothing is to be fetched while we measure.
QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(WORK)}


def run(command: list, env: dict, allowed: tuple = (0,)) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env)
    if done.returncode not in allowed:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise RuntimeError(f"{Path(str(command[0])).name}: {said}")
    return done.stdout


def environment(python: str | None) -> str:
    """`python`, or the interpreter of an environment of our own, made anew when what it must hold has changed."""
    if python is not None:
        return python
    own, whole = WORK / "venv" / "bin" / "python", WORK / "venv" / "whole"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in REQUIREMENTS)).hexdigest()
    if not whole.exists() or whole.read_text() != wanted:
        print("making the environment of the peers (6 GB) …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", WORK / "venv"], check=True)
        install = [own, "-m", "pip", "install", "-q"]
        subprocess.run([*install, "-r", REQUIREMENTS[0]], check=True)
        subprocess.run([*install, "--no-deps", "-r", REQUIREMENTS[1]], check=True)
        whole.write_text(wanted)
    return str(own)


def painted(punchlens: str, folder: Path, *flags: str) -> Path:
    """A folder of painted photos, made whole or not at all."""
    if not folder.exists():
        making = folder.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        run([punchlens, "fixtures", "--out", making, *flags], os.environ)
        making.rename(folder)
    return folder


def photos(punchlens: str) -> tuple[Path, Path, Path]:
    """Ten photos, eight of them clean; of those five, four of them clean, for what takes long; and one."""
    size = ["--count", "24", "--seed", "6", "--size", "4032x3024", "--labels"]
    source = painted(punchlens, WORK / "painted", *size)
    rows = [json.loads(line) for line in (source / "manifest.jsonl").read_text().splitlines()]
    clean, defects = ([r["image"] for r in rows if bool(r["labels"]) == wanted] for wanted in (False, True))
    folders = WORK / "photos", WORK / "few", WORK / "one"
    for folder, chosen in zip(folders, (clean[:8] + defects[:2], clean[:4] + defects[:1], clean[:1])):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for image in chosen:
            shutil.copy(source / image, folder)
    return folders


class Sides:
    """Both sides, on one machine, with one model and one ONNX Runtime."""

    def __init__(self, punchlens: str, python: str | None, seconds: float):
        self.punchlens, self.seconds = str(Path(punchlens).resolve()), seconds
        if not Path(self.punchlens).exists():
            raise SystemExit(f"there is no {self.punchlens}: `cargo build --release`, or --punchlens FILE")
        self.python = environment(python)
        # Both sides load the very same library.
        library = "import onnxruntime, pathlib; print(next((pathlib.Path(onnxruntime.__file__).parent / 'capi').glob('libonnxruntime.so*')))"
        self.library = os.environ.get("ORT_DYLIB_PATH") or run([self.python, "-c", library], os.environ).strip()
        self.photos, self.few, self.one = photos(self.punchlens)

    def env(self, model: Path = MODEL, precision: str = "int8") -> dict:
        own = {"PUNCHLENS_INFERENCE__MODEL": str(model), "PUNCHLENS_INFERENCE__PRECISION": precision}
        return {**os.environ, **own, "ORT_DYLIB_PATH": self.library}

    def ours(self, scenarios: str, *flags: str, model=MODEL, precision="int8", photos=None, seconds=None, cores=None) -> dict:
        seconds = self.seconds if seconds is None else seconds
        command = [self.punchlens, "bench", photos or self.photos, "--scenarios", scenarios, "--warm-up", "3", "--json", "-"]
        return json.loads(run(on(cores, command + ["--seconds", str(seconds), *flags]), self.env(model, precision)))

    def found(self, *flags: str, model=MODEL, precision="int8", photos=None) -> dict[str, dict]:
        env = self.env(model, precision) | {"PUNCHLENS_INFERENCE__COARSE_TO_FINE": "false"}
        lines = run([self.punchlens, "scan", photos or self.photos, "--json", *flags], env, allowed=(0, 1))
        return {Path(row["file"]).name: row for row in map(json.loads, lines.splitlines())}

    def peer(self, name: str, *flags: str, model=MODEL, precision="int8", photos=None, seconds=None, cores=None) -> dict:
        seconds = self.seconds if seconds is None else seconds
        command = [self.python, HERE / "loops.py", name, "--model", model, "--photos", photos or self.photos]
        command += ["--seconds", str(seconds), "--precision", precision, *flags]
        return json.loads(run(on(cores, command), os.environ | QUIET).splitlines()[-1])

    def classes(self, name: str, *flags: str, **where) -> str:
        """How far both sides report the same classes, and how far apart their scores are."""
        ours, theirs = self.found(*flags, **where), self.peer(name, "--answers", seconds=0, **where)["answers"]
        same = sum(sorted({f["class"] for f in ours[p]["findings"]}) == a["found"] for p, a in theirs.items())
        apart = [abs(ours[p]["class_scores"][c] - s) for p, a in theirs.items() for c, s in a.get("scores", {}).items()]
        return f"same classes in {same} of {len(theirs)} photos" + (f", scores within {max(apart):.3f}" if apart else "")

    def about(self) -> str:
        """The machine and what runs on it."""
        cpu = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(": ")[1] for line in cpu if line.startswith("model name")), "an unknown CPU")
        names = "('onnxruntime','numpy','pillow','opencv-python-headless','sahi','ultralytics','fastapi','litserve')"
        versions = f"import importlib.metadata as m; print(', '.join(f'{{n}} {{m.version(n)}}' for n in {names}))"
        python = "import platform; print(platform.python_version())"
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
        return (
            f"{os.cpu_count()} cores of {model}; {run([self.punchlens, '--version'], os.environ).strip()} ({commit.stdout.strip()}), "
            f"Python {run([self.python, '-c', python], os.environ).strip()}, {run([self.python, '-c', versions], os.environ).strip()}; "
            "finish-defects int8 unless said, ten photos of 12 MP, eight of them clean"
        )


def on(cores: str | None, command: list) -> list:
    """`command`, held to these cores."""
    return (["taskset", "-c", cores] if cores else []) + command
