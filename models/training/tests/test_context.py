import copy
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from training.context import Samples, fit_foreign, load_context, save
from training.dataset import open_bytes
from training.export import load_net
from training.graph import build, pack
from training.manifest import Row, read_manifest
from training.net import Context, Conv, Net, shrink


def eight_bits(weight):
    """The nearest weights with an 8-bit form."""
    scale = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    return torch.round(weight / scale) * scale


@pytest.fixture(scope="module")
def context():
    torch.manual_seed(0)
    made = Context(3, size=64, most=0.5, width=16).eval()
    with torch.no_grad():
        for conv in (m.conv for m in made.modules() if isinstance(m, Conv)):
            conv.weight.copy_(eight_bits(conv.weight))
        made.hidden.weight.copy_(eight_bits(made.hidden.weight))
        made.mean.uniform_(0, 0.1)
        made.foreign.weight.normal_()
        made.classes.weight.normal_(0, 3)
    return made


def run(model, image):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [(96, 64), (32, 32), (256, 416)])
def test_onnx_agrees_with_torch(context, packed, size):
    torch.manual_seed(1)
    net, image = Net(3).eval(), torch.rand(1, 3, *size) * 255
    with torch.no_grad():
        expected = (net(image) + context(image)).numpy()
    assert np.allclose(run(build(net, context, packed), image.numpy()), expected, atol=1e-3)


def test_packing_keeps_every_weight_and_refuses_others(context):
    weight = context.hidden.weight.detach().numpy()
    eight, scale = pack(weight)
    assert eight.dtype == np.int8 and np.allclose(eight * scale[:, None, None, None], weight, atol=1e-7)
    with pytest.raises(ValueError):
        pack(np.random.default_rng(0).normal(size=(4, 50, 1, 1)).astype(np.float32))


def test_lift_is_bounded_and_the_fall_is_not(context):
    sure = copy.deepcopy(context)
    with torch.no_grad():
        sure.classes.bias.copy_(torch.tensor([50.0, 50.0, -50.0]))
        sure.foreign.weight.zero_()
        sure.foreign.bias.fill_(-1.0)
        image = torch.rand(1, 3, 64, 64) * 255
        assert sure(image).flatten()[:2].tolist() == [0.5, 0.5] and sure(image).min() < -10
        sure.foreign.bias.fill_(4.0)
        assert sure(image).flatten()[:2].tolist() == [-3.5, -3.5]


def test_shrinking_uses_every_pixel():
    image = torch.zeros(1, 1, 256, 256)
    image[0, 0, 3, 5] = 1.0
    assert shrink(image, 64).sum() > 0


def rows(count, source):
    return [Row(None, source, "open", "train", str(i), 8, 8, labels=frozenset(["crack"] if source == "walls" else [])) for i in range(count)]


def test_foreign_reading_learns_to_tell():
    torch.manual_seed(0)
    x = torch.randn(40, 1280) * 0.1
    x[:20, 0] += 3.0
    samples = Samples(x, rows(20, "outdoors") + rows(20, "walls"))
    context = Context(7, width=4)

    class Args:
        slope, margin, foreign_decay, scenes = 3.0, 0.0, 1e-3, 1.0

    fit_foreign(context, samples, Args)
    with torch.no_grad():
        said = context.foreign(x[:, :, None, None]).flatten()
    assert (said[:20] > 0).all() and (said[20:] < 0).all()


def test_draws_follow_the_shares(folder):
    found = [r for r in read_manifest(folder) if r.split == "train"]
    samples = Samples(torch.zeros(len(found), 1), found)
    shares, truth = samples.shares(), samples.truth()
    assert abs(shares.sum() - 1) < 1e-9 and (shares > 0).all()
    assert truth.shape == (len(found), 7) and set(truth[:, 0]) == {0, 1}


def test_a_saved_context_comes_back(context, tmp_path):
    made = Context(7, size=64, most=0.5, width=16)
    save(made, tmp_path / "c.pt")
    back = load_context(tmp_path / "c.pt")
    assert (back.size, back.most) == (64, 0.5)
    assert all(torch.equal(a, b) for a, b in zip(made.state_dict().values(), back.state_dict().values()))


def test_a_shipped_context_comes_back():
    shipped = Path(__file__).parents[2] / "finish-defects" / "model.onnx"
    net, names = load_net(shipped)
    again = build(net, load_context(shipped), packed=True)
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 96)).astype(np.float32)
    ours, theirs = (open_bytes(m).run(None, {"image": image})[0] for m in (again.SerializeToString(), shipped.read_bytes()))
    assert ours.shape[1] == len(names) and np.abs(ours - theirs).max() < 1e-3
