"""`ResNet_50` of Face-Robustness-Benchmark, under its attribute names."""

from torch import nn


def build(name):
    return _ResNet50()


class _Bottleneck(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        after = 4 * width
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride != 1 or before != after:
            shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class _ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for index, count in enumerate((3, 4, 6, 3)):
            width = 64 * 2**index
            first = _Bottleneck(before, width, 1 if index == 0 else 2)
            before = 4 * width
            others = (_Bottleneck(before, width, 1) for _ in range(count - 1))
            self.add_module(f"layer{index + 1}", nn.Sequential(first, *others))
        self.bn_o1 = nn.BatchNorm2d(2048)
        self.fc = nn.Linear(2048 * 4 * 4, 512)
        self.bn_o2 = nn.BatchNorm1d(512)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.bn_o2(self.fc(self.bn_o1(x).flatten(1)))
