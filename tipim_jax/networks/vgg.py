"""VGG-Face (Parkhi et al. 2015, BMVC): Simonyan and Zisserman's VGG-16, trained on 2,622 people.

`VGGFace.py` in serengil/deepface: what the second of the large layers gives, after its ReLU, is the
embedding. The paper's is the last layer's before its softmax.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import Conv, Linear
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows

DEPTHS = (2, 2, 3, 3, 3)  # convolutions of each stage


class VggFace(nn.Module):
    """Embeds 224x224 faces.

    Attributes:
      widths: features of each stage's convolutions.
      embedding_size: length of an embedding, and of what is given to the layer before it.
      dtype: what the network computes in.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    embedding_size: int = 4096
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        for stage, (width, depth) in enumerate(zip(self.widths, DEPTHS, strict=True), start=1):
            for index in range(1, depth + 1):
                name = f"conv{stage}_{index}"
                x = nn.relu(Conv(width, 3, padding=1, bias=True, name=name)(x))
            x = max_pool(x, SlidingWindows(2, stride=2, padding=0))
        # A convolution over the whole map, in the files.
        x = x.reshape(len(x), -1)
        for name in ("fc6", "fc7"):
            x = nn.relu(Linear(self.embedding_size, bias=True, name=name)(x))
        return x
