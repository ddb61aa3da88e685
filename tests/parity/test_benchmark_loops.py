"""The loops that we compare our speed with do the same as the official one."""

from pathlib import Path

import numpy as np
import pytest

from tipim_jax.method import TipIm

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")

# PyTorch's compiler takes minutes.
WAYS = [
    *(
        pytest.param(way, marks=pytest.mark.parity)
        for way in ("official", "tuned", "channels_last", "batched")
    ),
    pytest.param("compiled", marks=pytest.mark.slow),
]
ITERATIONS = 2
SETTINGS = TipIm(views=0)


@pytest.fixture(scope="module")
def official():
    """Two crops and four targets, and what the official loop makes of them."""
    from tests.parity.torch_networks import load, preprocess
    from tests.parity.torch_tip_im import official_loop

    path = Path(__file__).parents[1] / "golden" / "method" / "official_loop.npz"
    with np.load(path) as arrays:
        crops, targets = (
            torch.from_numpy(arrays[name].transpose(0, 3, 1, 2).astype(np.float32))
            for name in ("crops", "targets")
        )
    module = load("mobileface")
    each = [
        official_loop(
            lambda images: module(preprocess("mobileface", images)),
            crop[None],
            targets,
            iterations=ITERATIONS,
            planned=SETTINGS.iterations,
            epsilon=SETTINGS.epsilon,
            gamma=SETTINGS.gamma,
            norm=SETTINGS.norm,
        )
        for crop in crops
    ]
    protected, chosen = zip(*each, strict=True)
    return crops, targets, torch.cat(protected), np.array(chosen).T


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler, of itself
@pytest.mark.parametrize("way", WAYS)
def test_every_loop_is_the_official_one(official, way):
    from benchmarks import torch_loops
    from tests.parity.torch_networks import load

    crops, targets, expected, expected_chosen = official
    loop = getattr(torch_loops, way)(torch_loops.Network("mobileface", load("mobileface")))
    try:
        protected, chosen = loop(crops, targets, SETTINGS, ITERATIONS)
    except Exception as error:
        if way != "compiled":
            raise
        pytest.skip(f"PyTorch's compiler does not work here: {type(error).__name__}")
    np.testing.assert_array_equal(chosen, expected_chosen)
    np.testing.assert_allclose(protected, expected, atol=0.05)
    assert (protected - crops).abs().max() > 0.1
