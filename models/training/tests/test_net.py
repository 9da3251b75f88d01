import numpy as np
import onnx
import onnxruntime as ort
import torch

from training.graph import build, build_frozen
from training.initialise import insert_norm, load_shipped
from training.net import Conv, Net


def make_net():
    torch.manual_seed(0)
    return Net(7).eval()


def later(net):
    return [c for part in (net.middle, net.coarse) for c in part.modules() if isinstance(c, Conv)]


def run(model, image):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def test_map_has_one_cell_per_16_pixels():
    assert make_net()(torch.zeros(2, 3, 64, 96)).shape == (2, 7, 4, 6)


def test_inserting_norms_keeps_the_function():
    net = make_net()
    x = torch.rand(2, 3, 64, 64) * 255
    with torch.no_grad():
        before = net(x)
        insert_norm(later(net), lambda: net(x))
        after = net.eval()(x)
    assert torch.allclose(before, after, atol=1e-4)


def test_onnx_agrees_with_torch():
    net = make_net()
    insert_norm(later(net), lambda: net(torch.rand(2, 3, 64, 64) * 255))
    net.eval()
    x = torch.rand(2, 3, 64, 96) * 255
    with torch.no_grad():
        logits, fine = net(x), net.stem((x - 127.0) / 127.5)
    model = build(net)
    assert model.opset_import[0].version == 17 and model.ir_version <= 9
    assert np.allclose(run(model, x.numpy()), logits.numpy(), atol=1e-3)
    assert np.allclose(run(build_frozen(net, False), x.numpy()), fine.numpy(), atol=1e-3)


def test_frozen_part_and_the_rest_make_the_whole():
    net = make_net()
    x = torch.rand(1, 3, 64, 96) * 255
    session = ort.InferenceSession(build_frozen(net, True).SerializeToString(), providers=["CPUExecutionProvider"])
    maps = [torch.from_numpy(m) for m in session.run(None, {"image": x.numpy()})]
    with torch.no_grad():
        assert torch.allclose(net.from_stem(*maps), net(x), atol=1e-3)


def test_a_shipped_file_starts_the_same_net(tmp_path):
    net = make_net()
    insert_norm(later(net), lambda: net(torch.rand(2, 3, 64, 64) * 255))
    onnx.save(build(net.eval()), tmp_path / "model.onnx")
    again = Net(7)
    load_shipped(again, tmp_path / "model.onnx")
    x = torch.rand(1, 3, 64, 96) * 255
    with torch.no_grad():
        assert torch.allclose(again.eval()(x), net(x), atol=1e-3)
