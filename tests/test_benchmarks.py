"""What benchmarks count, fit and compare; and that they run, without PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import flops, table
from benchmarks.scaling import exponent
from tipim_jax.method import TipIm


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


def test_operations_are_those_of_the_layers():
    """XLA also counts normalisation and activations, a few in a hundred; the gradient goes back."""
    multiplications = mobileface_multiplications()
    counted = flops.passes("mobileface")
    assert 2 * multiplications < counted.forward < 1.06 * 2 * multiplications
    assert 1.94 * counted.forward < counted.gradient < 2.06 * counted.forward


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
