"""SFace's MobileNet (Zhong et al. 2021, arXiv 2205.12010), as OpenCV Zoo's ONNX file has it.

MobileNet v1 (Howard et al. 2017) with PReLUs, whose first convolution keeps the resolution.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Depthwise, Linear, PRelu

# (features, stride) of the depthwise separable blocks conv_2 .. conv_14.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
EPSILON = 1e-3  # of every convolution's normalisation in the file
HEAD_EPSILON = 2e-5  # of the two in the head


class SFace(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    embedding_size: int = 128
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        x = images.astype(self.dtype)
        x = _Unit(partial(Conv, 32, 3, padding=1), name="conv_1")(x)
        for index, (features, stride) in enumerate(BLOCKS, start=2):
            x = _Unit(partial(Depthwise, 3, stride=stride, padding=1), name=f"conv_{index}_dw")(x)
            x = _Unit(partial(Linear, features), name=f"conv_{index}")(x)
        x = BatchNorm(HEAD_EPSILON, name="head_norm")(x)
        x = x.reshape(x.shape[0], -1)
        x = Linear(self.embedding_size, bias=True, name="head_linear")(x)
        return BatchNorm(HEAD_EPSILON, name="embedding_norm")(x)


class _Unit(nn.Module):
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x):
        x = BatchNorm(EPSILON, name="norm")(self.conv(name="conv")(x))
        return PRelu(name="prelu")(x)
