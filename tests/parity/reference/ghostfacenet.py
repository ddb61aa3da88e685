"""GhostFaceNet under the attribute names of DeepFace's PyTorch backend.

Layers run in the order in which the authors' Keras code makes them.
"""

import torch
import torch.nn.functional as F
from torch import nn

_KERNELS = [3, 3, 3, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5, 5, 5]
_INSIDE = [20, 64, 92, 92, 156, 312, 260, 240, 240, 624, 872, 872, 1248, 1248, 1248, 664]
_OUT = [20, 32, 32, 52, 52, 104, 104, 104, 104, 144, 144, 208, 208, 208, 208, 208]
_STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
_SQUEEZED = [0, 0, 0, 24, 40, 0, 0, 0, 0, 156, 220, 220, 0, 312, 0, 168]


def build(name):
    return _GhostFaceNet()


class _GhostFaceNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = _Unit(3, 20, 3, prelu=True)
        before = [20, *_OUT]
        rows = zip(before, _KERNELS, _STRIDES, _INSIDE, _OUT, _SQUEEZED, strict=False)
        self.bottlenecks = nn.Sequential(*(_Bottleneck(*row) for row in rows))
        self.tail = _Unit(208, 664, 1, prelu=True)
        self.gdc_dw = nn.Conv2d(664, 664, 7, groups=664, bias=False)
        self.gdc_bn = nn.BatchNorm2d(664, eps=1e-3)
        self.gdc_conv = nn.Conv2d(664, 512, 1)
        self.pre_embedding = nn.BatchNorm1d(512, eps=1e-3)

    def forward(self, x):
        x = self.tail(self.bottlenecks(self.stem(x)))
        return self.pre_embedding(self.gdc_conv(self.gdc_bn(self.gdc_dw(x))).flatten(1))


class _Unit(nn.Module):
    """Padding as TensorFlow's "SAME"."""

    def __init__(self, inside, out, size, stride=1, groups=1, prelu=False):
        super().__init__()
        self.conv = nn.Conv2d(inside, out, size, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)
        self.prelu = nn.PReLU(out) if prelu else nn.Identity()

    def forward(self, x):
        size, stride = self.conv.kernel_size[0], self.conv.stride[0]
        edges = []
        for pixels in (x.shape[3], x.shape[2]):
            missing = max((-(-pixels // stride) - 1) * stride + size - pixels, 0)
            edges += [missing // 2, missing - missing // 2]
        return self.prelu(self.bn(self.conv(F.pad(x, edges))))


class _Ghost(nn.Module):
    def __init__(self, inside, out, prelu):
        super().__init__()
        half = out // 2
        self.primary = _Unit(inside, half, 1, prelu=prelu)
        self.cheap = _Unit(half, half, 3, groups=half, prelu=prelu)

    def forward(self, x):
        primary = self.primary(x)
        return torch.cat([primary, self.cheap(primary)], 1)


class _SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.prelu = nn.PReLU(squeezed)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        weights = self.expand(self.prelu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * (weights / 5 + 0.5).clamp(0, 1)


class _Bottleneck(nn.Module):
    def __init__(self, before, size, stride, inside, out, squeezed):
        super().__init__()
        self.ghost_1 = _Ghost(before, inside, prelu=True)
        self.downsample = self.se = self.shortcut = nn.Identity()
        if stride > 1:
            self.downsample = _Unit(inside, inside, size, stride, groups=inside)
        if squeezed:
            self.se = _SqueezeExcite(inside, squeezed)
        self.ghost_2 = _Ghost(inside, out, prelu=False)
        if stride > 1 or before != out:
            self.shortcut = nn.Sequential(
                _Unit(before, before, size, stride, groups=before), _Unit(before, out, 1)
            )

    def forward(self, x):
        y = self.ghost_2(self.se(self.downsample(self.ghost_1(x))))
        return self.shortcut(x) + y
