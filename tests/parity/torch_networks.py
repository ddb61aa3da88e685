"""The three networks in PyTorch, written for comparison and sharing no code with the Flax ones.

`load(name)` returns a module that maps preprocessed NCHW images to raw embeddings. It takes the
weights from the file that `weights_convert` takes them from, under the names that stand there.
`preprocess(name, images)` does in PyTorch what each network's reference code does to a crop.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tipim_jax.networks import get
from weights_convert import dlib_reader, obtain, onnx_reader


def load(name: str) -> nn.Module:
    """The network called `name` with its weights, in inference mode."""
    path = obtain(get(name).weights)
    if name == "mobileface":
        module = _mobileface(torch.load(path, map_location="cpu", weights_only=True))
    elif name == "sface":
        module = _sface(_tensors(onnx_reader.read(path)))
    else:
        module = _dlib(_tensors(dlib_reader.read(path)))
    return module.eval().requires_grad_(False)


def _tensors(arrays):
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def preprocess(name: str, images: torch.Tensor) -> torch.Tensor:
    """RGB NCHW crops in [0, 255], 112x112, to the network's input."""
    if name == "mobileface":
        return (images.flip(1) - 127.5) / 127.5
    if name == "sface":
        return (images - 127.5) * 0.0078125
    averages = torch.tensor([122.782, 117.001, 104.298], dtype=images.dtype).view(1, 3, 1, 1)
    return (_dlib_view(images) - averages) / 256


def _dlib_view(images):
    """Rows 22.5 to 122.5 and columns 6 to 106 at 150x150; the crop ends at row 112, then zeros."""
    steps = (torch.arange(150, dtype=images.dtype) + 0.5) * 100 / 150
    rows, columns = steps + 22.5, steps + 6
    y, x = torch.meshgrid(rows * 2 / 112 - 1, columns * 2 / 112 - 1, indexing="ij")
    grid = torch.stack([x, y], dim=-1).expand(len(images), -1, -1, -1)
    seen = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return seen * (rows < 112).view(1, 1, -1, 1)


# MobileFaceNet: attribute names are those of the state dict, which loads strictly.


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


# SFace: built layer by layer from the arrays of the ONNX file.


def _sface(arrays):
    layers = [*_sface_unit(arrays, "conv_1")]
    for index in range(2, 15):
        stride = 2 if index in (3, 5, 7, 13) else 1
        layers += _sface_unit(arrays, f"conv_{index}_dw", stride)
        layers += _sface_unit(arrays, f"conv_{index}")
    linear = nn.Linear(50176, 128)
    linear.load_state_dict({"weight": arrays["pre_fc1_weight"], "bias": arrays["pre_fc1_bias"]})
    bn1 = _sface_norm(arrays, "bn1", nn.BatchNorm2d, 2e-5)
    fc1 = _sface_norm(arrays, "fc1", nn.BatchNorm1d, 2e-5)
    return nn.Sequential(*layers, bn1, nn.Flatten(), linear, fc1)


def _sface_unit(arrays, name, stride=1):
    weight = arrays[f"{name}_conv2d_weight"]
    outputs, inputs, size, _ = weight.shape
    groups = outputs if name.endswith("_dw") else 1
    conv = nn.Conv2d(inputs * groups, outputs, size, stride, size // 2, groups=groups, bias=False)
    conv.load_state_dict({"weight": weight})
    prelu = nn.PReLU(outputs)
    prelu.load_state_dict({"weight": arrays[f"{name}_relu_gamma"].flatten()})
    return conv, _sface_norm(arrays, f"{name}_batchnorm", nn.BatchNorm2d, 1e-3), prelu


def _sface_norm(arrays, name, kind, epsilon):
    norm = kind(len(arrays[f"{name}_gamma"]), eps=epsilon, track_running_stats=True)
    keys = {"weight": "gamma", "bias": "beta"}
    keys |= {"running_mean": "moving_mean", "running_var": "moving_var"}
    state = {ours: arrays[f"{name}_{theirs}"] for ours, theirs in keys.items()}
    norm.load_state_dict(state | {"num_batches_tracked": torch.tensor(0)})
    return norm


# dlib: 29 convolutions in the order of the file, the affine layers as scale and shift.


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


def gradient(name: str, pixels: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
    """Gradient of `(embeddings * cotangents).sum()`, NHWC, for NCHW crops in [0, 255].

    In double precision: in single precision, rounding decides on which side of a PReLU's or a
    maximum's edge some value falls, and one value that differs moves the gradient by up to 1e-2.
    """
    images = torch.from_numpy(pixels.astype(np.float64)).requires_grad_()
    embeddings = load(name).double()(preprocess(name, images))
    projections = (embeddings * torch.from_numpy(cotangents)).sum()
    return torch.autograd.grad(projections, images)[0].permute(0, 2, 3, 1).numpy()
