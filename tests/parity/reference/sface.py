"""SFace, built layer by layer from the arrays of the ONNX file."""

import numpy as np
import torch
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain
from weights_convert.readers import onnx_reader


def load(name):
    return _sface(_tensors(onnx_reader.read(obtain(get(name).weights))))


def _tensors(arrays):
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _sface(arrays):
    layers = []
    for index in range(27):
        weight = arrays[f"Conv_{index}.W"]
        outputs, inputs, size, _ = weight.shape
        stride = 2 if index in (3, 7, 11, 23) else 1
        groups = outputs if inputs == 1 else 1
        conv = nn.Conv2d(inputs * groups, outputs, size, stride, size // 2, 1, groups, bias=False)
        conv.load_state_dict({"weight": weight})
        prelu = nn.PReLU(outputs)
        prelu.load_state_dict({"weight": arrays[f"PRelu_{index}.slope"].flatten()})
        layers += [conv, _norm(arrays, index, nn.BatchNorm2d, 1e-3), prelu]
    linear = nn.Linear(50176, 128)
    linear.load_state_dict({"weight": arrays["Gemm_0.B"], "bias": arrays["Gemm_0.C"]})
    layers += [_norm(arrays, 27, nn.BatchNorm2d, 2e-5), nn.Flatten(), linear]
    return nn.Sequential(*layers, _norm(arrays, 28, nn.BatchNorm1d, 2e-5))


def _norm(arrays, index, kind, epsilon):
    keys = {"weight": "scale", "bias": "B", "running_mean": "input_mean"}
    keys |= {"running_var": "input_var"}
    state = {ours: arrays[f"BatchNormalization_{index}.{key}"] for ours, key in keys.items()}
    norm = kind(len(state["weight"]), eps=epsilon)
    norm.load_state_dict(state | {"num_batches_tracked": torch.tensor(0)})
    return norm
