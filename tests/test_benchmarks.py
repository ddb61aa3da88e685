"""What benchmarks count, fit and compare; and that they run, without PyTorch."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from benchmarks import flops, table
from benchmarks.scaling import exponent
from benchmarks.subject import embed
from tipim_jax import networks
from tipim_jax.method import Surrogate, TipIm

PADDED = ((0, 0), (0, 0), (0, 0), (0, 1))  # from three channels to four


def mobileface_multiplications():
    """By hand: MobileFaceNet's layers as (pixels out, taps, channels in, channels out)."""

    def bottlenecks(count, pixels_in, pixels_out, features_in, width, features):
        return count * (
            pixels_in * features_in * width + pixels_out * 9 * width + pixels_out * width * features
        )

    return (
        56**2 * 9 * 3 * 64
        + 56**2 * 9 * 64
        + bottlenecks(1, 56**2, 28**2, 64, 128, 64)
        + bottlenecks(4, 28**2, 28**2, 64, 128, 64)
        + bottlenecks(1, 28**2, 14**2, 64, 256, 128)
        + bottlenecks(6, 14**2, 14**2, 128, 256, 128)
        + bottlenecks(1, 14**2, 7**2, 128, 512, 128)
        + bottlenecks(2, 7**2, 7**2, 128, 256, 128)
        + 7**2 * 128 * 512
        + 7**2 * 512
        + 512 * 512
    )


def abstract(name):
    variables = networks.get(name).abstract_variables()
    return Surrogate(partial(embed, name, "float32"), variables)


def test_operations_are_those_of_the_layers():
    """Normalisation and activations count, too, a few in a hundred; the gradient goes back."""
    multiplications = mobileface_multiplications()
    counted = flops.passes(abstract("mobileface"))
    assert 2 * multiplications < counted.forward < 1.06 * 2 * multiplications
    assert 1.94 * counted.forward < counted.gradient < 2.06 * counted.forward


def convolutions(weights, images):
    """With strides, padding, windows that are spread, groups, and their gradients."""
    for stride, spread, groups in ((1, 1, 1), (2, 1, 2), (1, 2, 1)):
        images = jax.lax.conv_general_dilated(
            *(images, weights[:, :, : images.shape[-1] // groups], (stride, stride), "SAME"),
            rhs_dilation=(spread, spread),
            feature_group_count=groups,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
    return jnp.where(images > 0, images, 0.1 * images).sum(axis=(1, 2)) @ weights[0, 0]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="XLA counts for a CPU alone")
@pytest.mark.parametrize("network", ["by hand", "mobileface"])
def test_operations_are_as_many_as_xla_counts(network):
    """XLA's count is of the same program, before it is optimised."""
    surrogate = abstract("mobileface")
    if network == "by hand":
        weights = jax.ShapeDtypeStruct((3, 3, 4, 4), jnp.float32)
        surrogate = Surrogate(convolutions, weights, size=(15, 18))
        surrogate = replace(surrogate, embed=lambda w, x: convolutions(w, jnp.pad(x, PADDED)))
    images = jax.ShapeDtypeStruct((1, *surrogate.size, 3), jnp.float32)

    def gradient(weights, images):
        embeddings, pull_back = jax.vjp(partial(surrogate.embed, weights), images)
        return pull_back(embeddings)

    counted = [
        jax.jit(function).lower(surrogate.variables, images).cost_analysis()["flops"]
        for function in (surrogate.embed, gradient)
    ]
    assert list(flops.passes(surrogate)) == pytest.approx(counted, rel=0.001)


def test_layers_read_and_write_their_maps():
    """By hand: two products of float32, the second of one number an image."""

    def layers(weights, images):
        return jnp.tanh(images.reshape(len(images), -1) @ weights) @ weights[:1, :1].T

    size, features = 5 * 4 * 3, 1
    weights = jax.ShapeDtypeStruct((size, features), jnp.float32)
    surrogate = Surrogate(layers, weights, size=(5, 4))
    maps = 4 * (size + features + 1)
    assert flops.least_bytes(surrogate) == (2 * maps, 4 * maps)
    assert flops.weight_bytes(surrogate) == 4 * size * features


def test_half_the_precision_moves_half_the_bytes():
    """But for the crop itself, which every network sees in float32."""
    crop = 4 * 112 * 112 * 3
    exact = abstract("mobileface")
    halved = replace(exact, embed=partial(embed, "mobileface", "bfloat16"))
    each = [flops.least_bytes(one).forward / 2 - crop for one in (exact, halved)]
    assert each[0] == 2 * each[1]
    assert flops.weight_bytes(exact) == 2 * flops.weight_bytes(halved)


def test_an_iteration_reads_the_weights_once_a_pass():
    assert flops.passes_of_weights(TipIm(), 10) == 3
    assert flops.passes_of_weights(TipIm(search_every=5), 10) == 2.2
    assert flops.passes_of_weights(TipIm(target_choice="nearest"), 10) == 2


def test_the_largest_layer_is_the_first_expansion():
    layer = flops.largest_layer("mobileface", "float32", 2)
    assert layer.name == "product of 2×56×56×64 by 64×128"
    assert layer.flops == 2 * 2 * 56**2 * 64 * 128
    assert layer.run(*layer.arguments()).shape == (2, 56, 56, 128)


def test_an_iteration_costs_its_passes():
    each = flops.Passes(forward=1.0, gradient=3.0)
    assert flops.of_iteration(each, TipIm(), 10) == 1 + 10 * 3
    assert flops.of_iteration(each, TipIm(search_every=5), 10) == (31 + 4 * 3) / 5
    assert flops.of_iteration(each, TipIm(target_choice="nearest"), 10) == 3
    assert flops.of_iteration(each, TipIm(), 1) == 3


@pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 1.5])
def test_an_exponent_is_found_again(power):
    sizes = [1, 2, 5, 10, 50]
    assert exponent(sizes, [0.3 * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_an_exponent_of_one_size_is_an_error():
    with pytest.raises(ValueError, match="two sizes"):
        exponent([4], [1.0])


def test_rows_are_compared_with_the_same_ones(tmp_path):
    def rows(*speeds):
        return [{"batch": batch, "speed": speed} for batch, speed in enumerate(speeds)]

    table.save(tmp_path / "before.json", {"cores": 2}, rows(2.0, 4.0))
    table.save(tmp_path / "after.json", {"cores": 2}, rows(3.0, 3.0, 3.0))
    before, after = (table.load(tmp_path / f"{name}.json") for name in ("before", "after"))
    assert table.ratios(after, before, ["batch"], "speed") == [1.5, 0.75, None]


def test_a_file_of_something_else_is_named(tmp_path):
    (tmp_path / "other.json").write_text('{"machine": {}}')
    for name in ("other", "missing"):
        with pytest.raises(ValueError, match=rf"{name}\.json"):
            table.load(tmp_path / f"{name}.json")


def test_a_table_is_aligned():
    rows = [{"name": "a", "speed": 1.0}, {"name": "longer", "speed": None}]
    shown = table.text(rows, {"name": ("name", ""), "speed": ("img/s", ".2f")})
    assert shown.splitlines() == ["name    img/s", "a        1.00", "longer      –"]


@pytest.mark.thorough
def test_the_method_is_measured(tmp_path):
    """End to end, without a search, which halves the time to compile."""
    stored = tmp_path / "figures.json"
    command = "--no-torch --batch 1 --devices 1 --mode nearest --iterations 1 --turns 1 --json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.attack", *command.split(), str(stored)],
        cwd=Path(__file__).parents[1],
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(stored.read_text())["rows"]
    assert row["speed"] > 0 and row["compile"] > row["compile_cached"]
    assert 0 < row["of_product"] < 1.5 and 0.1 < row["memory"] < 8
    assert "images·it/s" in done.stdout
