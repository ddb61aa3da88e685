"""The budget of what is seen: its quadratic form, the steepest step, and the last scaling."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.method_toy import crops, image_keys, surrogate
from tipim_jax.datasets import bundled
from tipim_jax.engine.found import scaled_to_dssim
from tipim_jax.identification import seen as measured
from tipim_jax.identification.visibility import ssim_map
from tipim_jax.method import TipIm, advance, start
from tipim_jax.method.budget import grain_cost
from tipim_jax.method.problem import Numbers, Problem
from tipim_jax.method.step import seen, unseen_direction, within_dssim
from tipim_jax.photos import add_masks, central_face, read_photo, region

PHOTO = read_photo(bundled.photos("Person_002")[0]).pixels
SETTINGS = dataclasses.replace(TipIm.fast(), budget="dssim", epsilon=24.0, smooth_epsilon=255.0)


def problem(image, *, weight=None, **numbers):
    image = jnp.asarray(image, jnp.float32)
    numbers = {
        "epsilon": 24.0, "dssim": 0.01, "colour_cost": 1.0, "smooth_epsilon": 255.0,
        "self_weight": 1.0, "gamma": 0.0, "step_size": 1.0,
    } | numbers  # fmt: skip
    unused = dict.fromkeys(
        ("grey", "windows", "original_embeddings", "targets", "target_embeddings", "key", "valid")
    )
    return Problem(
        original=image,
        weight=jnp.ones((*image.shape[:2], 1)) if weight is None else weight,
        cost=grain_cost(image, None, (112, 112)),
        numbers=Numbers(**{name: jnp.float32(value) for name, value in numbers.items()}),
        **unused,
    )


FACE = problem(PHOTO[60:200, 60:181])


def test_the_cost_of_grain_of_brightness_is_its_dssim():
    """In a photo with smooth and with textured parts; where the mask is, makes no difference."""
    for low, high in ((0, 140), (0, 70), (70, 140)):
        grain = np.random.default_rng(low).normal(0, 1, (*FACE.original.shape[:2], 1)).repeat(3, 2)
        grain[:low] = grain[high:] = 0
        original = np.asarray(FACE.original, np.float64)
        dssim = (1 - ssim_map(original, original + grain).mean()) / 2
        assert float(seen(jnp.asarray(grain), FACE)) == pytest.approx(dssim, rel=0.12)


def test_patches_cost_a_third_tints_four_times_and_colour_what_it_is_said_to():
    flat = jnp.full(FACE.original.shape, 2.0)
    grain = flat * (1 - 2 * (jnp.indices(flat.shape[:2]).sum(axis=0) % 2))[..., None]
    red = jnp.array([1.0, -1.0, 0.0])
    plain, dear = (problem(np.full(flat.shape, 90.0), colour_cost=cost) for cost in (1.0, 3.0))
    for change, power, costs in (
        (flat, 4, (1 / 3, 1 / 3)),
        (grain, 4, (1, 1)),
        (flat * red, 8 / 3, (4, 12)),
        (grain * red, 8 / 3, (1, 3)),
    ):
        for face, cost in zip((plain, dear), costs, strict=True):
            assert float(seen(change, face)) == pytest.approx(
                cost * power * 0.5 / 58.5225, rel=1e-3
            )


@pytest.mark.parametrize("colour_cost", [1.0, 2.0])
def test_no_change_that_costs_as_much_gains_more(colour_cost):
    face = problem(PHOTO[60:125, 60:140], colour_cost=colour_cost)
    gradient = jnp.asarray(np.random.default_rng(1).normal(size=face.original.shape), jnp.float32)
    direction = unseen_direction(gradient, face)
    assert float(seen(direction, face)) == pytest.approx(1, rel=1e-3)
    gain = float(jnp.sum(gradient * direction))
    for key in jax.random.split(jax.random.key(0), 8):
        noise = jax.random.normal(key, gradient.shape)
        noise /= jnp.sqrt(seen(noise, face))
        for other in (noise, direction + 0.1 * noise, direction - 0.1 * noise):
            assert float(jnp.sum(gradient * other / jnp.sqrt(seen(other, face)))) < gain
    assert not jnp.any(unseen_direction(jnp.zeros_like(gradient), face))


def test_what_is_nearer_stays_and_what_is_farther_comes_as_near_as_the_budget():
    random = np.random.default_rng(2).normal(0, 1, FACE.original.shape).astype(np.float32)
    near = within_dssim(FACE.original + 0.1 * random, FACE, most=255)
    np.testing.assert_allclose(near, np.clip(FACE.original + 0.1 * random, 0, 255), atol=1e-4)
    far = within_dssim(FACE.original + 15 * random, FACE, most=255)
    assert float(seen(far - FACE.original, FACE)) == pytest.approx(0.01, rel=1e-3)
    assert np.abs(far - FACE.original).max() <= 24


def test_masks_of_a_run_keep_to_the_budget():
    images = 60 + crops(2, size=12) / 2
    settings = dataclasses.replace(SETTINGS, iterations=6, views=0, dssim=0.02)
    problems, state = start((surrogate(),), images, crops(3, 2), image_keys(1, 2), settings)
    state, _ = advance((surrogate(),), problems, state, settings, 6)
    costs = jax.vmap(seen)(state.protected - images, problems)
    assert (costs <= 0.02 * 1.001).all() and (costs > 0.01).all()


@pytest.mark.parametrize("budget", [0.004, 0.02])
def test_a_mask_is_scaled_until_its_whole_levels_keep_to_the_budget(detector, budget):
    face = central_face(detector.detect(PHOTO), PHOTO)
    place = region(PHOTO, face.matrix)
    mask = np.random.default_rng(3).normal(0, 6, place.pixels.shape).astype(np.float32)
    settings = dataclasses.replace(SETTINGS, dssim=budget, colour_epsilon=255.0)
    found = scaled_to_dssim(PHOTO, mask, place, face, settings)
    changed = add_masks(PHOTO, [found], [place], settings.epsilon)
    assert 0.95 * budget <= measured(PHOTO, changed, face.box)["dssim"] <= budget


def test_a_face_of_which_nothing_is_there_keeps_its_mask(detector):
    face = central_face(detector.detect(PHOTO), PHOTO)
    away = dataclasses.replace(face, box=np.array([-300, -300, 40, 40]))
    place = region(PHOTO, face.matrix)
    mask = np.ones(place.pixels.shape, np.float32)
    assert scaled_to_dssim(PHOTO, mask, place, away, SETTINGS) is mask
    nothing = np.zeros_like(mask)
    assert not scaled_to_dssim(PHOTO, nothing, place, face, SETTINGS).any()


def test_a_budget_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"dssim is 0\.6; expected a value in \[0, 0\.5\]"):
        dataclasses.replace(SETTINGS, dssim=0.6).check()
    with pytest.raises(ValueError, match=r"colour_cost is 0; expected a value in \[0\.1, inf\]"):
        dataclasses.replace(SETTINGS, colour_cost=0).check()
