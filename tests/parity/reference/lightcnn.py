"""LightCNN-V4 under the attribute names of its author's code."""

import torch
import torch.nn.functional as F
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain


def build(name):
    return _LightCNN()


def load(name):
    path = obtain(get(name).weights)
    module = _LightCNN()
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    return module


class _MaxFeatureMap(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.filter = nn.Conv2d(before, 2 * after, 3, padding=1)

    def forward(self, x):
        return torch.max(*self.filter(x).chunk(2, dim=1))


class _Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = _MaxFeatureMap(channels, channels)
        self.conv2 = _MaxFeatureMap(channels, channels)

    def forward(self, x):
        return x + self.conv2(self.conv1(x))


class _LightCNN(nn.Module):
    def __init__(self):
        super().__init__()
        channels = (3, 48, 96, 192, 128)
        for index, count in enumerate((1, 2, 3, 4)):
            before, after = channels[index : index + 2]
            self.add_module(f"conv{index + 1}", _MaxFeatureMap(before, after))
            self.add_module(
                f"block{index + 1}", nn.Sequential(*(_Block(after) for _ in range(count)))
            )
        self.conv5 = _MaxFeatureMap(128, 128)
        self.fc = nn.Linear(128 * 8 * 8, 256)

    def forward(self, x):
        x = self.block1(_pool(self.conv1(x)))
        x = self.block2(_pool(self.conv2(x)))
        x = self.block3(_pool(self.conv3(x)))
        x = self.block4(self.conv4(x))
        x = _pool(self.conv5(x))
        return self.fc(x.flatten(1))


def _pool(x):
    return F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)
