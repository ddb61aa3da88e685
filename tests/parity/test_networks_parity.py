"""SFace and dlib's network against PyTorch and the software that their files belong to."""

import jax
import numpy as np
import pytest

import weights_convert
from tests.test_networks import assert_same_embeddings
from tipim_jax import networks
from tipim_jax.networks.dlib_resnet import LEVELS
from tipim_jax.networks.preprocess import normalise
from tipim_jax.networks.sface import BLOCKS

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import onnx_files, torch_networks  # noqa: E402
from tests.parity.compare import assert_parity, faces  # noqa: E402

# In PyTorch both are sequences: of a convolution, its normalisation and its PReLU, and of blocks.
SFACE_UNITS = ["conv_1"]
for _index in range(2, 2 + len(BLOCKS)):
    SFACE_UNITS += [f"conv_{_index}_dw", f"conv_{_index}"]
SFACE = {name: str(3 * number + 2) for number, name in enumerate(SFACE_UNITS)}
SFACE |= {"head_norm": "81", "head_linear": "83", "embedding_norm": "84"}
DLIB_BLOCKS = [f"level{n}_{b}" for n, (_, count, _) in enumerate(LEVELS) for b in range(count)]
DLIB = {"stem": "0"} | {name: str(number) for number, name in enumerate(DLIB_BLOCKS, start=3)}
DLIB["head"] = str(3 + len(DLIB_BLOCKS))


@pytest.mark.parametrize(("name", "stages"), [("sface", SFACE), ("dlib", DLIB)])
def test_real_weights_agree_with_pytorch(name, stages):
    assert_parity(name, torch_networks.load(name), weights_convert.load(name), stages)


def test_dlib_agrees_with_dlib_itself():
    pytest.importorskip("dlib", reason="dlib is not installed; `pip install dlib` compiles it")
    from tests.golden.networks.make import dlib_chips, dlib_embeddings

    network = networks.get("dlib")
    chips = dlib_chips(faces().astype(np.uint8))
    inputs = normalise(chips.astype(np.float32), network.channel_order, network.mean, network.std)
    ours = jax.jit(network.module().apply)(weights_convert.load("dlib"), inputs)
    assert_same_embeddings(ours, dlib_embeddings(chips))


def test_sface_agrees_with_onnxruntime_on_its_own_file():
    theirs = onnx_files.run(onnx_files.published("sface"), faces().transpose(0, 3, 1, 2))
    ours = jax.jit(networks.get("sface").embed)(weights_convert.load("sface"), faces())
    assert_same_embeddings(ours, theirs)
