"""The equations of the paper and the budget, each against a calculation by hand."""

import ast
import dataclasses
import functools
import re
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.method_toy import crops, image_keys, surrogate
from tipim_jax import method
from tipim_jax.method import TipIm, advance, normalise, protect, start, steps_of
from tipim_jax.method.budget import contrast
from tipim_jax.method.gain import euclidean_distances, gains, squared_distances
from tipim_jax.method.losses import identity_cotangents, mean_identity_cotangents
from tipim_jax.method.mmd import mmd
from tipim_jax.method.settings import OFFICIAL_BANDWIDTHS
from tipim_jax.method.step import projected_on_box, projected_on_colours


def test_the_official_step_is_one_and_a_half_budgets_over_all_iterations():
    assert TipIm.official().step_size == pytest.approx(0.18)
    assert TipIm.paper().step_size == 1.5


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(
    ("reduce", "cotangents"),
    [(jnp.sum, identity_cotangents), (jnp.mean, mean_identity_cotangents)],
)
def test_identity_cotangents_are_the_derivative_of_the_printed_loss(weight, reduce, cotangents):
    """Of raw embeddings of usual lengths, whose normalisation takes away what is radial."""
    rng = np.random.default_rng(0)
    own = normalise(rng.normal(size=8))
    targets = normalise(rng.normal(size=(3, 8)))

    def loss(raw, target):
        x = normalise(raw)
        return reduce((x - target) ** 2) - weight * reduce((x - own) ** 2)

    for length in (0.5, 1.0, 20.0):
        raw = rng.normal(size=8)
        raw = jnp.asarray(length * raw / np.linalg.norm(raw), jnp.float32)
        printed = jnp.stack([jax.grad(loss)(raw, target) for target in targets])
        _, pull_back = jax.vjp(normalise, raw)
        (found,) = jax.vmap(pull_back)(cotangents(own, targets, weight))
        np.testing.assert_allclose(found, printed, atol=1e-4 * np.abs(printed).max())
    if weight == 1:  # nothing is radial then

        def plain(x, target):
            return reduce((x - target) ** 2) - reduce((x - own) ** 2)

        printed = jnp.stack([jax.grad(plain)(own[::-1], target) for target in targets])
        found = cotangents(own, targets, weight)
        np.testing.assert_allclose(found, printed, atol=1e-6)


@pytest.mark.parametrize("weight", [pytest.param(1.0, marks=pytest.mark.thorough), 3.0])
def test_a_step_goes_down_the_printed_loss_with_its_weight_on_leaving_oneself(weight):
    network, original, targets = surrogate(), crops(2) / 2 + 60, crops(1, seed=2)
    start_at = original + np.random.default_rng(3).uniform(-3, 3, original.shape)
    settings = TipIm(iterations=1, views=0, self_weight=weight, norm="l2", learning_rate=0.1)
    problem, state = start([network], original, targets, image_keys(1, 2), settings)
    state = dataclasses.replace(state, protected=jnp.asarray(start_at, jnp.float32))
    moved, _ = advance([network], problem, state, settings, 1)

    def loss(images):
        x, own, wanted = network(images), network(original), network(targets)
        return jnp.sum((x - wanted) ** 2) - weight * jnp.sum((x - own) ** 2)

    downhill = -jax.grad(loss)(jnp.asarray(start_at, jnp.float32))
    step = moved.protected - start_at
    rms = jnp.sqrt(jnp.mean(downhill**2, axis=(1, 2, 3), keepdims=True))
    np.testing.assert_allclose(step, settings.step_size * downhill / rms, atol=1e-3)


def test_gains_agree_with_a_calculation_by_hand():
    own = jnp.array([[0.0, 0.0]])
    targets = jnp.array([[3.0, 4.0], [0.0, 1.0]])
    candidate = jnp.array([[0.0, 3.0]])
    euclidean = euclidean_distances(candidate, jnp.concatenate([own, targets]))
    np.testing.assert_allclose(euclidean, [[3.0, np.sqrt(10), 2.0]], rtol=1e-6)
    squared = squared_distances(candidate, jnp.concatenate([own, targets]))
    np.testing.assert_allclose(squared, [[9.0, 10.0, 4.0]], rtol=1e-6)
    np.testing.assert_allclose(
        gains(squared[:, 0], squared[:, 1:]), [np.log(1 + np.e**5)], rtol=1e-6
    )
    by_hand = {"max": np.e**5, "min": np.e**-1, "sum": np.e**5 + np.e**-1}
    for reduction, ratio in by_hand.items():
        gain = steps_of(TipIm(gain=reduction)).gain
        found = gain(squared[:, 0], squared[:, 1:])
        np.testing.assert_allclose(found, [np.log(1 + ratio)], rtol=1e-6)


def test_mmd_of_one_image_is_its_closed_form():
    """With N = 1 both sets have one image: MMD = 2·19 − 2 Σ_σ exp(−d / 2σ)."""
    for scale in (0.0, 1e-3, 0.05, 1.0, 12.0):
        change = np.random.default_rng(3).uniform(-scale, scale, 300)
        r = np.random.default_rng(4).uniform(0, 255, 300).astype(np.float32)
        p = (r + change).astype(np.float32)
        d = np.sum((p.astype(np.float64) - r) ** 2)
        sigmas = np.array(OFFICIAL_BANDWIDTHS)
        kernels = np.exp(-d / (2 * sigmas))
        found, slope = jax.value_and_grad(mmd)(p[None], r[None], np.ones(1), OFFICIAL_BANDWIDTHS)
        np.testing.assert_allclose(found, 2 * (19 - kernels.sum()), rtol=1e-5, atol=1e-5)
        by_hand = 2 * np.sum(kernels / sigmas) * (p.astype(np.float64) - r)
        np.testing.assert_allclose(slope[0], by_hand, rtol=1e-4, atol=1e-7)


def test_mmd_of_sets_agrees_with_sums_in_double_precision_and_ignores_padding():
    rng = np.random.default_rng(5)
    r = rng.uniform(0, 255, (4, 200)).astype(np.float32)
    p = (r + rng.uniform(-0.5, 0.5, r.shape)).astype(np.float32)
    sigmas = (1.0, 30.0, 1e4)
    a, b = p[:3].astype(np.float64), r[:3].astype(np.float64)

    def mean_kernel(a, b):
        return np.mean(
            [[sum(np.exp(-np.sum((u - v) ** 2) / (2 * s)) for s in sigmas) for v in b] for u in a]
        )

    by_hand = mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)
    assert by_hand > 0.1
    found = mmd(p, r, np.array([1.0, 1.0, 1.0, 0.0]), sigmas)
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)


def test_gamma_restrains_the_mask_and_a_group_of_images_restrains_it_less():
    """method.md: at equal γ the MMD's share of the gradient falls as 1/N²."""
    original, targets = crops(4), crops(3, seed=2)
    keys = image_keys(1, 2, 3, 4)

    def size(gamma, group):
        settings = TipIm(gamma=gamma, iterations=20, views=0, mmd_group_size=group)
        protected, _ = protect([surrogate()], original, targets, keys, settings)
        return float(jnp.sqrt(jnp.mean((protected - original) ** 2)))

    free, alone, together = size(0.0, 1), size(0.05, 1), size(0.05, 4)
    assert alone < 0.7 * free
    assert alone < together <= free * 1.01


def test_the_mmd_gradient_of_a_group_falls_as_the_square_of_its_size():
    """Far apart images: only k(p_i, r_i) differs, and N · ∂MMD/∂x^p_i goes as 1/N²."""
    original = crops(6)
    change = np.random.default_rng(6).uniform(-4, 4, original.shape).astype(np.float32)
    gradients = {}
    for group in (1, 2, 3, 6):
        settings = TipIm(mmd_group_size=group, mmd_bandwidths=(1e3,))
        keys = image_keys(*range(6))
        gradients[group] = steps_of(settings).mmd_gradients(
            original, original + change, keys, np.ones(6, bool)
        )
    for group in (2, 3, 6):
        np.testing.assert_allclose(gradients[group] * group**2, gradients[1], rtol=1e-3, atol=1e-9)


@pytest.mark.thorough
def test_few_images_fill_their_mmd_group_with_views_of_themselves():
    original, keys = crops(2), image_keys(1, 2)
    settings = TipIm(gamma=0.01, iterations=3, views=0, mmd_group_size=7)
    problem, state = start([surrogate()], original, crops(2, seed=2), keys, settings)
    moved = original + np.random.default_rng(7).uniform(-2, 2, original.shape).astype(np.float32)
    gradient = steps_of(settings).mmd_gradients(original, moved, keys, np.ones(2, bool))
    assert np.isfinite(gradient).all() and (np.abs(gradient) > 0).any()
    state, _ = advance((surrogate(),), problem, state, settings, 3)
    assert np.isfinite(state.protected).all()


def test_the_update_accumulates_momentum_as_the_official_code_does():
    problem = SimpleNamespace(
        weight=np.ones((4, 4, 1), np.float32), numbers=SimpleNamespace(step_size=0.18)
    )
    update = steps_of(TipIm(norm="l2", momentum=0.5)).update(problem)
    gradients = np.random.default_rng(0).normal(size=(3, 4, 4, 3)).astype(np.float32)
    state, trace = update.init(gradients[0]), 0.0
    for gradient in gradients:
        change, state = update.update(gradient, state)
        trace = 0.5 * trace + gradient / np.abs(gradient).mean()
        expected = -0.18 * trace / np.sqrt(np.mean(trace**2))
        np.testing.assert_allclose(change, expected, rtol=1e-4)
    sign = steps_of(TipIm(norm="linf")).update(problem)
    change, _ = sign.update(gradients[0], sign.init(gradients[0]))
    np.testing.assert_allclose(change, -0.18 * np.sign(gradients[0]), rtol=1e-6)


@pytest.mark.parametrize("most", [0.0, 2.0])
def test_the_channels_of_a_pixel_change_alike_but_for_a_little_colour(most):
    original = crops(2) / 2 + 60  # no channel reaches 0 or 255
    settings = TipIm(iterations=6, colour_epsilon=most, epsilon=20.0)
    found, _ = protect([surrogate()], original, crops(3, seed=2), image_keys(1, 2), settings)
    change = np.asarray(found) - original
    assert np.abs(change).max() > 5
    assert abs(np.ptp(change, axis=-1).max() - 2 * most) < 1e-3


@pytest.mark.parametrize("most", [0.0, 4.0, 30.0])
def test_channels_change_alike_where_some_are_at_their_limit_too(most):
    rng = np.random.default_rng(4)
    original = rng.choice([0.0, 1.0, 5.0, 128.0, 250.0, 255.0], (60, 60, 3)).astype(np.float32)
    moved = original + rng.normal(scale=12.0, size=original.shape).astype(np.float32)
    budget = rng.choice([0.0, 3.0, 12.0], (60, 60, 1)).astype(np.float32)
    project = functools.partial(projected_on_colours, original=original, budget=budget, most=most)
    found = np.asarray(project(moved))
    assert np.all((found >= 0) & (found <= 255))
    assert np.all(np.abs(found - original) <= budget)
    assert np.ptp(found - original, axis=-1).max() <= 2 * most + 1e-4
    np.testing.assert_allclose(project(found), found, atol=1e-4)  # it is a projection
    near = np.asarray(projected_on_box(moved, original, budget))
    alike = np.ptp(moved - original, axis=-1) <= 2 * most
    free = np.all((original > 20) & (original < 235), axis=-1) & alike
    np.testing.assert_allclose(found[free], near[free], atol=1e-4)


def test_where_a_photo_is_smooth_the_mask_has_less_room():
    original = crops(1, size=32) / 2 + 60
    original[:, :, :16] = 128
    found = contrast(jnp.asarray(original[0]))
    assert found.shape == (32, 32, 1)
    np.testing.assert_allclose(found[:, :9], 0.0, atol=1e-3)
    np.testing.assert_allclose(found[:, 22:], 1.0, atol=1e-3)

    epsilons = np.array([12.0, 8.0, 4.0, 2.0, 0.0], np.float32)
    settings = TipIm(iterations=4, smooth_epsilon=4.0, epsilon=epsilons, learning_rate=20.0)
    original = np.repeat(original, 5, axis=0)
    network, targets = surrogate(size=32), crops(3, seed=2, size=32)
    found, _ = protect([network], original, targets, image_keys(*range(5)), settings)
    change = np.abs(np.asarray(found) - original)
    for half, most in ((change[:, :, :9], np.minimum(epsilons, 4)), (change[:, :, 22:], epsilons)):
        np.testing.assert_allclose(half.max(axis=(1, 2, 3)), most, atol=1e-3)


def test_a_step_of_the_algorithm_gives_way_to_another():
    """The last target in place of the best one, and a step of ours in place of eq. 5's."""
    network, original, targets, keys = surrogate(), crops(2), crops(3, seed=2), image_keys(1, 2)
    settings = TipIm(iterations=3, views=0)
    last = dataclasses.replace(steps_of(settings), best=lambda gains: len(gains) - 1)
    _, choices = protect([network], original, targets, keys, settings, steps=last)
    assert (choices.target == 2).all()
    _, choices = protect([network], original, targets, keys, settings)
    assert (choices.target != 2).any()

    def to_the_limit(moved, problem):
        return problem.original + problem.numbers.epsilon * problem.weight

    up = dataclasses.replace(last, project=to_the_limit)
    found, _ = protect([network], original, targets, keys, settings, steps=up)
    np.testing.assert_allclose(found, original + 12, rtol=1e-6)


def test_each_equation_of_the_paper_names_one_function():
    """`grep "(eq. 7)"` leads to it."""
    found = []
    for path in Path(method.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                equations = re.findall(r"\(eq\. (\d)\)", ast.get_docstring(node) or "")
                found += [(int(number), node.name) for number in equations]
    assert sorted(found) == [
        (2, "identity_cotangents"),
        (3, "mmd"),
        (4, "total_gradient"),
        (5, "step"),
        (6, "best_candidate"),
        (7, "gains"),
    ]
