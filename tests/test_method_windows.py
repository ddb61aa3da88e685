"""Surrogates that look at a face each through a window of its own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.ndimage import map_coordinates

from tests.method_toy import crops, image_keys, small_network
from tipim_jax.method import Surrogate, TipIm, protect
from tipim_jax.method.budget import face_weight
from tipim_jax.method.views import draw_alignment, posted_view

TIGHT, LOOSE = (20, 16), (24, 24)
PHOTO = 40


def surrogate(size, window, seed=0, dim=16):
    weights = np.random.default_rng(seed).normal(size=(*size, 3, dim)) / size[0]
    return Surrogate(small_network, weights.astype(np.float32), size=size, window=window)


def placed(size, scale, turn=0.1):
    """From the points of a photo to those of a window of `size` around its middle."""
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    shift = middle - linear @ np.full(2, (PHOTO - 1) / 2)
    return np.column_stack([linear, shift]).astype(np.float32)


def seen(photo, alignment, size):
    """What a window shows, by SciPy's interpolation."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    points = np.stack([x.ravel(), y.ravel()]) - alignment[:, 2:]
    x, y = (np.linalg.inv(alignment[:, :2]) @ points).reshape(2, *size)
    channels = [map_coordinates(photo[..., c], [y, x], order=1, mode="nearest") for c in range(3)]
    return jnp.stack(channels, axis=-1)


@pytest.mark.thorough
@pytest.mark.parametrize("choice", ["search", "nearest"])
def test_each_surrogate_pulls_through_its_own_window(choice):
    """One step agrees with the loss written out, and differentiated by JAX."""
    networks = [surrogate(TIGHT, 0), surrogate(LOOSE, 1, seed=3, dim=8)]
    alignments = [placed(TIGHT, 1.1), placed(LOOSE, 0.8, turn=-0.2)]
    sizes = TIGHT, LOOSE
    photo = crops(1, size=PHOTO)[0] / 2 + 60
    targets = [np.random.default_rng(5).uniform(0, 255, (1, *size, 3)) for size in sizes]
    targets = [each.astype(np.float32) for each in targets]
    settings = TipIm(
        iterations=1, views=0, target_choice=choice, learning_rate=0.1, self_weight=2.0
    )
    found, _ = protect(
        networks,
        photo[None],
        targets,
        image_keys(5),
        settings,
        alignments=[each[None] for each in alignments],
    )

    own = [
        n(seen(photo, a, s)[None])[0] for n, a, s in zip(networks, alignments, sizes, strict=True)
    ]

    def loss(photo):
        total = 0.0
        for network, alignment, size, target, original in zip(
            networks, alignments, sizes, targets, own, strict=True
        ):
            embedding = network(seen(photo, alignment, size)[None])[0]
            to_target = jnp.mean((embedding - network(target)[0]) ** 2)
            total += to_target - 2 * jnp.mean((embedding - original) ** 2)
        return total / len(networks)

    weight = face_weight((PHOTO, PHOTO), jnp.asarray(alignments[0]), TIGHT)
    downhill = -jax.grad(loss)(jnp.asarray(photo)) * weight
    rms = jnp.sqrt(jnp.sum(downhill**2) / (3 * jnp.sum(weight)))
    np.testing.assert_allclose(
        found[0] - photo, settings.step_size * downhill / rms, atol=5e-3 * settings.step_size
    )


@pytest.mark.thorough
def test_a_window_that_nobody_looks_through_changes_nothing():
    network, photos, targets = surrogate(TIGHT, 0), crops(2, size=PHOTO), crops(3, 2, 20)[:, :, :16]
    settings = dataclasses.replace(TipIm.fast(), iterations=3)
    one, other = (np.repeat(placed(TIGHT, scale)[None], 2, axis=0) for scale in (1.1, 0.7))
    keys = image_keys(1, 2)
    alone, _ = protect([network], photos, targets, keys, settings, alignments=one)
    assert np.abs(alone - photos).max() > 1
    for alignments in ((one, other), np.stack([one, other], axis=1)):
        found, _ = protect(
            [network], photos, (targets, targets), keys, settings, alignments=alignments
        )
        np.testing.assert_array_equal(found, alone)


def test_another_alignment_is_the_same_share_of_every_window():
    for key in jax.random.split(jax.random.key(0), 5):
        small, large = (draw_alignment(key, size) for size in ((50, 40), (101, 81)))
        np.testing.assert_allclose(small[:, :2], large[:, :2])
        # The shift of the middle, in sizes of the window.
        shifts = [
            (matrix @ jnp.array([*middle, 1.0]) - middle) / jnp.array(size)
            for matrix, middle, size in (
                (small, jnp.array([19.5, 24.5]), (40, 50)),
                (large, jnp.array([40.0, 50.0]), (81, 101)),
            )
        ]
        np.testing.assert_allclose(*shifts, atol=1e-6)


@pytest.mark.thorough
def test_every_window_of_a_posted_view_is_compressed_alike():
    photo, (key, other) = jnp.asarray(crops(1, size=PHOTO)[0]), jax.random.split(jax.random.key(3))
    tight = posted_view(key, jnp.asarray(placed(TIGHT, 1.0)), TIGHT)
    loose = posted_view(key, jnp.asarray(placed(LOOSE, 0.8)), LOOSE)
    assert tight.see(photo).shape == (*TIGHT, 3) and loose.see(photo).shape == (*LOOSE, 3)
    np.testing.assert_array_equal(tight.code(photo), loose.code(photo))
    another = posted_view(other, None, TIGHT)
    assert np.abs(tight.code(photo) - another.code(photo)).max() > 1


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ([surrogate(TIGHT, 1)], "a surrogate looks through window 1; there are alignments"),
        ([surrogate(TIGHT, 0), surrogate(LOOSE, 0)], r"window 0 shows \(20, 16\) pixels to one"),
    ],
)
def test_a_window_that_is_not_there_or_of_two_sizes_is_refused(networks, message):
    alignments = placed(TIGHT, 1.0)[None]
    with pytest.raises(ValueError, match=message):
        protect(
            networks,
            crops(1, size=PHOTO),
            crops(1, 2, 20)[:, :, :16],
            image_keys(1),
            TipIm(iterations=1),
            alignments=alignments,
        )
