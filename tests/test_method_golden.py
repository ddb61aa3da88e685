"""Ours against the official loop as PyTorch ran it on real faces (tests/golden/method/make.py)."""

from pathlib import Path

import numpy as np
import pytest

import weights_convert
from tests.method_cases import CASES, official_run
from tipim_jax import networks
from tipim_jax.method import Surrogate

# Share of pixels that may part by more than 0.1 of 255 after ten steps. Along g / ‖g‖₂ none does at
# γ = 0. sign(g) jumps where float32 cannot tell g from 0, and so does g where the MMD's gradient
# cancels the identity's; in float64 none parts in any case (tests/parity/test_method_parity.py).
PARTED = {("l2", 0.0): 0.0, ("l2", 0.0007): 0.002, ("linf", 0.0): 0.02, ("linf", 0.007): 0.002}


@pytest.fixture(scope="module")
def golden():
    path = Path(__file__).parent / "golden" / "method" / "official_loop.npz"
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def surrogate():
    return Surrogate(networks.get("mobileface").embed, weights_convert.load("mobileface"))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=f"{norm}, gamma {gamma}",
            marks=pytest.mark.thorough if norm == "linf" else (),
        )
        for case, (norm, gamma) in enumerate(CASES)
    ],
)
def test_ten_iterations_agree_with_the_official_loop(golden, surrogate, case):
    crops, targets = (golden[name].astype(np.float32) for name in ("crops", "targets"))
    protected, chosen = official_run(surrogate, crops, targets, *CASES[case])
    np.testing.assert_array_equal(chosen.T, golden["chosen"][case])
    expected = golden["masks"][case].astype(np.float32)
    assert np.abs(expected).max() > 1, "the golden masks are masks"
    parted = np.abs(protected - crops - expected) > 0.1
    assert parted.mean() <= PARTED[CASES[case]]
