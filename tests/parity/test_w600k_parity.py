"""InsightFace's MobileFaceNet against PyTorch and onnxruntime: random weights, and real ones."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import onnx_files, torch_networks  # noqa: E402
from tests.parity.compare import assert_parity, faces  # noqa: E402
from tests.parity.reference import w600k  # noqa: E402
from tests.test_networks import unit  # noqa: E402
from tipim_jax.networks import get  # noqa: E402
from weights_convert.conversion import read_variables  # noqa: E402

NETWORK = get("w600k")
# Without the first two parts, whose channels are in another order here. What a block is added to is
# no part of ours.
STAGES = {"down2": "layers.2", "down3": "layers.4", "down4": "layers.6"}
STAGES |= {
    f"stage{stage}_{index}": f"layers.{layer}.layers.{index}.layers"
    for stage, layer, count in ((2, 3, 4), (3, 5, 6), (4, 7, 2))
    for index in range(count)
}
STAGES |= {"head_expand": "conv_sep.0", "head_reduce": "conv_sep.1", "head_linear": "features"}


def test_random_weights_from_an_exported_graph_agree_with_pytorch(tmp_path):
    module = torch_networks.randomised(w600k.build("w600k"), 0).eval().requires_grad_(False)
    variables = read_variables(NETWORK, onnx_files.export(module, tmp_path / "network.onnx"))
    assert_parity("w600k", module, variables, STAGES)


def test_real_weights_agree_with_pytorch():
    variables = read_variables(NETWORK, onnx_files.published("w600k"))
    assert_parity("w600k", w600k.load("w600k").eval(), variables, STAGES)


def test_real_weights_agree_with_onnxruntime_on_their_own_file():
    path = onnx_files.published("w600k")
    images = torch_networks.preprocess("w600k", torch.from_numpy(faces().transpose(0, 3, 1, 2)))
    ours = NETWORK.embed(read_variables(NETWORK, path), faces())
    np.testing.assert_allclose(unit(ours), unit(onnx_files.run(path, images.numpy())), atol=2e-5)
