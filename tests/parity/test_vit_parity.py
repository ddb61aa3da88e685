"""Vision transformers against PyTorch: random weights in the published names and forms."""

import warnings

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import onnx_files, torch_networks  # noqa: E402
from tests.parity.compare import assert_parity, faces  # noqa: E402
from tests.test_networks import unit  # noqa: E402
from tipim_jax.networks import get  # noqa: E402
from weights_convert.conversion import read_variables  # noqa: E402


def stages(depth):
    parts = {"head_norm": "norm", "head_linear": "feature.0", "embedding_norm": "feature.3"}
    for index in range(depth):
        parts |= {
            f"block{index}_attention": f"blocks.{index}.attn",
            f"block{index}_perceptron": f"blocks.{index}.mlp",
        }
    return parts


@pytest.mark.parametrize("name", ["lvface-t", "lvface-s"])
def test_lvface_state_dicts_agree_with_pytorch(name):
    module = torch_networks.build(name)
    variables = torch_networks.converted(name, module.state_dict())
    assert_parity(name, module, variables, stages(12))


def test_the_vision_transformer_of_cvlface_agrees_with_pytorch():
    module = torch_networks.build("cvlface-vit")
    state = {f"net.{name}": value for name, value in module.state_dict().items()}
    del state["net.mask_token"]  # which it has only where patches were hidden in training
    variables = torch_networks.converted("cvlface-vit", state)
    assert_parity("cvlface-vit", module, variables, stages(24))


# LVFace's torch2onnx_v1.py leaves the batch open and the version to PyTorch, 17 of late.
@pytest.mark.parametrize(("version", "batch"), [(11, 4), (14, 4), (17, 4), (17, None), (20, 4)])
def test_every_way_of_exporting_gives_the_weights_of_the_state_dict(tmp_path, version, batch):
    module, path = torch_networks.build("lvface-t"), tmp_path / "LVFace-T_Glint360K.onnx"
    images = torch.zeros(batch or 1, 3, 112, 112)
    axes = {"data": {0: "batch_size"}} if batch else None
    with warnings.catch_warnings():  # there is a newer exporter
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (images,),
            path,
            input_names=["data"],
            dynamic_axes=axes,
            opset_version=version,
            dynamo=False,
        )
    found = read_variables(get("lvface-t"), path)
    expected = torch_networks.converted("lvface-t", module.state_dict())
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    if version == 17:
        inputs = torch_networks.preprocess("lvface-t", torch.from_numpy(_pixels()))
        theirs = onnx_files.run(path, inputs.numpy())
        ours = get("lvface-t").embed(found, faces())
        np.testing.assert_allclose(unit(ours), unit(theirs), atol=2e-5)


def _pixels():
    return faces().transpose(0, 3, 1, 2).copy()
