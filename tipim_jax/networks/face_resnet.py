"""ResNet-50 (He et al. 2015, arXiv 1512.03385) for 112x112 faces, as face.evoLVe builds it.

`ResNet_50` in `RobFR/networks/ResNet.py` of ShawnXYang/Face-Robustness-Benchmark. Differences from
torchvision's: in place of the average over the last map and the classifier there are batch
normalisation, one linear layer over all of the map, and batch normalisation again.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

# (width of the blocks, blocks) of the stages; each but the first halves the map.
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
_EXPANSION = 4  # output channels of a block for each of its width
_EPSILON = 1e-5  # PyTorch's default


class FaceResNet(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = Conv(64, 7, stride=2, padding=3, name="stem")(x)
        x = nn.relu(BatchNorm(_EPSILON, name="stem_norm")(x))
        # Zeros at the edges: behind a ReLU they change no maximum, and take no gradient but 0.
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = max_pool(x, SlidingWindows(3, stride=2, padding=0))
        for stage, (width, blocks) in enumerate(STAGES, start=1):
            for block in range(blocks):
                stride = 2 if stage > 1 and block == 0 else 1
                x = _Bottleneck(width, stride, project=block == 0, name=f"stage{stage}_{block}")(x)
        x = BatchNorm(_EPSILON, name="head_norm")(x)
        x = x.reshape(x.shape[0], -1)
        x = Linear(self.embedding_size, bias=True, name="head")(x)
        return BatchNorm(_EPSILON, name="embedding_norm")(x)


class _Bottleneck(nn.Module):
    """Narrow, 3x3, widen; the shortcut is a convolution where `project`."""

    width: int
    stride: int
    project: bool

    @nn.compact
    def __call__(self, x):
        features = _EXPANSION * self.width
        y = nn.relu(BatchNorm(_EPSILON, name="narrow_norm")(Linear(self.width, name="narrow")(x)))
        y = Conv(self.width, 3, self.stride, padding=1, name="middle")(y)
        y = nn.relu(BatchNorm(_EPSILON, name="middle_norm")(y))
        y = BatchNorm(_EPSILON, name="widen_norm")(Linear(features, name="widen")(y))
        if self.project:
            x = x[:, :: self.stride, :: self.stride]  # what a strided 1x1 convolution reads
            x = BatchNorm(_EPSILON, name="shortcut_norm")(Linear(features, name="shortcut")(x))
        return nn.relu(x + y)
