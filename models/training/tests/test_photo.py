import numpy as np
from PIL import Image

from training.photo import make_view, view_size


def test_views_shrink_but_do_not_grow():
    assert view_size(4032, 3024, 1024, 1.0) == (1024, 768)
    assert view_size(352, 352, 1024, 1.0) == (352, 352)
    assert view_size(352, 200, 1024, 1.5) == (528, 300)
    assert view_size(4000, 20, 1024, 1.0) == (1024, 32)


def test_padding_repeats_the_edge_and_is_not_valid():
    pixels = np.zeros((40, 70, 3), np.uint8)
    pixels[:, -1], pixels[-1] = 200, 100
    view = make_view(Image.fromarray(pixels), 1024)
    assert view.image.shape == (1, 3, 64, 96)
    assert (view.image[0, :, :39, 70:] == 200).all() and (view.image[0, :, 40:, :70] == 100).all()
    valid = view.valid()
    # 70 px wide: the fifth cell's centre (72) is outside; 40 px high: the third cell's centre is on the edge.
    assert valid.shape == (4, 6) and valid[:2, :4].all() and valid.sum() == 8
