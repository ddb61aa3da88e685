"""MobileFaceNet of InsightFace's model pack buffalo_s, under the names of arcface_torch.

`get_mbf` there, but for the head, which stands only in the published graph.
"""

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain


def build(name):
    return _MobileFaceNet()


def load(name):
    """With the published weights; what the exporter folded into a convolution is its bias now."""
    graph = onnx.load(obtain(get(name).weights)).graph
    stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    arrays = [stored[name] for node in graph.node for name in node.input if name in stored]
    module = _MobileFaceNet().requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.copy_(arrays.pop(0))
        if isinstance(part, nn.Linear):
            part.bias.copy_(arrays.pop(0))
        elif isinstance(part, nn.BatchNorm2d):
            part.running_var.fill_(1 - part.eps)
            part.bias.copy_(arrays.pop(0))
        elif isinstance(part, nn.PReLU):
            part.weight.copy_(arrays.pop(0).flatten())
        elif isinstance(part, nn.BatchNorm1d):
            for own in (part.weight, part.bias, part.running_mean, part.running_var):
                own.copy_(arrays.pop(0))
    assert not arrays
    return module


class _Block(nn.Module):
    """Convolution, normalisation and, unless told otherwise, a PReLU."""

    def __init__(self, before, after, size=1, stride=1, padding=0, groups=1, activation=True):
        super().__init__()
        conv = nn.Conv2d(before, after, size, stride, padding, groups=groups, bias=False)
        prelu = [nn.PReLU(after)] if activation else []
        self.layers = nn.Sequential(conv, nn.BatchNorm2d(after), *prelu)

    def forward(self, x):
        return self.layers(x)


class _DepthWise(nn.Module):
    def __init__(self, before, after, groups, stride=2, residual=False):
        super().__init__()
        self.residual = residual
        self.layers = nn.Sequential(
            _Block(before, groups),
            _Block(groups, groups, 3, stride, 1, groups),
            _Block(groups, after, activation=False),
        )

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class _Residual(nn.Module):
    def __init__(self, channels, count, groups):
        super().__init__()
        self.layers = nn.Sequential(
            *(_DepthWise(channels, channels, groups, 1, residual=True) for _ in range(count))
        )

    def forward(self, x):
        return self.layers(x)


class _MobileFaceNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                _Block(3, 128, 3, 2, 1),
                _Block(128, 128, 3, 1, 1, groups=64),
                _DepthWise(128, 128, 128),
                _Residual(128, 4, 128),
                _DepthWise(128, 256, 256),
                _Residual(256, 6, 256),
                _DepthWise(256, 256, 512),
                _Residual(256, 2, 256),
            ]
        )
        self.conv_sep = nn.Sequential(_Block(256, 512), _Block(512, 64))
        self.fc = nn.Linear(64 * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.features(self.fc(self.conv_sep(x).flatten(1)))
