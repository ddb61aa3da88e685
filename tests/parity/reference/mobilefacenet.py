"""MobileFaceNet under the attribute names of InsightFace_Pytorch and of RobFR; loads strictly."""

import pickle
import types
import warnings

import torch
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain


def build(name):
    return _RobFR() if name == "mobileface-softmax" else _MobileFaceNet()


def load(name):
    path = obtain(get(name).weights)
    if name == "mobileface-mv":
        return _mobileface(_whole_module(path).module.state_dict())
    return _mobileface(torch.load(path, map_location="cpu", weights_only=True))


def _whole_module(path):
    """A module that was saved with its class, of whose classes that are not PyTorch's only the
    weights are taken; the file is pinned by its hash."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if module.startswith("models."):
                return type(name, (nn.Module,), {})
            return super().find_class(module, name)

    lenient = types.SimpleNamespace(__name__="pickle", Unpickler=Unpickler, load=pickle.load)
    with warnings.catch_warnings():  # the source code of the classes, which is in the file, differs
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", pickle_module=lenient, weights_only=False)


class _ConvUnit(nn.Module):
    def __init__(self, inputs, outputs, size=1, stride=1, padding=0, groups=1, prelu=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs) if prelu else nn.Identity()

    def forward(self, x):
        return self.prelu(self.bn(self.conv(x)))


class _Inverted(nn.Module):
    def __init__(self, inputs, width, outputs, stride):
        super().__init__()
        self.conv = _ConvUnit(inputs, width)
        self.conv_dw = _ConvUnit(width, width, 3, stride, 1, groups=width)
        self.project = _ConvUnit(width, outputs, prelu=False)
        self.residual = stride == 1

    def forward(self, x):
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class _Stage(nn.Module):
    def __init__(self, channels, width, count):
        super().__init__()
        self.model = nn.Sequential(*(_Inverted(channels, width, channels, 1) for _ in range(count)))

    def forward(self, x):
        return self.model(x)


class _MobileFaceNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = _ConvUnit(3, 64, 3, 2, 1)
        self.conv2_dw = _ConvUnit(64, 64, 3, 1, 1, groups=64)
        self.conv_23 = _Inverted(64, 128, 64, 2)
        self.conv_3 = _Stage(64, 128, 4)
        self.conv_34 = _Inverted(64, 256, 128, 2)
        self.conv_4 = _Stage(128, 256, 6)
        self.conv_45 = _Inverted(128, 512, 128, 2)
        self.conv_5 = _Stage(128, 256, 2)
        self.conv_6_sep = _ConvUnit(128, 512)
        self.conv_6_dw = _ConvUnit(512, 512, 7, groups=512, prelu=False)
        self.linear = nn.Linear(512, 512, bias=False)
        self.bn = nn.BatchNorm1d(512)

    def forward(self, x):
        for layer in list(self.children())[:-2]:
            x = layer(x)
        return self.bn(self.linear(x.flatten(1)))


def _mobileface(arrays):
    module = _MobileFaceNet()
    missing, unexpected = module.load_state_dict(arrays, strict=False)
    counters = [name for name in missing if not name.endswith("num_batches_tracked")]
    assert not counters and not unexpected, (counters, unexpected)
    return module


class _RobFRBottleneck(nn.Module):
    def __init__(self, before, after, stride, expansion):
        super().__init__()
        width = before * expansion
        self.conv = nn.Sequential(
            *(nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)),
            nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
            *(nn.BatchNorm2d(width), nn.PReLU(width)),
            *(nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)),
        )
        self.connect = stride == 1 and before == after

    def forward(self, x):
        return x + self.conv(x) if self.connect else self.conv(x)


class _RobFR(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = _ConvUnit(3, 64, 3, 2, 1)
        self.dw_conv1 = _ConvUnit(64, 64, 3, 1, 1, groups=64)
        blocks, before = [], 64
        table = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
        for expansion, after, count, stride in table:
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(_RobFRBottleneck(before, after, step, expansion))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = _ConvUnit(128, 512)
        self.linear7 = _ConvUnit(512, 512, 7, groups=512, prelu=False)
        self.linear1 = _ConvUnit(512, 512, prelu=False)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x.flatten(1)
