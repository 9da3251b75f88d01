"""A YOLO model folder that both sides can run, `python yolo.py model FOLDER PHOTOS`; and the photos at the size of its
input, as files that everybody decodes alike and as JPEGs, `python yolo.py small PHOTOS FOLDER`.

YOLOv8n in its published shape, with random weights, since nobody's trained ones are needed to measure time. Its last
layers are set so that about ten of 8,400 places a photo pass the threshold: sorting boxes out is then work, as it is
with a trained model, and the two sides can be held against each other.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

SIDE, CLASSES, BOXES = 640, ["crack", "spalling", "peeling_paint", "biological_growth", "surface_mark"], 10

MANIFEST = """schema = 1
name = "yolov8n-random"
version = "1"
summary = "YOLOv8n with random weights: for measuring time alone."
default_precision = "fp32"
[files.fp32]
path = "model.onnx"
sha256 = "{sha256}"
[input]
name = "images"
layout = "nchw"
colour = "rgb"
mean = [0.0, 0.0, 0.0]
std = [255.0, 255.0, 255.0]
fit = "letterbox"
size = [{side}, {side}]
fill = 114
[output]
layout = "yolo"
name = "output0"
iou = 0.7
max_boxes = 300
{classes}
[licence]
weights = "random"
training_data = "open"
statement = "Random numbers."
"""

CLASS = """[[classes]]
name = "{name}"
threshold = 0.25
threshold_rule = "none"
calibration = {{ scale = 1.0, offset = 0.0 }}
experimental = false
"""


def letterboxed(path: Path):
    import cv2

    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = (round(side * SIDE / max(image.shape[:2])) for side in image.shape[:2])
    small, top, left = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), (SIDE - height) // 2, (SIDE - width) // 2
    return cv2.copyMakeBorder(small, top, SIDE - height - top, left, SIDE - width - left, cv2.BORDER_CONSTANT, value=(114, 114, 114))


def spread(network, photos: list[Path]) -> None:
    """Sets the class layers so that about BOXES places a photo pass 0.25, which is a logit of -1.1."""
    import torch

    batch = torch.stack([torch.from_numpy(letterboxed(path)).permute(2, 0, 1) for path in photos]) / 255
    with torch.no_grad():
        # Without the statistics of real activations every layer of random weights would fade to nothing.
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        network.train()(batch)
        network.eval()
        seen, layers = [], [branch[-1] for branch in network.model[-1].cv3]
        hooks = [layer.register_forward_hook(lambda _layer, _given, out: seen.append(out.flatten())) for layer in layers]
        network(batch)
        for hook in hooks:
            hook.remove()
        logits = torch.cat(seen)
        scale = 2 / logits.std()
        limit = torch.topk(logits * scale, BOXES * len(photos)).values[-1]
        for layer in layers:
            layer.weight *= scale
            layer.bias.copy_(layer.bias * scale - limit - 1.1)


def small(photos: list[Path], folder: Path) -> None:
    from PIL import Image

    for kind in ("png", "jpg"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for path in photos:
        with Image.open(path) as photo:
            photo.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
            photo.save(folder / "png" / f"{path.stem}.png")
            photo.save(folder / "jpg" / f"{path.stem}.jpg", quality=92)


def model(folder: Path, photos: list[Path]) -> None:
    import torch
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(6)
    folder.mkdir(parents=True, exist_ok=True)
    yolo = YOLO("yolov8n.yaml", task="detect")
    network = DetectionModel("yolov8n.yaml", nc=len(CLASSES), verbose=False).eval()
    network.args, network.task, network.names = yolo.model.args, "detect", dict(enumerate(CLASSES))
    spread(network, photos)
    yolo.model = network
    exported = yolo.export(format="onnx", imgsz=SIDE, opset=17, simplify=False, dynamic=False)
    shutil.move(exported, folder / "model.onnx")
    sha256 = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    classes = "".join(CLASS.format(name=name) for name in CLASSES)
    (folder / "manifest.toml").write_text(MANIFEST.format(sha256=sha256, side=SIDE, classes=classes))
    # Last, since whoever finds it takes the folder for whole.
    (folder / "classes.json").write_text(json.dumps(CLASSES))


if __name__ == "__main__":
    what, first, second = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "small":
        small(sorted(first.glob("*.jpg")), second)
    else:
        model(first, sorted(second.glob("*.jpg")))
