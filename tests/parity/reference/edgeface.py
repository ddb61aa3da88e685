"""EdgeFace-S (gamma 0.5) under the attribute names of timm's EdgeNeXt and otroshi/edgeface.

One difference: the encoding of positions is a parameter, as in the published graph; there it is
computed from the shape of the map.
"""

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain

_DIMS = (48, 96, 160, 304)


def build(name):
    return _EdgeFace()


def load(name):
    """With the published weights: by name, and where they have none in the order of the graph."""
    graph = onnx.load(obtain(get(name).weights)).graph
    arrays = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    nameless = [array.T for key, array in arrays.items() if key.startswith("onnx::MatMul")]
    positions = [array for array in arrays.values() if array.shape == (1, 196, 96)]
    module = _EdgeFace()
    state = {}
    for key in module.state_dict():
        if key in arrays:
            state[key] = arrays.pop(key)
        else:
            state[key] = (positions if key.endswith("pos_embd") else nameless).pop(0)
    module.load_state_dict(state)
    assert not nameless and not positions
    assert not any(key.startswith("model.") for key in arrays)
    return module


class _EdgeFace(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = _EdgeNeXt()

    def forward(self, x):
        return self.model(x)


class _EdgeNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, _DIMS[0], 4, 4), _LayerNorm2d(_DIMS[0]))
        kernels, scales = (3, 5, 7, 9), (None, 2, 3, 4)
        self.stages = nn.Sequential(
            *(
                _Stage(_DIMS[max(i - 1, 0)], _DIMS[i], depth, kernels[i], scales[i], i == 1)
                for i, depth in enumerate((3, 3, 9, 3))
            )
        )
        self.head = nn.Sequential()
        self.head.add_module("global_pool", nn.AdaptiveAvgPool2d(1))
        self.head.add_module("norm", _LayerNorm2d(_DIMS[-1]))
        self.head.add_module("flatten", nn.Flatten(1))
        self.head.add_module("fc", _LowRank(_DIMS[-1], 512))

    def forward(self, x):
        return self.head(self.stages(self.stem(x)))


class _Stage(nn.Module):
    def __init__(self, before, dim, depth, kernel, scales, position):
        super().__init__()
        self.downsample = nn.Identity()
        if scales:
            self.downsample = nn.Sequential(_LayerNorm2d(before), nn.Conv2d(before, dim, 2, 2))
        blocks = [_ConvBlock(dim, kernel) for _ in range(depth)]
        if scales:
            blocks[-1] = _SplitTransposeBlock(dim, scales, position)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(self.downsample(x))


class _ConvBlock(nn.Module):
    def __init__(self, dim, kernel):
        super().__init__()
        self.conv_dw = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = _Mlp(dim)
        self.gamma = _parameter(dim)
        self.drop_path = nn.Identity()

    def forward(self, x):
        y = self.conv_dw(x).permute(0, 2, 3, 1)
        y = (self.gamma * self.mlp(self.norm(y))).permute(0, 3, 1, 2)
        return x + self.drop_path(y)


class _SplitTransposeBlock(nn.Module):
    def __init__(self, dim, scales, position):
        super().__init__()
        width = -(-dim // scales)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in range(scales - 1)
        )
        self.pos_embd = _parameter(1, 196, dim) if position else None
        self.norm_xca = nn.LayerNorm(dim, eps=1e-6)
        self.gamma_xca = _parameter(dim)
        self.xca = _CrossCovarianceAttn(dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = _Mlp(dim)
        self.gamma = _parameter(dim)
        self.drop_path = nn.Identity()

    def forward(self, x):
        parts = x.chunk(len(self.convs) + 1, dim=1)
        convolved = []
        for index, conv in enumerate(self.convs):
            part = parts[index] + convolved[-1] if index else parts[index]
            convolved.append(conv(part))
        y = torch.cat([*convolved, parts[-1]], 1)
        batch, channels, height, width = y.shape
        y = y.reshape(batch, channels, height * width).permute(0, 2, 1)
        if self.pos_embd is not None:
            y = y + self.pos_embd
        y = y + self.drop_path(self.gamma_xca * self.xca(self.norm_xca(y)))
        y = self.norm(y.reshape(batch, height, width, channels))
        return x + self.drop_path((self.gamma * self.mlp(y)).permute(0, 3, 1, 2))


class _CrossCovarianceAttn(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.temperature = _parameter(8, 1, 1)
        self.qkv = _LowRank(dim, 3 * dim)
        self.proj = _LowRank(dim, dim)

    def forward(self, x):
        batch, pixels, channels = x.shape
        qkv = self.qkv(x).reshape(batch, pixels, 3, 8, -1).permute(2, 0, 3, 4, 1)
        q, k, v = qkv.unbind(0)
        attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        x = (attn * self.temperature).softmax(dim=-1) @ v
        return self.proj(x.permute(0, 3, 1, 2).reshape(batch, pixels, channels))


class _Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = _LowRank(dim, 4 * dim)
        self.act = nn.GELU()
        self.fc2 = _LowRank(4 * dim, dim)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class _LowRank(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        rank = min(before, after) // 2
        self.linear1 = nn.Linear(before, rank, bias=False)
        self.linear2 = nn.Linear(rank, after)

    def forward(self, x):
        return self.linear2(self.linear1(x))


class _LayerNorm2d(nn.LayerNorm):
    def __init__(self, channels):
        super().__init__(channels, eps=1e-6)

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _parameter(*shape):
    """Well-conditioned values for what is no layer of PyTorch's."""
    generator = torch.Generator().manual_seed(len(shape))
    return nn.Parameter(torch.empty(shape).uniform_(0.5, 1.5, generator=generator))
