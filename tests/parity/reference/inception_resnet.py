"""Inception-ResNet-v1 under facenet-pytorch's attribute names; loads strictly."""

import re

import h5py
import numpy as np
import torch
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.util.tensor_util import make_ndarray
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain


def build(name):
    return _InceptionResNetV1(get(name).embedding_size)


def load(name):
    path = obtain(get(name).weights)
    arrays = _from_keras(path) if name == "facenet-128" else _from_graph(path)
    module = build(name)
    state = {}
    for key, default in module.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        part, leaf = key.rsplit(".", 1)
        is_norm = part.endswith("bn")
        theirs = _slim_name(part.removesuffix(".conv").removesuffix(".bn"))
        if is_norm and leaf == "weight":
            state[key] = torch.ones_like(default)
        elif is_norm:
            state[key] = torch.from_numpy(arrays.pop(f"{theirs}/BatchNorm/{_NORM[leaf]}"))
        elif leaf == "bias":
            state[key] = torch.from_numpy(arrays.pop(f"{theirs}/biases"))
        else:
            weight = torch.from_numpy(arrays.pop(f"{theirs}/weights"))
            state[key] = weight.permute(3, 2, 0, 1) if weight.ndim == 4 else weight.T
    assert not arrays, sorted(arrays)
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected and all(key.endswith("num_batches_tracked") for key in missing)
    return module


_NORM = {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_IN_BRANCHES = {  # of a block, by branch, or of a reduction
    "block35": ["1x1", "0a_1x1 0b_3x3", "0a_1x1 0b_3x3 0c_3x3"],
    "block17": ["1x1", "0a_1x1 0b_1x7 0c_7x1"],
    "block8": ["1x1", "0a_1x1 0b_1x3 0c_3x1"],
    "mixed_6a": ["1a_3x3", "0a_1x1 0b_3x3 1a_3x3"],
    "mixed_7a": ["0a_1x1 1a_3x3", "0a_1x1 1a_3x3", "0a_1x1 0b_3x3 1a_3x3"],
}
_REPEATED = {"1": ("Repeat", "block35"), "2": ("Repeat_1", "block17"), "3": ("Repeat_2", "block8")}


def _slim_name(part):
    """TensorFlow's name, below the root, of a module here that has weights."""
    if part.startswith("last_"):
        return "Bottleneck"
    if stem := re.fullmatch(r"conv2d_(\d.)", part):
        size = "1x1" if stem[1] == "3b" else "3x3"
        return f"Conv2d_{stem[1]}_{size}"
    if repeated := re.match(r"repeat_(\d)\.(\d+)\.", part):
        scope, kind = _REPEATED[repeated[1]]
        outer, rest = f"{scope}/{kind}_{int(repeated[2]) + 1}", part[repeated.end() :]
    else:
        kind, rest = part.split(".", 1)
        outer = kind.capitalize()
    if rest == "conv2d":
        return f"{outer}/Conv2d_1x1"
    branch, step = re.fullmatch(r"branch(\d)(?:\.(\d))?", rest).groups(default="0")
    return f"{outer}/Branch_{branch}/Conv2d_{_IN_BRANCHES[kind][int(branch)].split()[int(step)]}"


def _from_graph(path):
    graph = GraphDef.FromString(path.read_bytes())
    variables = {node.name.removesuffix("/read") for node in graph.node if node.op == "Identity"}
    return {
        node.name.removeprefix("InceptionResnetV1/"): make_ndarray(node.attr["value"].tensor).copy()
        for node in graph.node
        if node.op == "Const" and node.name in variables
    }


def _from_keras(path):
    """Arrays under the names that they have in TensorFlow's own graph."""
    arrays = {}

    def take(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        *_, layer, leaf = name.split("/")
        norm = layer.endswith("_BatchNorm")
        layer = layer.removesuffix("_BatchNorm")
        layer = re.sub(r"_Branch_(\d)_", r"/Branch_\1/", layer)
        layer = re.sub(r"^(Block\d+_\d+)_Conv2d", r"\1/Conv2d", layer)
        layer = re.sub(r"^(Mixed_..)_", r"\1/", layer).replace("Block8_6/", "Block8/")
        for scope, kind in _REPEATED.values():
            layer = re.sub(rf"^{kind.capitalize()}_", f"{scope}/{kind}_", layer)
        leaf = leaf.removesuffix(":0")
        leaf = f"BatchNorm/{leaf}" if norm else {"kernel": "weights", "bias": "biases"}[leaf]
        arrays[f"{layer}/{leaf}"] = np.array(item)

    with h5py.File(path) as file:
        file["model_weights"].visititems(take)
    return arrays


def write_keras(module, path, *, counting_on):
    """Writes Keras's file of a network whose batch normalisation has no scales.

    Args:
      counting_on: whether the second branch of the nth block is called the nth, as in DeepFace.
    """
    with h5py.File(path, "w") as file:
        for key, value in module.state_dict().items():
            part, leaf = key.rsplit(".", 1)
            if leaf == "num_batches_tracked" or (part.endswith("bn") and leaf == "weight"):
                continue
            slim = _slim_name(part.removesuffix(".conv").removesuffix(".bn"))
            slim = re.sub(r"^Repeat(_\d)?/b", "B", slim).replace("Block8/", "Block8_6/")
            if counting_on and not slim.startswith("Block8_6"):
                slim = re.sub(r"^(Block(17|8)_(\d+)/Branch)_1", r"\1_\3", slim)
            layer = slim.replace("/", "_") + ("_BatchNorm" if part.endswith("bn") else "")
            array = value.numpy()
            if leaf == "weight":
                array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
                name = "kernel"
            else:
                name = _NORM[leaf] if part.endswith("bn") else "bias"
            file[f"{layer}/{layer}/{name}:0"] = np.ascontiguousarray(array)


def deepface_name(key):
    """What an array is called in DeepFace's PyTorch backend."""
    key = key.replace("last_linear", "bottleneck").replace("last_bn", "bottleneck_bn")
    key = re.sub(
        r"^conv2d_(\d.)", lambda m: f"conv2d_{m[1]}_{'1x1' if m[1] == '3b' else '3x3'}", key
    )
    key = re.sub(r"\.conv2d\.", ".up.", key).replace(".branch", ".branch_")
    key = re.sub(r"^block8\.", "block8.5.", key)
    for number, kind in (("1", "block35"), ("2", "block17"), ("3", "block8")):
        key = re.sub(rf"^repeat_{number}\.", f"{kind}.", key)
    return key


def _unit(inputs, outputs, size=1, stride=1, padding=0):
    unit = nn.Sequential()
    unit.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
    unit.bn = nn.BatchNorm2d(outputs, eps=1e-3)
    unit.relu = nn.ReLU()
    return unit


class _Block(nn.Module):
    def __init__(self, channels, width, kinds, scale, activated=True):
        super().__init__()
        first = _unit(channels, width)
        self.branch0 = first
        self.branches = 1
        for kind in kinds:
            steps = [_unit(channels, width)]
            for size in kind:
                steps.append(_unit(width, width, size, padding=tuple(side // 2 for side in size)))
            setattr(self, f"branch{self.branches}", nn.Sequential(*steps))
            self.branches += 1
        self.conv2d = nn.Conv2d(width * self.branches, channels, 1)
        self.scale, self.activated = scale, activated

    def forward(self, x):
        seen = [getattr(self, f"branch{index}")(x) for index in range(self.branches)]
        x = x + self.scale * self.conv2d(torch.cat(seen, dim=1))
        return x.relu() if self.activated else x


def _block35():
    return _Block(256, 32, [[(3, 3)], [(3, 3), (3, 3)]], 0.17)


def _block17():
    return _Block(896, 128, [[(1, 7), (7, 1)]], 0.10)


def _block8(scale=0.20, activated=True):
    return _Block(1792, 192, [[(1, 3), (3, 1)]], scale, activated)


class _Beside(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        for index, branch in enumerate([*branches, nn.MaxPool2d(3, 2)]):
            self.add_module(f"branch{index}", branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class _InceptionResNetV1(nn.Module):
    def __init__(self, embedding_size):
        super().__init__()
        self.conv2d_1a = _unit(3, 32, 3, 2)
        self.conv2d_2a = _unit(32, 32, 3)
        self.conv2d_2b = _unit(32, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, 2)
        self.conv2d_3b = _unit(64, 80)
        self.conv2d_4a = _unit(80, 192, 3)
        self.conv2d_4b = _unit(192, 256, 3, 2)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = _Beside(
            _unit(256, 384, 3, 2),
            nn.Sequential(_unit(256, 192), _unit(192, 192, 3, padding=1), _unit(192, 256, 3, 2)),
        )
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = _Beside(
            nn.Sequential(_unit(896, 256), _unit(256, 384, 3, 2)),
            nn.Sequential(_unit(896, 256), _unit(256, 256, 3, 2)),
            nn.Sequential(_unit(896, 256), _unit(256, 256, 3, padding=1), _unit(256, 256, 3, 2)),
        )
        self.repeat_3 = nn.Sequential(*(_block8() for _ in range(5)))
        self.block8 = _block8(scale=1.0, activated=False)
        self.avgpool_1a = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.last_linear = nn.Linear(1792, embedding_size, bias=False)
        self.last_bn = nn.BatchNorm1d(embedding_size, eps=1e-3)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x
