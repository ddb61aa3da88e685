"""Every network live against PyTorch, and against the runtime of its file where there is one."""

from pathlib import Path

import numpy as np
import pytest

import weights_convert
from tests.test_networks import assert_same_embeddings, embedder, gradient
from tipim_jax import networks
from tipim_jax.networks.preprocess import normalise

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def crops():
    path = Path(__file__).parents[1] / "golden" / "networks" / "faces.npz"
    with np.load(path) as arrays:
        return arrays["crops"].astype(np.float32)


@pytest.mark.parametrize("name", networks.names())
def test_embeddings_and_gradients_agree_with_pytorch(name, crops):
    from tests.parity import torch_networks

    pixels = crops.transpose(0, 3, 1, 2).copy()
    with torch.no_grad():
        inputs = torch_networks.preprocess(name, torch.from_numpy(pixels))
        theirs = torch_networks.load(name)(inputs).numpy()
    assert_same_embeddings(embedder(name)(crops), theirs)

    cotangents = np.random.default_rng(1).normal(size=theirs.shape).astype(np.float32)
    expected = torch_networks.gradient(name, pixels, cotangents)
    found = gradient(name, crops, cotangents)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-6


def test_dlib_agrees_with_dlib_itself(crops):
    pytest.importorskip("dlib", reason="dlib is not installed; `pip install dlib` compiles it")
    from tests.golden.networks.make import dlib_chips, dlib_embeddings

    network = networks.get("dlib")
    chips = dlib_chips(crops.astype(np.uint8))
    inputs = normalise(chips.astype(np.float32), network.channel_order, network.mean, network.std)
    ours = network.module().apply(weights_convert.load("dlib"), inputs)
    assert_same_embeddings(ours, dlib_embeddings(chips))


def test_sface_agrees_with_onnxruntime_on_its_own_file(crops):
    from tests.parity import onnx_sface

    theirs = onnx_sface.embed(crops.transpose(0, 3, 1, 2))
    assert_same_embeddings(embedder("sface")(crops), theirs)
