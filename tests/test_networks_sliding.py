"""Convolution and pooling with windows that are not square, or whose padding is no zero."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tipim_jax.networks.ops.dense import dense_conv
from tipim_jax.networks.ops.depthwise import depthwise_conv
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows
from tipim_jax.networks.ops.sums import channel_mean, pixel_sum, vector_product


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def assert_same_function(ours, reference, *arguments):
    """Values, and gradients of several cotangents at once, for every argument."""
    shape = jax.eval_shape(reference, *arguments).shape
    cotangents = random(3, *shape)

    def both(function):
        value, pull_back = jax.vjp(function, *arguments)
        return value, jax.vmap(pull_back)(cotangents)

    (value, found), (expected, wanted) = (
        jax.jit(functools.partial(both, function))() for function in (ours, reference)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    for ours_, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours_, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("height", "width", "features"), [(8, 11, 4), (3, 3, 60)])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [
        *(((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0)), ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))),
        *(((2, 3), 1, (1, 0)), ((2, 3), 2, (0, 1)), ((3, 5), 2, (1, 2))),
    ],
)
def test_rectangular_convolution_is_the_one_of_xla(height, width, features, size, stride, padding):
    def reference(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (stride, stride),
            [(side, side) for side in padding],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=jax.lax.Precision.HIGHEST,
        )

    assert_same_function(
        lambda x, k: dense_conv(x, k, stride, padding),
        reference,
        random(2, height, width, 3),
        random(*size, 3, features),
    )


def test_dense_convolution_is_left_to_xla_where_the_platform_is_no_cpu(monkeypatch):
    x, kernel = random(2, 9, 9, 3), random(3, 3, 3, 4)

    def gradient():
        """Its program and its value; a function of its own each time, as JAX keeps traces."""
        compute = jax.grad(lambda x: dense_conv(x, kernel, 2, 1).sum())
        return str(jax.make_jaxpr(compute)(x)), jax.jit(compute)(x)

    by_hand, expected = gradient()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    xlas_own, found = gradient()
    dilated = "lhs_dilation=(2, 2)"  # as XLA does it
    assert dilated not in by_hand
    assert dilated in xlas_own
    assert "custom_vjp" not in xlas_own
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_large_depthwise_kernels_are_left_to_xla_where_the_platform_is_no_cpu(monkeypatch):
    x = random(2, 9, 11, 4)

    def gradient(size):
        kernel = random(size, size, 4)
        compute = jax.grad(lambda x: jnp.sin(depthwise_conv(x, kernel, 1, size // 2)).sum())
        return str(jax.make_jaxpr(compute)(x)), jax.jit(compute)(x)

    by_hand = {size: gradient(size) for size in (3, 5)}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for size, (program, expected) in by_hand.items():
        theirs, found = gradient(size)
        assert "feature_group_count=4" not in program
        assert ("feature_group_count=4" in theirs) == (size > 3)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_behind_an_activation_convolves_no_channel_anew():
    """By XLA's count of the compiled program's operations, what is fused twice included."""
    x, kernel, weights = random(1, 12, 12, 8), random(3, 3, 8), random(8, 4)

    def forward(x):
        seen = depthwise_conv(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), kernel, 1, 1)
        return (jnp.where(seen > 0, seen, 0.25 * seen) @ weights).sum()

    once, gradient = (
        jax.jit(function).lower(x).compile().cost_analysis()["flops"]
        for function in (forward, jax.value_and_grad(forward))
    )
    taps = 2 * 9 * 14 * 14 * 8
    assert once > taps
    assert gradient < 3.5 * taps  # itself, its transpose, and what is done once to each value


def test_products_of_few_rows_are_sums_where_the_platform_is_no_cpu(monkeypatch):
    x, kernel = random(5, 1, 1, 16), random(16, 3)
    compute = jax.vjp(lambda x: vector_product(x, kernel), x)[1]
    expected, gradient = vector_product(x, kernel), compute(random(5, 1, 1, 3))[0]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")

    def both(x):
        found, pull_back = jax.vjp(lambda x: vector_product(x, kernel), x)
        return found, pull_back(random(5, 1, 1, 3))[0]

    assert "dot_general" not in str(jax.make_jaxpr(both)(x))
    for found, wanted in zip(both(x), (expected, gradient), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_stem_has_eight_channels_where_the_platform_is_no_cpu(monkeypatch):
    x, kernel = random(2, 9, 9, 3), random(3, 3, 3, 4)
    expected = dense_conv(x, kernel, 2, 1)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "f32[3,3,8,4]" in str(jax.make_jaxpr(lambda x: dense_conv(x, kernel, 2, 1))(x))
    np.testing.assert_allclose(dense_conv(x, kernel, 2, 1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("sum_", "axis"), [(channel_mean, -1), (pixel_sum, 1)])
def test_sums_are_products_on_a_cpu_alone(monkeypatch, sum_, axis):
    x = random(2, 5, 3, 7)
    expected = (np.mean if sum_ is channel_mean else np.sum)(x.astype(np.float64), axis=axis)
    for backend, products in (("cpu", 1), ("gpu", 0)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        program = str(jax.make_jaxpr(lambda x: sum_(x))(x))
        assert program.count("dot_general") == products
        found = sum_(x).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 11)])
@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 2, 1), (3, 1, 1), (2, 2, 1)])
def test_padding_is_never_the_maximum(height, width, size, stride, padding):
    def reference(x):
        edges = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
        window, strides = (1, size, size, 1), (1, stride, stride, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, edges)

    below_zero = random(2, height, width, 4) - 10
    windows = SlidingWindows(size, stride, padding)
    assert_same_function(lambda x: max_pool(x, windows), reference, below_zero)


def test_windows_with_gaps_between_them_are_refused():
    with pytest.raises(ValueError, match=r"stride 2 is not between 1 and the size \(1, 3\)"):
        SlidingWindows((1, 3), 2, 0)
