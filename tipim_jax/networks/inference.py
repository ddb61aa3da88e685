"""What a network computes: its module in Flax, behind all that its input goes through."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import DTypeLike

from tipim_jax.networks.dlib_resnet import DlibResNet
from tipim_jax.networks.edgeface import EdgeFace
from tipim_jax.networks.face_resnet import FaceResNet
from tipim_jax.networks.ghostfacenet import GhostFaceNet
from tipim_jax.networks.inception_resnet import InceptionResNetV1
from tipim_jax.networks.iresnet import IResNet
from tipim_jax.networks.lightcnn import LightCNN
from tipim_jax.networks.mobilefacenet import MobileFaceNet
from tipim_jax.networks.network import Network
from tipim_jax.networks.nn4 import NN4Small2
from tipim_jax.networks.precision import Precision
from tipim_jax.networks.preprocess import normalise, region_resized
from tipim_jax.networks.sface import SFace
from tipim_jax.networks.sphere import SphereNet
from tipim_jax.networks.vgg import VggFace
from tipim_jax.networks.vit import VisionTransformer
from tipim_jax.networks.window import CROP_SIZE
from tipim_jax.pieces import in_pieces, piece

_ARCHITECTURES = {
    module.__name__: module
    for module in (
        DlibResNet,
        EdgeFace,
        FaceResNet,
        GhostFaceNet,
        InceptionResNetV1,
        IResNet,
        LightCNN,
        MobileFaceNet,
        NN4Small2,
        SFace,
        SphereNet,
        VggFace,
        VisionTransformer,
    )
}

# Images that a CPU takes through the network together: XLA finishes a layer for all of them before
# it starts the next, and the maps of more than these fall out of the cache. At a batch of 16 this
# makes mobileface's gradient 1.7 times faster.
_IN_CACHE = 4
# Where all maps of a batch of 16 stay in the cache, taking it in parts only costs: EdgeFace's
# gradient a fifth of its time.
_SMALL = ("EdgeFace",)


def module(network: Network, dtype: DTypeLike) -> nn.Module:
    """See `Network.module`."""
    build = _ARCHITECTURES[network.architecture]
    return build(embedding_size=network.embedding_size, dtype=dtype, **dict(network.options))


def embed(
    network: Network,
    variables: dict[str, Any],
    images: Float[Array, "batch height width 3"],
    precision: Precision,
) -> Float[Array, "batch dim"]:
    """See `Network.embed`."""
    if images.shape[1:3] == CROP_SIZE:
        region = network.window.region
    elif images.shape[1:3] == network.input_size:
        region = (0, 0, *network.input_size)
    else:
        raise ValueError(
            f"{network.name} takes crops of {CROP_SIZE} or {network.input_size} pixels, "
            f"got {images.shape[1:3]}"
        )
    compute = partial(_embed, network, region, precision, variables)
    at_once = len(images)
    if jax.default_backend() == "cpu" and network.architecture not in _SMALL:
        at_once = piece(at_once, _IN_CACHE)
    return in_pieces(compute, at_once, images)


# Compiled by itself no more than its callers want: here so that all programs that hold the network
# trace Flax's modules once, which takes a second.
@partial(jax.jit, static_argnums=(0, 1, 2))
def _embed(network, region, precision, variables, images):
    with jax.default_matmul_precision("highest"):
        seen = region_resized(images, region, network.input_size)
        inputs = normalise(seen, network.channel_order, network.mean, network.std)
    with jax.default_matmul_precision(precision.products):
        found = module(network, precision.dtype).apply(variables, inputs)
    return found.astype(jnp.float32)


def weights_in(variables: dict[str, Any], precision: Precision) -> dict[str, Any]:
    """See `Network.weights_in`."""

    def converted(path, leaf):
        return leaf.astype(precision.dtype) if path[-1].key == "kernel" else leaf

    return jax.tree_util.tree_map_with_path(converted, variables)


def abstract_variables(network: Network) -> dict[str, Any]:
    """See `Network.abstract_variables`."""
    images = jax.ShapeDtypeStruct((1, *network.input_size, network.channels), jnp.float32)
    return jax.eval_shape(module(network, jnp.float32).init, jax.random.key(0), images)
