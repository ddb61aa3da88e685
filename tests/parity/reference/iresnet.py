"""IResNet in the published forms, with the attribute names of each."""

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from tipim_jax.networks import get

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3)}
_BLOCKS |= {100: (3, 13, 30, 3), 152: (3, 8, 36, 3)}
_CHANNELS = (64, 128, 256, 512)


def build(name):
    options = dict(get(name).options)
    variant, blocks = options["variant"], _BLOCKS[options["depth"]]
    if variant in ("insightface", "magface"):
        return _Named(blocks, 1e-5 if variant == "insightface" else 2e-5)
    return _Backbone(blocks, variant)


def load_graph(name, path):
    """With the weights of an exported graph, where normalisations behind convolutions are biases.

    The network's parts are in the order of the nodes.
    """
    graph = onnx.load(path).graph
    stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    arrays = [stored[name] for node in graph.node for name in node.input if name in stored]
    module = build(name).requires_grad_(False).eval()
    before = None
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            part.running_var.fill_(1 - part.eps)
            part.bias.copy_(arrays.pop(0))
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            for own in (part.weight, part.bias, part.running_mean, part.running_var):
                own.copy_(arrays.pop(0))
        else:
            for own in part.parameters(recurse=False):
                own.copy_(arrays.pop(0).view_as(own))
        before = part
    assert not arrays
    return module


def _conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class _NamedBlock(nn.Module):
    """`IBasicBlock` of InsightFace and MagFace."""

    def __init__(self, inputs, outputs, stride, eps):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps)
        self.conv1 = _conv(inputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs, eps)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = _conv(outputs, outputs, 3, stride)
        self.bn3 = nn.BatchNorm2d(outputs, eps)
        self.downsample = None
        if stride == 2:
            shortcut = _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs, eps)
            self.downsample = nn.Sequential(*shortcut)

    def forward(self, x):
        y = self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x)))))
        return self.bn3(y) + (x if self.downsample is None else self.downsample(x))


class _Named(nn.Module):
    def __init__(self, blocks, eps):
        super().__init__()
        self.conv1 = _conv(3, 64, 3)
        self.bn1 = nn.BatchNorm2d(64, eps)
        self.prelu = nn.PReLU(64)
        inputs = 64
        for index, (count, outputs) in enumerate(zip(blocks, _CHANNELS, strict=True), start=1):
            layers = [_NamedBlock(inputs, outputs, 2, eps)]
            layers += [_NamedBlock(outputs, outputs, 1, eps) for _ in range(count - 1)]
            setattr(self, f"layer{index}", nn.Sequential(*layers))
            inputs = outputs
        self.bn2 = nn.BatchNorm2d(512, eps)
        self.fc = nn.Linear(512 * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512, eps)

    def forward(self, x):
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x):
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * self.fc2(self.fc1(means).relu()).sigmoid()


class _Bottleneck(nn.Module):
    """`bottleneck_IR`, `bottleneck_IR_SE` and AdaFace's `BasicBlockIR`."""

    def __init__(self, inputs, outputs, stride, variant):
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            shortcut = _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            self.shortcut_layer = nn.Sequential(*shortcut)
        layers = [nn.BatchNorm2d(inputs), _conv(inputs, outputs, 3)]
        layers += [nn.BatchNorm2d(outputs)] if variant == "adaface" else []
        layers += [nn.PReLU(outputs), _conv(outputs, outputs, 3, stride), nn.BatchNorm2d(outputs)]
        layers += [_SqueezeExcite(outputs)] if variant == "ir_se" else []
        self.res_layer = nn.Sequential(*layers)

    def forward(self, x):
        shortcut = self.shortcut_layer(x)
        return self.res_layer(x) + shortcut


class _Flatten(nn.Module):
    def forward(self, x):
        return x.reshape(x.size(0), -1)


class _Backbone(nn.Module):
    def __init__(self, blocks, variant):
        super().__init__()
        self.input_layer = nn.Sequential(_conv(3, 64, 3), nn.BatchNorm2d(64), nn.PReLU(64))
        last = nn.BatchNorm1d(512, affine=variant != "adaface")
        head = nn.BatchNorm2d(512), nn.Dropout(), _Flatten(), nn.Linear(512 * 7 * 7, 512), last
        self.output_layer = nn.Sequential(*head)
        body, inputs = [], 64
        for count, outputs in zip(blocks, _CHANNELS, strict=True):
            for index in range(count):
                body.append(_Bottleneck(inputs, outputs, 1 if index else 2, variant))
                inputs = outputs
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return self.output_layer(self.body(self.input_layer(x)))
