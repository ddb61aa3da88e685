"""Improved residual networks for faces (Deng et al. 2019, arXiv 1801.07698, section 3.2.1).

One architecture in the five forms in which weights are published:

- "ir", "ir_se": TreB1eN/InsightFace_Pytorch, `model.py`, and ZhaoJ9014/face.evoLVe,
  `backbone/model_irse.py`; the latter with squeeze and excitation (Hu et al. 2018, arXiv
  1709.01507).
- "adaface": mk-minchul/AdaFace, `net.py`, whose depth 101 is 100 here. It gives the embedding's
  direction and norm apart; here they are one vector, as in all networks.
- "insightface": deepinsight/insightface, `recognition/arcface_torch/backbones/iresnet.py`.
- "magface": IrvingMeng/MagFace, `models/iresnet.py`.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.layers import BatchNorm, Conv, Linear, PRelu

FEATURES = (64, 128, 256, 512)  # of the stages, each of which halves the map
# Depth -> blocks of each stage.
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
    152: (3, 8, 36, 3),
}
_REDUCTION = 16  # of the channels in squeeze and excitation


@dataclass(frozen=True)
class Variant:
    """Where the published forms differ.

    Attributes:
      inner_norm: batch normalisation between the first convolution and the PReLU.
      squeeze_excite: channels are weighed at the end of a block.
      always_projects: every stage's first shortcut is a convolution; otherwise only those whose
        channels grow are, and the others are sampled.
      epsilon: of every batch normalisation.
    """

    inner_norm: bool
    squeeze_excite: bool = False
    always_projects: bool = False
    epsilon: float = 1e-5


VARIANTS = {
    "ir": Variant(inner_norm=False),
    "ir_se": Variant(inner_norm=False, squeeze_excite=True),
    "adaface": Variant(inner_norm=True),
    "insightface": Variant(inner_norm=True, always_projects=True),
    "magface": Variant(inner_norm=True, always_projects=True, epsilon=2e-5),
}


class IResNet(nn.Module):
    """Embeds normalised 112x112 faces.

    Attributes:
      depth: a key of `BLOCKS`.
      variant: a key of `VARIANTS`.
      embedding_size: length of an embedding.
      dtype: what the network computes in.
    """

    depth: int
    variant: str
    embedding_size: int = 512
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b 112 112 3"]) -> Float[Array, "b dim"]:
        variant = VARIANTS[self.variant]
        x = images.astype(self.dtype)
        x = Conv(64, 3, padding=1, name="stem_conv")(x)
        x = PRelu(name="stem_prelu")(BatchNorm(variant.epsilon, name="stem_norm")(x))
        for stage, (features, blocks) in enumerate(
            zip(FEATURES, BLOCKS[self.depth], strict=True), start=1
        ):
            for block in range(blocks):
                stride = 2 if block == 0 else 1
                x = _Block(features, stride, variant, name=f"stage{stage}_{block}")(x)
        x = BatchNorm(variant.epsilon, name="head_norm")(x)
        x = x.reshape(x.shape[0], -1)
        x = Linear(self.embedding_size, bias=True, name="head_linear")(x)
        return BatchNorm(variant.epsilon, name="embedding_norm")(x)


class _Block(nn.Module):
    """Two convolutions, beside a shortcut that lets every `stride`-th pixel through."""

    features: int
    stride: int
    variant: Variant

    @nn.compact
    def __call__(self, x):
        variant = self.variant
        y = BatchNorm(variant.epsilon, name="norm1")(x)
        y = Conv(self.features, 3, padding=1, name="conv1")(y)
        if variant.inner_norm:
            y = BatchNorm(variant.epsilon, name="norm2")(y)
        y = PRelu(name="prelu")(y)
        y = Conv(self.features, 3, self.stride, padding=1, name="conv2")(y)
        y = BatchNorm(variant.epsilon, name="norm3")(y)
        if variant.squeeze_excite:
            means = y.mean(axis=(1, 2), keepdims=True)
            inner = self.features // _REDUCTION
            squeezed = nn.relu(Linear(inner, few=True, name="squeeze")(means))
            y = y * nn.sigmoid(Linear(self.features, few=True, name="excite")(squeezed))
        shortcut = x[:, :: self.stride, :: self.stride]
        if self.stride > 1 and (variant.always_projects or self.features != x.shape[-1]):
            shortcut = Linear(self.features, name="shortcut_conv")(shortcut)
            shortcut = BatchNorm(variant.epsilon, name="shortcut_norm")(shortcut)
        return y + shortcut
