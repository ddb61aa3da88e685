"""Random keys of images."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, Num


def image_keys(seed: int, images: Num[np.ndarray, "batch height width 3"]) -> Key[Array, " batch"]:
    """A key for each image, of the seed and the image itself.

    So neither the order of the images nor the batch around them changes what is drawn.
    """
    hashes = [zlib.crc32(np.ascontiguousarray(image, np.float32)) for image in images]
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    return fold(jax.random.key(seed), jnp.array(hashes, jnp.uint32))
