"""dlib: 29 convolutions in the order of the file, the affine layers as scale and shift."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain
from weights_convert.readers import dlib_reader


def load(name):
    return _dlib(_tensors(dlib_reader.read(obtain(get(name).weights))))


def _tensors(arrays):
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


class _DlibConv(nn.Module):
    def __init__(self, arrays, index, stride):
        super().__init__()
        filters = arrays[f"con_{index}.filters"]
        outputs, inputs, size, _ = filters.shape
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2 if stride == 1 else 0)
        self.conv.load_state_dict({"weight": filters, "bias": arrays[f"con_{index}.biases"]})
        self.gamma = nn.Parameter(arrays[f"affine_{index}.gamma"].view(1, -1, 1, 1))
        self.beta = nn.Parameter(arrays[f"affine_{index}.beta"].view(1, -1, 1, 1))

    def forward(self, x):
        return torch.addcmul(self.beta, self.conv(x), self.gamma)


class _DlibBlock(nn.Module):
    def __init__(self, arrays, index, stride):
        super().__init__()
        self.first = _DlibConv(arrays, index, stride)
        self.second = _DlibConv(arrays, index + 1, 1)
        self.stride = stride

    def forward(self, x):
        y = self.second(self.first(x).relu())
        if self.stride == 2:
            x = F.avg_pool2d(x, 2, 2)
        # F.pad lists the last axis first: columns, rows, channels.
        gaps = [max(p - q, 0) for p, q in zip(y.shape, x.shape, strict=True)]
        x = F.pad(x, (0, gaps[3], 0, gaps[2], 0, gaps[1])) if any(gaps) else x
        gaps = [max(p - q, 0) for p, q in zip(x.shape, y.shape, strict=True)]
        y = F.pad(y, (0, gaps[3], 0, gaps[2], 0, gaps[1])) if any(gaps) else y
        return (x + y).relu()


class _DlibHead(nn.Module):
    def __init__(self, arrays):
        super().__init__()
        self.weights = nn.Parameter(arrays["fc_1.weights"])

    def forward(self, x):
        return x.mean(dim=(2, 3)) @ self.weights


def _dlib(arrays):
    strides = [1] * 3 + [2, 1, 1, 1] + [2, 1, 1] * 2 + [2]
    blocks = [_DlibBlock(arrays, 2 + 2 * i, stride) for i, stride in enumerate(strides)]
    stem = (_DlibConv(arrays, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2))
    return nn.Sequential(*stem, *blocks, _DlibHead(arrays))
