import copy

import torch

from training.export import average_folded
from training.net import Net


def test_folded_nets_mix_like_what_they_compute():
    torch.manual_seed(0)
    one, two = Net(3).eval(), Net(3).eval()
    average_folded(one, [one], 0.3)
    first = one.head.logits.weight.clone()
    average_folded(one, [two], 0.25)
    assert torch.allclose(one.head.logits.weight, 0.75 * first + 0.25 * two.head.logits.weight)
    x = torch.rand(1, 3, 64, 64) * 255
    same = copy.deepcopy(two)
    average_folded(same, [two], 0.5)
    with torch.no_grad():
        assert torch.allclose(same(x), two(x), atol=1e-3)


def test_several_count_a_share_each():
    torch.manual_seed(0)
    one, two, three = (Net(3).eval() for _ in range(3))
    weights = [net.head.logits.weight.clone() for net in (one, two, three)]
    average_folded(one, [two, three], 0.3)
    assert torch.allclose(one.head.logits.weight, 0.4 * weights[0] + 0.3 * weights[1] + 0.3 * weights[2])
