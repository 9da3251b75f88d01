"""The whole way on toy pictures: train, export, detect, evaluate."""

import sys
import tomllib
from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image

from training import evaluate, export, train
from training.manifest import read_manifest
from training.model import Model
from training.photo import open_photo

SETTINGS = """
top_share = 0.01
top_min_cells = 3
close_cells = 1
clean_sources = ["toy"]
clean_rate = 0.5
[classes.crack]
cell_threshold = 0.0
min_cells = 1
fit_on = ["toy"]
"""


@pytest.fixture(scope="module")
def model_folder(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    (out / "postprocess.toml").write_text(SETTINGS)
    common = ["--data", str(folder)]
    command = [*common, "--out", str(out), "--steps", "3", "--size", "64", "--batch", "2", "--workers", "0", "--device", "cpu"]
    call(train.arguments, train.run, command)
    command = [*common, "--run", str(out / "last.pt"), "--out", str(out / "model"), "--name", "toy", "--version", "0.0.1"]
    command += ["--classes", "crack", "--settings", str(out / "postprocess.toml"), "--licence", "open"]
    call(None, export.main, command)
    return out / "model"


def call(parse, run, command):
    before, sys.argv = sys.argv, ["test", *command]
    try:
        return run(parse()) if parse else run()
    finally:
        sys.argv = before


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_stem_with_start_weights_moves_only_at_a_rate(model_folder, folder, tmp_path, rate):
    start = model_folder.parent / "last.pt"
    command = ["--data", str(folder), "--start", str(start), "--out", str(tmp_path), "--bfloat16", "--stem-rate", str(rate)]
    command += ["--steps", "2", "--size", "64", "--batch", "2", "--workers", "0", "--device", "cpu"]
    call(train.arguments, train.run, command)
    before, after = (torch.load(path, weights_only=True) for path in (start, tmp_path / "last.pt"))
    name = "stem.1.layers.0.conv.weight"
    assert torch.equal(before["average"][name], after["net"][name]) == (rate == 0.0)


def test_manifest_and_files(model_folder: Path):
    manifest = tomllib.loads((model_folder / "manifest.toml").read_text())
    assert [c["name"] for c in manifest["classes"]] == ["crack"]
    for precision in ("fp32", "int8"):
        model = onnx.load(model_folder / manifest["files"][precision]["path"])
        assert {o.domain for o in model.opset_import if o.domain} == set()
        assert model.ir_version <= 9
        assert [i.name for i in model.graph.input] == ["image"] and [o.name for o in model.graph.output] == ["logits"]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_detect_maps_boxes_into_the_photo(model_folder, folder, precision):
    model = Model(model_folder, precision)
    model.classes[0]["threshold"] = 0.0
    found = model.detect(open_photo(folder / "0.jpg"))
    assert (found["width"], found["height"]) == (128, 96) and found["regions"]
    for region in found["regions"]:
        x, y, w, h = region["box"]
        assert 0 <= x and 0 <= y and x + w <= 128 and y + h <= 96
        assert region["score"] <= found["class_scores"]["crack"]


def test_evaluate_counts_every_picture(model_folder, folder):
    rows = [r for r in read_manifest(folder) if r.split == "val"]
    numbers = evaluate.evaluate(Model(model_folder), rows)
    assert numbers["toy"]["pictures"] == len(rows)
    assert numbers["toy"]["classes"]["crack"]["positive"] == 3


def test_a_changed_file_is_refused(model_folder, tmp_path):
    for path in model_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with open(tmp_path / "model.int8.onnx", "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError):
        Model(tmp_path)


def test_upright(tmp_path):
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert open_photo(tmp_path / "a.jpg").size == (20, 40)
