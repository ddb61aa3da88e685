"""VGG-Face under the attribute names of DeepFace's PyTorch backend, with its classifier."""

from torch import nn


def build(name):
    return _VggFace()


class _VggFace(nn.Module):
    def __init__(self):
        super().__init__()
        before = 3
        for stage, (width, depth) in enumerate(
            zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True), 1
        ):
            for index in range(1, depth + 1):
                self.add_module(f"conv{stage}_{index}", nn.Conv2d(before, width, 3, padding=1))
                before = width
        self.fc6 = nn.Conv2d(512, 4096, 7)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.fc8 = nn.Conv2d(4096, 2622, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        for name, layer in self.named_children():
            if name.startswith("conv"):
                if name.endswith("_1") and name != "conv1_1":
                    x = self.pool(x)
                x = layer(x).relu()
        x = self.fc6(self.pool(x)).relu()
        return self.fc7(x).relu().flatten(1)
