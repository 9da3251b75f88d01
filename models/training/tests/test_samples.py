import numpy as np

from training.classes import CLASSES
from training.dataset import Draw, collate
from training.manifest import read_manifest
from training.samples import Pictures, compose, layout, targets

CRACK = CLASSES.index("crack")


def first(rows, test):
    return next(r for r in rows if test(r))


def test_what_a_label_says_about_cells(folder):
    rows = read_manifest(folder, rules={})
    pictures = Pictures(rows)
    whole = (0, 0, 128, 96)
    clean = first(rows, lambda r: r.labels == frozenset())
    cells, labels, _ = targets(clean, pictures, whole, 96, 128)
    assert (cells == 0).all() and (labels == 0).all()
    labelled = first(rows, lambda r: r.labels and not r.boxes)
    cells, labels, _ = targets(labelled, pictures, whole, 96, 128)
    assert (cells[CRACK] == -1).all() and labels[CRACK] == 1 and labels.sum() == 1


def test_what_a_box_says_about_cells(folder):
    rows = read_manifest(folder, rules={})
    row = first(rows, lambda r: r.boxes)
    cells, labels, lines = targets(row, Pictures(rows), (0, 0, 128, 96), 96, 128)
    assert labels[CRACK] == 1
    assert (cells[CRACK, [0, 5]] == 0).all() and (cells[CRACK, 1:5] == -1).all()
    columns = [line for c, line in lines if line.sum() == 2]
    assert len(columns) == 8 and all(line[2:4].sum() == 2 for line in columns)


def test_what_a_mask_says_about_cells(folder):
    rows = read_manifest(folder, rules={})
    row = first(rows, lambda r: r.masks)
    cells, labels, _ = targets(row, Pictures(rows), (0, 0, 128, 96), 96, 128)
    assert labels[CRACK] == 1
    assert (cells[CRACK] == 1).any(0).sum() >= 7 and (cells[CRACK, [0, 5]] == 0).all()


def test_layouts_fill_the_canvas_on_the_grid():
    rng = np.random.default_rng(0)
    for _ in range(50):
        cover = np.zeros((256, 256), int)
        for y, x, h, w in layout(256, rng, 1.0):
            assert not (y % 16 or x % 16 or h % 16 or w % 16)
            cover[y : y + h, x : x + w] += 1
        assert (cover == 1).all()


def test_samples_repeat_with_the_seed(folder):
    rows = [r for r in read_manifest(folder, rules={}) if r.split == "train"]
    pictures = Pictures(rows)

    def make():
        rng = np.random.default_rng(3)
        return collate([compose(Draw(rows, rng), pictures, 128, rng, 0.5) for _ in range(4)])

    one, two = make(), make()
    assert all((one[k] == two[k]).all() for k in one)
    assert one["pixels"].shape == (4, 3, 128, 128) and one["cells"].shape == (4, len(CLASSES), 8, 8)
