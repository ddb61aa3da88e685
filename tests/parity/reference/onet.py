"""O-Net of MTCNN under the attribute names of facenet-pytorch's `onet.pt`.

Written after figure 2 of Zhang et al., 2016. That file flattens the last map by columns first, as
Caffe and MATLAB did for the authors; the names of the heads are those of their Caffe model: score,
box, landmarks.
"""

from collections import OrderedDict

from torch import nn


class ONet(nn.Module):
    """Takes NCHW, gives (box, landmarks, logits)."""

    def __init__(self):
        super().__init__()
        channels, kernels = (3, 32, 64, 64, 128), (3, 3, 3, 2)
        for number, kernel in enumerate(kernels, start=1):
            before, after = channels[number - 1 : number + 1]
            self.add_module(f"conv{number}", nn.Conv2d(before, after, kernel))
            self.add_module(f"prelu{number}", nn.PReLU(after))
        self.dense5 = nn.Linear(128 * 3 * 3, 256)
        self.prelu5 = nn.PReLU(256)
        heads = OrderedDict(dense6_1=2, dense6_2=4, dense6_3=10)
        for name, size in heads.items():
            self.add_module(name, nn.Linear(256, size))
        self._pools = [nn.MaxPool2d(size, 2, ceil_mode=True) for size in (3, 3, 2)]

    def forward(self, x):
        for number, pool in enumerate([*self._pools, nn.Identity()], start=1):
            x = self.get_submodule(f"conv{number}")(x)
            x = pool(self.get_submodule(f"prelu{number}")(x))
        x = self.prelu5(self.dense5(x.transpose(1, 3).flatten(1)))
        return self.dense6_2(x), self.dense6_3(x), self.dense6_1(x)
