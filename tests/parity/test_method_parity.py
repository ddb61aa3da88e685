"""Ours against PyTorch, live: the official loop in double precision, and the random views."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import weights_convert
from tests.method_cases import CASES, official_run
from tipim_jax import networks
from tipim_jax.method import Surrogate
from tipim_jax.method.views import draw_warps, warped

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def official():
    from tests.golden.method.make import run

    path = Path(__file__).parents[1] / "golden" / "method" / "official_loop.npz"
    with np.load(path) as arrays:
        crops, targets = arrays["crops"].astype(float), arrays["targets"].astype(float)
    return crops, targets, *run(torch.float64, crops, targets)


def double_precision(variables, images):
    network = networks.get("mobileface")
    inputs = (images[..., ::-1] - 127.5) / 127.5
    return network.module(jnp.float64).apply(variables, inputs)


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{n}, gamma {g}" for n, g in CASES])
def test_ten_iterations_are_those_of_the_official_loop(official, case):
    """In float64 rounding decides no pixel: every one agrees."""
    crops, targets, protected, chosen = official
    with jax.enable_x64(True):
        variables = jax.tree.map(lambda a: a.astype(float), weights_convert.load("mobileface"))
        surrogate = Surrogate(double_precision, variables)
        ours, choices = official_run(surrogate, crops, targets, *CASES[case])
    np.testing.assert_array_equal(choices.T, chosen[case])
    assert np.abs(protected[case] - crops).max() > 1
    np.testing.assert_allclose(ours, protected[case], atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_a_view_is_the_official_grid_sampling(seed):
    """affine_grid and grid_sample, each followed by the mask of the ones that it leaves whole."""
    from tests.parity.torch_tip_im import view as official_view

    image = np.random.default_rng(seed).uniform(0, 255, (24, 20, 3)).astype(np.float32)
    matrices = np.array(draw_warps(jax.random.key(seed)))
    seen = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = official_view(seen, torch.from_numpy(matrices)[None])[0].permute(1, 2, 0).numpy()
    assert (expected == 0).any() and (expected != 0).mean() > 0.5
    np.testing.assert_allclose(warped(jnp.asarray(image), matrices), expected, atol=2e-2)
