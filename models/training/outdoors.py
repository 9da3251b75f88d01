"""Fetches the photos of outdoors.toml from Debian and Python packages and writes a data folder with them.

    python -m training.outdoors --out OUTDOORS

Needs `apt-get`, `dpkg-deb` and `pip`; nothing is installed. Every picture is its own group, so that a fifth goes to val.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from PIL import Image

LONGEST = 1280  # pixels kept


def unpack(package: dict, into: Path) -> Path:
    """Downloads one package and unpacks it; the folder with its pictures."""
    if "debian" in package:
        subprocess.run(["apt-get", "download", "-qq", package["debian"]], cwd=into, check=True)
        subprocess.run(["dpkg-deb", "-x", next(into.glob("*.deb")), into / "x"], check=True)
    else:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", into, package["python"]]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(into.glob("*.whl"))) as wheel:
            wheel.extractall(into / "x", [f"{package['folder']}/{name}" for name in package["pictures"]])
    return into / "x" / package["folder"]


def keep(source: Path, package: dict, out: Path) -> dict:
    """Saves one picture, reduced, and describes it."""
    image = Image.open(source).convert("RGB")
    image.thumbnail((LONGEST, LONGEST))
    name = f"images/{source.stem}.jpg"
    image.save(out / name, quality=95)
    return {
        "image": name,
        "width": image.width,
        "height": image.height,
        "source": "outdoors",
        "licence": f"{package['licence']}; from {package.get('debian') or package['python']}",
        "licence_tier": "open",
        "split": "train",
        "group": source.stem,
        "annotation": "none: no building surface to be seen",
        "labels": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    (args.out / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for package in tomllib.loads(Path(__file__).with_name("outdoors.toml").read_text())["package"]:
        with tempfile.TemporaryDirectory() as folder:
            pictures = unpack(package, Path(folder))
            rows += [keep(pictures / name, package, args.out) for name in package["pictures"]]
    (args.out / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} pictures in {args.out}")


if __name__ == "__main__":
    main()
