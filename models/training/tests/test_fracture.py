from dataclasses import replace

import numpy as np
from PIL import Image

from training.classes import CLASSES
from training.fracture import VISIBLE, fracture
from training.manifest import read_manifest
from training.samples import Pictures, cut_pane

CRACK = CLASSES.index("crack")


def surface(seed: int, grain: float) -> Image.Image:
    rng = np.random.default_rng(seed)
    grey = 150 + rng.normal(0, grain, (192, 256, 1))
    return Image.fromarray(np.clip(np.repeat(grey, 3, 2), 0, 255).astype(np.uint8))


def test_only_what_the_mask_covers_gets_darker():
    for seed in range(20):
        image = surface(seed, 4)
        cracked, ink = fracture(image, np.random.default_rng(seed))
        before, after, ink = (np.asarray(i, int) for i in (image, cracked, ink))
        assert cracked.size == image.size and ink.max() > 60
        assert (after[ink == 0] == before[ink == 0]).all()
        assert (after[ink > 100] < before[ink > 100]).all()


def test_a_crack_is_no_fainter_than_the_grain_hides():
    for seed in range(20):
        image = surface(seed, 30)
        before, after, ink = (np.asarray(i, float) for i in (image, *fracture(image, np.random.default_rng(seed))))
        darker = (before - after).mean(2).sum() / (ink.sum() / 255)
        assert darker > VISIBLE * 30 * 0.8


def test_cells_of_a_clean_picture_say_where_it_was_cracked(folder):
    rows = [r for r in read_manifest(folder, rules={}) if r.labels == frozenset()]
    pictures = Pictures(rows)

    def pane(cracks: float, seed: int):
        row = replace(rows[0], rule=replace(rows[0].rule, cracks=cracks))
        return cut_pane(row, pictures, 256, 256, np.random.default_rng(seed))

    drawn = [pane(1.0, seed) for seed in range(20)]
    assert sum(p.labels[CRACK] == 1 for p in drawn) >= 10
    for p in drawn:
        assert p.labels[CRACK] != 1 or (p.cells[CRACK] == 1).sum() >= 3
        others = np.delete(np.where(p.valid, p.cells, 0), CRACK, 0)
        assert (others == 0).all()
    assert all(pane(0.0, seed).labels[CRACK] == 0 for seed in range(20))
