"""nn4.small2 in PyTorch, after OpenFace's Torch model, under the Keras ports' names of layers."""

import h5py
import torch
import torch.nn.functional as F
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain

_MODULES = {  # reduced 3x3, reduced 5x5, pooling, behind it, 1x1, stride
    "3a": ((96, 128), (16, 32), "max", 32, 64, 1),
    "3b": ((96, 128), (32, 64), "l2", 64, 64, 1),
    "3c": ((128, 256), (32, 64), "max", None, None, 2),
    "4a": ((96, 192), (32, 64), "l2", 128, 256, 1),
    "4e": ((160, 256), (64, 128), "max", None, None, 2),
    "5a": ((96, 384), None, "l2", 96, 256, 1),
    "5b": ((96, 384), None, "max", 96, 256, 1),
}
_INPUTS = {"3a": 192, "3b": 256, "3c": 320, "4a": 640, "4e": 640, "5a": 1024, "5b": 736}
_LEAVES = {  # as Keras calls them
    nn.Conv2d: {"kernel": "weight", "bias": "bias"},
    nn.Linear: {"kernel": "weight", "bias": "bias"},
    nn.BatchNorm2d: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}


def build(name):
    return _NN4Small2()


def load(name):
    module = build(name)
    with h5py.File(obtain(get(name).weights)) as file, torch.no_grad():
        for layer, theirs, tensor in keras_weights(module):
            array = torch.from_numpy(file[f"{layer}/{layer}/{theirs}:0"][()])
            tensor.copy_(_axes(array))
    return module


def keras_weights(module):
    """(layer, variable, tensor) of all that Keras stores, names as in its files."""
    for path, part in module.named_modules():
        for theirs, leaf in _LEAVES.get(type(part), {}).items():
            yield path.rsplit(".", 1)[-1], theirs, getattr(part, leaf)


def keras_arrays(module):
    """NumPy arrays in Keras's layouts by (layer, variable)."""
    return {
        (layer, theirs): (tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.t()).numpy()
        for layer, theirs, tensor in keras_weights(module)
    }


def _axes(array):
    return array.permute(3, 2, 0, 1) if array.ndim == 4 else array.t()


class _Layers(nn.Sequential):
    def unit(self, conv, norm, inputs, outputs, size=1, stride=1):
        self.add_module(conv, nn.Conv2d(inputs, outputs, size, stride, size // 2))
        self.add_module(norm, nn.BatchNorm2d(outputs, eps=1e-5))
        self.add_module(f"{conv}_relu", nn.ReLU())
        return self


class _L2Pool(nn.Module):
    def forward(self, x):
        squares = F.avg_pool2d(x * x, 3) * 9
        # PyTorch's gradient of the root at zero is infinite.
        return torch.where(squares > 0, squares.clamp(min=torch.finfo(x.dtype).tiny).sqrt(), 0)


class _Inception(nn.Module):
    def __init__(self, name, inputs, three, five, pooling, behind, single, stride):
        super().__init__()
        self.convolved = nn.ModuleList(
            _Layers()
            .unit(f"{name}_{k}x{k}_conv1", f"{name}_{k}x{k}_bn1", inputs, widths[0])
            .unit(f"{name}_{k}x{k}_conv2", f"{name}_{k}x{k}_bn2", *widths, k, stride)
            for k, widths in ((3, three), (5, five))
            if widths
        )
        self.pool = _Layers(nn.MaxPool2d(3, 2) if pooling == "max" else _L2Pool())
        if behind:
            self.pool.unit(f"{name}_pool_conv", f"{name}_pool_bn", inputs, behind)
        self.single = _Layers()
        if single:
            self.single.unit(f"{name}_1x1_conv", f"{name}_1x1_bn", inputs, single)

    def forward(self, x):
        outputs = [side(x) for side in self.convolved]
        pooled = self.pool(x)
        before, odd = divmod(outputs[0].shape[-1] - pooled.shape[-1], 2)
        outputs.append(F.pad(pooled, (before, before + odd, before, before + odd)))
        if len(self.single):
            outputs.append(self.single(x))
        return torch.cat(outputs, dim=1)


class _NN4Small2(nn.Module):
    def __init__(self):
        super().__init__()
        norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.first = _Layers().unit("conv1", "bn1", 3, 64, 7, 2)
        self.second = _Layers(nn.MaxPool2d(3, 2, 1), norm).unit("conv2", "bn2", 64, 64)
        self.third = _Layers().unit("conv3", "bn3", 64, 192, 3)
        self.pool = nn.Sequential(norm, nn.MaxPool2d(3, 2, 1))
        for name, settings in _MODULES.items():
            full = f"inception_{name}"
            self.add_module(full, _Inception(full, _INPUTS[name], *settings))
        self.top = nn.Sequential(nn.AvgPool2d(3), nn.Flatten())
        self.dense = nn.Linear(736, 128)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x
