"""Sphere20 under the attribute names of CosFace_pytorch and of sphereface_pytorch."""

from torch import nn

_BLOCKS = (1, 2, 4, 1)
_CHANNELS = (3, 64, 128, 256, 512)


def build(name):
    return {"cosface": _CosFace, "sphereface": _SphereFace}[name]()


class _CosFaceBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.prelu1 = nn.PReLU(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.prelu2 = nn.PReLU(channels)

    def forward(self, x):
        return x + self.prelu2(self.conv2(self.prelu1(self.conv1(x))))


class _CosFace(nn.Module):
    def __init__(self):
        super().__init__()
        for index, count in enumerate(_BLOCKS):
            before, after = _CHANNELS[index : index + 2]
            down = nn.Conv2d(before, after, 3, stride=2, padding=1), nn.PReLU(after)
            blocks = (_CosFaceBlock(after) for _ in range(count))
            self.add_module(f"layer{index + 1}", nn.Sequential(*down, *blocks))
        self.fc = nn.Linear(512 * 7 * 6, 512)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.flatten(1))


class _SphereFace(nn.Module):
    def __init__(self):
        super().__init__()
        for index, count in enumerate(_BLOCKS):
            before, after = _CHANNELS[index : index + 2]
            for layer in range(1, 2 * count + 2):
                conv = nn.Conv2d(before, after, 3, stride=2 if layer == 1 else 1, padding=1)
                self.add_module(f"conv{index + 1}_{layer}", conv)
                self.add_module(f"relu{index + 1}_{layer}", nn.PReLU(after))
                before = after
        self.fc5 = nn.Linear(512 * 7 * 6, 512)

    def forward(self, x):
        for stage, count in enumerate(_BLOCKS, start=1):
            x = self._activated(x, f"{stage}_1")
            for layer in range(2, 2 * count + 2, 2):
                x = x + self._activated(
                    self._activated(x, f"{stage}_{layer}"), f"{stage}_{layer + 1}"
                )
        return self.fc5(x.flatten(1))

    def _activated(self, x, place):
        return self.get_submodule(f"relu{place}")(self.get_submodule(f"conv{place}")(x))
