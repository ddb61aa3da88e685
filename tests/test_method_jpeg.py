"""JPEG as the method's views have it."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import bundled as people
from tipim_jax.method.jpeg import compressed


def face(size=112):
    return np.asarray(Image.open(people.photos("Person_001")[0]).convert("RGB"))[60:, 60:][
        :size, :size
    ]


def pillow(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(stream), np.float32)


@pytest.mark.parametrize("size", [112, 40, 57])
@pytest.mark.parametrize("quality", [30, 50, 75, 95])
def test_what_is_left_is_what_libjpeg_leaves(size, quality):
    image, expected = face(size), pillow(face(size), quality)
    found = np.asarray(jax.jit(compressed)(jnp.asarray(image, jnp.float32), quality))
    assert np.abs(found - expected).mean() < 0.8  # libjpeg's integers round otherwise
    lost = np.corrcoef((found - image).ravel(), (expected - image).ravel())[0, 1]
    assert lost > (0.85 if quality == 95 else 0.95)
    np.testing.assert_array_equal(found, np.round(found))


def test_the_gradient_goes_straight_through():
    image = jnp.asarray(face(), jnp.float32)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=image.shape), jnp.float32)
    found = jax.grad(lambda image: jnp.sum(weights * compressed(image, 60.0)))(image)
    np.testing.assert_allclose(found, weights, rtol=1e-6)
