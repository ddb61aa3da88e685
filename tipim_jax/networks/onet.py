"""O-Net, the last of MTCNN's three networks, which refines a face's box and finds its landmarks.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
2016 (arXiv 1604.02878), figure 2; as `ONet` of timesler/facenet-pytorch (`models/mtcnn.py`) has it:
no padding but in the first pooling, whose windows may reach out of the map (`ceil_mode`).

It is no recogniser, so the registry does not know it.
"""

from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Float

from tipim_jax.networks.layers import Conv, Linear, PRelu
from tipim_jax.networks.origin import WheelMember

WEIGHTS = WheelMember(
    package="facenet-pytorch",
    version="2.6.0",
    wheel_sha256="ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
    member="facenet_pytorch/data/onet.pt",
    sha256="165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
    licence="MIT",
)
INPUT = 48  # sides of its input, in pixels
# (features, size of the kernel, pooling: size of the windows, pixels added below and on the right).
STAGES = ((32, 3, (3, 1)), (64, 3, (3, 0)), (64, 3, (2, 0)), (128, 2, None))


class Refined(NamedTuple):
    """What O-Net says of boxes; all in units of a box's sides.

    Attributes:
      box: what is to be added to left, top, right and bottom.
      landmarks: five x, then five y, from the box's top left corner; in the order of the ArcFace
        template.
      logits: of there being no face, and one.
    """

    box: Float[Array, "b 4"]
    landmarks: Float[Array, "b 10"]
    logits: Float[Array, "b 2"]


class ONet(nn.Module):
    """Takes RGB faces, (x - 127.5) / 128 of [0, 255]."""

    @nn.compact
    def __call__(self, images: Float[Array, "b 48 48 3"]) -> Refined:
        x = images
        for number, (features, size, pooling) in enumerate(STAGES, start=1):
            x = Conv(features, size, bias=True, name=f"conv{number}")(x)
            x = PRelu(name=f"prelu{number}")(x)
            if pooling:
                window, beyond = pooling
                x = nn.max_pool(x, (window, window), (2, 2), ((0, beyond), (0, beyond)))
        x = Linear(256, bias=True, name="dense5")(x.reshape(len(x), -1))
        x = PRelu(name="prelu5")(x)
        return Refined(
            *(
                Linear(size, bias=True, name=name)(x)
                for name, size in (("box", 4), ("landmarks", 10), ("logits", 2))
            )
        )
