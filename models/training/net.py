"""MobileNetV2 with a score-map head: one logit per class and 16 px cell.

Padding is TensorFlow's (right and bottom on stride 2) because the start weights come from there.
The network is split in a stem (down to stride 8), which stays as it starts, and the rest.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (expansion, channels, repeats, first stride) of MobileNetV2 1.0.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM_BLOCKS = 6  # inverted residuals that belong to the stem
STRIDE = 16
FEATURES = 1280  # of the whole picture, in the original network
SHRINKS = 3  # halvings from the largest view to the small copy that the context sees


class Conv(nn.Module):
    """Convolution, optional batch norm, optional ReLU6."""

    def __init__(self, cin: int, cout: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, groups=groups, bias=True)
        self.bn: nn.Module = nn.Identity()
        self.act = act
        self.pads = _pads(kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, cin, H, W] -> [N, cout, H / stride, W / stride]."""
        top, left, bottom, right = self.pads
        if top == bottom:
            x = F.conv2d(
                x, self.conv.weight, self.conv.bias, self.conv.stride, (top, left), groups=self.conv.groups
            )
        else:
            with torch.autocast(x.device.type, enabled=False):  # the backward pass of these in bfloat16 is slow on CPUs
                x = self.conv(F.pad(x.float(), (left, right, top, bottom)))
        x = self.bn(x)
        return F.relu6(x) if self.act else x

    def add_norm(self) -> None:
        """Start the convolution without bias and with a batch norm after it."""
        self.bn = nn.BatchNorm2d(self.conv.out_channels, eps=1e-3, momentum=0.02)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with the batch norm folded in."""
        weight, bias = self.conv.weight, self.conv.bias
        if isinstance(self.bn, nn.BatchNorm2d):
            gain = self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
            bias = (bias - self.bn.running_mean) * gain + self.bn.bias
            weight = weight * gain[:, None, None, None]
        return weight.detach(), bias.detach()


def _pads(kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Pads (top, left, bottom, right) that TensorFlow's SAME gives on even sizes."""
    if kernel == 1:
        return (0, 0, 0, 0)
    return (0, 0, 1, 1) if stride == 2 else (1, 1, 1, 1)


class Residual(nn.Module):
    """Inverted residual block."""

    def __init__(self, cin: int, cout: int, stride: int, expansion: int):
        super().__init__()
        hidden = cin * expansion
        layers = [Conv(cin, hidden)] if expansion > 1 else []
        layers += [Conv(hidden, hidden, 3, stride, groups=hidden), Conv(hidden, cout, act=False)]
        self.layers = nn.Sequential(*layers)
        self.skip = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.skip else y


def _blocks() -> list[nn.Module]:
    blocks, cin = [], 32
    for expansion, cout, repeats, stride in STAGES:
        for i in range(repeats):
            blocks.append(Residual(cin, cout, stride if i == 0 else 1, expansion))
            cin = cout
    return blocks


class Head(nn.Module):
    """Joins the maps of stride 8, 16 and 32 at stride 16 and reads the logits off."""

    def __init__(self, classes: int, width: int = 96):
        super().__init__()
        self.fine = Conv(32, width, 3, 2, act=False)
        self.middle = Conv(96, width, act=False)
        self.coarse = Conv(320, width, act=False)
        self.mix = nn.Sequential(
            Conv(width, width, 3, groups=width), Conv(width, width), Conv(width, width, 3, groups=width), Conv(width, width)
        )
        self.logits = nn.Conv2d(width, classes, 1)
        for conv in (self.fine, self.middle, self.coarse, *self.mix):
            conv.add_norm()

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """[N,32,4h,4w], [N,96,2h,2w], [N,320,h,w] -> [N, classes, 2h, 2w]."""
        up = F.interpolate(self.coarse(coarse), scale_factor=2, mode="nearest")
        x = F.relu(self.fine(fine) + self.middle(middle) + up)
        return self.logits(self.mix(x))


class Net(nn.Module):
    """The whole network; input pixels 0..255."""

    def __init__(self, classes: int):
        super().__init__()
        blocks = _blocks()
        self.stem = nn.Sequential(Conv(3, 32, 3, 2), *blocks[:STEM_BLOCKS])
        cut = sum(repeats for _, _, repeats, _ in STAGES[:5])
        self.middle = nn.Sequential(*blocks[STEM_BLOCKS:cut])
        self.coarse = nn.Sequential(*blocks[cut:])
        self.head = Head(classes)

    def forward(self, image: Tensor) -> Tensor:
        """[N, 3, H, W] pixels -> [N, classes, H/16, W/16] logits."""
        return self.from_stem(self.stem((image - 127.0) / 127.5))

    def from_stem(self, fine: Tensor, middle: Tensor | None = None) -> Tensor:
        """[N, 32, H/8, W/8] and perhaps [N, 96, H/16, W/16] -> [N, classes, H/16, W/16] logits."""
        middle = self.middle(fine) if middle is None else middle
        return self.head(fine, middle, self.coarse(middle))

    def backbone(self) -> list[Conv]:
        """The backbone's convolutions in the order of the original file."""
        parts = (self.stem, self.middle, self.coarse)
        return [m for part in parts for m in part.modules() if isinstance(m, Conv)]


class Context(nn.Module):
    """Adds `min(classes, most) - relu(foreign)` to each cell; both are readings of the whole picture."""

    def __init__(self, classes: int, size: int = 224, most: float = 1.0, width: int = 256):
        super().__init__()
        self.net = Net(1)  # its head is not used
        self.last = Conv(320, FEATURES)
        self.register_buffer("mean", torch.zeros(1, FEATURES, 1, 1))
        self.register_buffer("gain", torch.ones(1, FEATURES, 1, 1))
        self.hidden = nn.Conv2d(FEATURES, width, 1)
        self.classes = nn.Conv2d(width, classes, 1)
        self.foreign = nn.Conv2d(FEATURES, 1, 1)
        self.size, self.most = size, most

    def features(self, image: Tensor) -> Tensor:
        """[N, 3, H, W] pixels -> [N, 1280, 1, 1]."""
        x = (shrink(image, self.size) - 127.0) / 127.5
        x = self.net.coarse(self.net.middle(self.net.stem(x)))
        return self.last(x).mean((2, 3), keepdim=True)

    def forward(self, image: Tensor) -> Tensor:
        """[N, 3, H, W] pixels -> [N, classes, 1, 1] to be added to the logits."""
        x = (self.features(image) - self.mean) * self.gain
        return self.classes(F.relu(self.hidden(x))).clamp(max=self.most) - F.relu(self.foreign(x))


def shrink(image: Tensor, size: int) -> Tensor:
    """The picture as a square of `size` pixels, halved step by step so that no pixel is skipped."""
    for i in range(SHRINKS):
        sides = [size if i == SHRINKS - 1 else max(n // 2, size) for n in image.shape[2:]]
        image = F.interpolate(image, sides, mode="bilinear", align_corners=False)
    return image
