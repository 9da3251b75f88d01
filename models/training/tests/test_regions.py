import numpy as np

from training import regions


def grid(text):
    return np.array([[c == "#" for c in line] for line in text.split()])


def test_closing_joins_across_a_gap_and_keeps_the_border():
    assert regions.close(grid("#..# .... ...."), 1).tolist() == grid("#### .... ....").tolist()
    assert regions.close(grid("#....# ......"), 1).tolist() == grid("#....# ......").tolist()
    full = np.ones((3, 3), bool)
    assert regions.close(full, 2).all()


def test_components_join_diagonally_in_reading_order():
    parts = regions.components(grid("#..# .#.. ...."))
    assert [p.tolist() for p in parts] == [[[0, 0], [1, 1]], [[0, 3]]]


def test_top_count_has_a_floor_and_a_ceiling():
    assert regions.top_count(1000, 0.01, 3) == 10
    assert regions.top_count(20, 0.01, 3) == 3
    assert regions.top_count(2, 0.01, 3) == 2


def test_small_components_fall_but_the_best_stays():
    logits = np.full((4, 6), -5.0)
    logits[0, :4] = 3.0
    logits[3, 5] = 4.0
    valid = np.ones_like(logits, bool)
    assert [len(r) for r in regions.find_regions(logits, valid, 2.0, 0, 3)] == [4]
    assert [r.tolist() for r in regions.find_regions(logits, valid, 2.0, 0, 5)] == [[[3, 5]]]
    assert [r.tolist() for r in regions.find_regions(logits, valid, 9.0, 0, 5)] == [[[3, 5]]]


def test_cells_beyond_the_photo_are_ignored():
    logits = np.zeros((2, 2))
    logits[1, 1] = 9.0
    valid = np.array([[True, True], [True, False]])
    assert regions.find_regions(logits, valid, 5.0, 0, 1)[0].tolist() == [[0, 0]]
