"""How the method sees a face: aligned, and through random views."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests.method_toy import crops, image_keys, small_network
from tipim_jax.datasets import bundled as people
from tipim_jax.method import Surrogate, TipIm, protect
from tipim_jax.method.views import (
    draw_alignment,
    inverse,
    official_view,
    posted_view,
    rescaled,
    through,
    transposed,
)

CROP = 112
SIZE = (CROP, CROP)


def surrogate():
    weights = np.random.default_rng(0).normal(size=(CROP, CROP, 3, 16)) / CROP
    return Surrogate(small_network, weights.astype(np.float32))


def placed(batch, size=40, scale=0.2, turn=0.1):
    """Alignments of photos of `size` pixels whose middle becomes the crop's."""
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    linear = np.array([[cos, -sin], [sin, cos]])
    shift = (CROP - 1) / 2 - linear @ np.full(2, (size - 1) / 2)
    return np.repeat(np.column_stack([linear, shift])[None], batch, axis=0).astype(np.float32)


def test_in_a_photo_the_face_is_protected_and_nothing_around_it_changes():
    network, targets = surrogate(), crops(3, seed=2, size=CROP)
    photos, alignments = crops(2, size=40), placed(2)
    settings = TipIm(iterations=10, view="posted", learning_rate=5.0)
    found, _ = protect(
        [network], photos, targets, image_keys(1, 2), settings, alignments=alignments
    )
    change = np.abs(np.asarray(found) - photos).max(axis=-1)
    assert 6 < change.max() <= 12 + 1e-4
    y, x = np.mgrid[0:40, 0:40].astype(np.float32)
    points = np.stack([x, y], -1) @ alignments[0][:, :2].T + alignments[0][:, 2]
    outside = (np.abs(points - (CROP - 1) / 2) >= CROP / 2).any(axis=-1)
    assert outside.mean() > 0.5 and change[:, outside].max() == 0

    def cosines(images):
        seen = [
            cv2.warpAffine(np.asarray(image), matrix, (CROP, CROP))
            for image, matrix in zip(images, alignments, strict=True)
        ]
        return np.sum(network(np.stack(seen)) * network(np.stack(clean)), axis=1)

    clean = [cv2.warpAffine(p, m, (CROP, CROP)) for p, m in zip(photos, alignments, strict=True)]
    assert (cosines(found) < cosines(photos) - 0.02).all()


def test_an_aligned_crop_is_sampled_as_opencv_does():
    image, matrix = crops(1, size=40)[0], placed(1)[0]
    ours = through(jnp.asarray(image), inverse(matrix), SIZE)
    expected = cv2.warpAffine(
        image, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    np.testing.assert_allclose(ours, expected, atol=255 / 30)  # cv2 rounds to 1/32 of a pixel
    assert np.abs(ours - expected).mean() < 1.5


def test_an_alignment_that_changes_nothing_sees_the_photo_itself():
    image = crops(1, size=CROP)[0]
    same = jnp.eye(2, 3)
    np.testing.assert_allclose(through(jnp.asarray(image), same, SIZE), image, atol=1e-3)
    np.testing.assert_array_equal(through(jnp.asarray(image), None, SIZE), image)


def test_an_alignment_that_is_none_reads_nothing_beside_the_image():
    image = jnp.asarray(crops(1, size=CROP)[0])
    found = through(image, jnp.full((2, 3), jnp.nan), SIZE)
    assert found.shape == image.shape and np.isnan(found).all()
    (back,) = jax.linear_transpose(lambda x: through(x, jnp.full((2, 3), jnp.nan), SIZE), image)(
        image
    )
    assert back.shape == image.shape


def test_another_alignment_moves_the_face_by_a_few_pixels():
    matrices = jax.vmap(lambda key: draw_alignment(key, SIZE))(
        jax.random.split(jax.random.key(0), 500)
    )
    eye = jnp.array([38.3, 51.7, 1.0])
    moved = np.linalg.norm(matrices @ eye - eye[:2], axis=1)
    assert 1 < np.median(moved) < 4 and moved.max() < 15


@pytest.mark.thorough
@pytest.mark.parametrize("choice", ["search", "nearest"])
def test_views_are_averaged(choice):
    """The gradient of several views is the mean of theirs: the step shows it."""
    network, original, targets = surrogate(), crops(1, size=CROP) / 2 + 60, crops(1, 2, CROP)
    settings = TipIm(iterations=1, views=3, view="posted", target_choice=choice, learning_rate=0.1)
    found, _ = protect([network], original, targets, image_keys(5), settings)
    key = jax.random.fold_in(image_keys(5)[0], 0)
    cotangent = network.embed_one(original[0]) - network(targets)[0]
    gradients = []
    for one in jax.random.split(key, 3):
        see, coded = posted_view(one, None, SIZE)
        gradients.append(
            jax.vjp(lambda x, s=see, c=coded: network.embed_one(c(s(x))), original[0])[1](
                cotangent
            )[0]
        )
    mean = np.mean(gradients, axis=0)
    step = np.asarray(found - original)[0]
    np.testing.assert_allclose(
        step, -settings.step_size * mean / np.sqrt(np.mean(mean**2)), atol=2e-3
    )


@pytest.mark.parametrize("draw", [official_view, posted_view])
def test_a_view_and_its_transpose_are_one(draw):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(30, 32, 3)).astype(np.float32)
    gradients = rng.normal(size=(4, CROP, CROP, 3)).astype(np.float32)
    see, _ = draw(jax.random.key(3), inverse(placed(1, size=30)[0]), SIZE)
    back = transposed(see, jnp.asarray(gradients), (30, 32))
    left, right = (
        np.einsum("hwc,khwc->k", np.asarray(one, np.float64), np.asarray(other, np.float64))
        for one, other in ((see(jnp.asarray(image)), gradients), (image, back))
    )
    np.testing.assert_allclose(left, right, rtol=1e-4)


def test_a_rescaled_image_is_what_pillow_leaves_of_it():
    image = np.asarray(Image.open(people.photos("Person_001")[0]).convert("L"))[60:172, 60:172]
    for scale in (0.5, 0.75):
        small = Image.fromarray(image).resize((round(112 * scale),) * 2, Image.BILINEAR)
        expected = np.asarray(small.resize((112, 112), Image.BILINEAR), np.float32)
        ours = rescaled(jnp.asarray(image, jnp.float32)[..., None], scale)[..., 0]
        # The grids differ: the detail that is left is alike.
        lost, ours_lost = np.std(image - expected), np.std(image - ours)
        assert 0.6 * lost < ours_lost < 1.2 * lost
    np.testing.assert_allclose(
        rescaled(jnp.asarray(image, jnp.float32)[..., None], 1.0)[..., 0], image, atol=1e-3
    )


@pytest.mark.thorough
def test_a_posted_view_is_scaled_and_compressed_each_by_chance():
    """Of a fine pattern, what scaling leaves and what JPEG then loses do not go together."""
    pattern = jnp.asarray(np.indices((CROP, CROP)).sum(axis=0) % 2 * 60.0 + 90)
    image = jnp.repeat(pattern[..., None], 3, axis=-1)

    def of(key):
        see, coded = posted_view(key, None, SIZE)
        flat = see(image) - see(image).mean()
        noise = 128 + 5 * jax.random.normal(jax.random.key(7), (CROP, CROP, 1)).repeat(3, axis=-1)
        return jnp.std(flat), jnp.std(coded(noise) - noise)

    left, lost = jax.vmap(of)(jax.random.split(jax.random.key(1), 60))
    assert left.max() > 4 * left.min() and lost.max() > 2 * lost.min()
    assert abs(np.corrcoef(left, lost)[0, 1]) < 0.35
