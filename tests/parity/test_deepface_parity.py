"""Networks as DeepFace keeps them against PyTorch: random weights in files of both its backends."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import keras_files, torch_networks  # noqa: E402
from tests.parity.compare import assert_parity  # noqa: E402
from tests.parity.reference import inception_resnet  # noqa: E402
from tests.parity.test_inception_resnet_parity import STAGES  # noqa: E402
from tipim_jax.networks import get  # noqa: E402
from weights_convert.conversion import read_variables  # noqa: E402

NAMED = {
    "gdc_dw": "GDC_dw",
    "gdc_bn": "GDC_batchnorm",
    "gdc_conv": "GDC_conv",
    "pre_embedding": "pre_embedding",
}
GHOST_STAGES = {"stem": "stem", "tail": "tail", "linear": "gdc_conv"}
GHOST_STAGES |= {f"block{index}": f"bottlenecks.{index}" for index in range(16)}


def test_ghostfacenet_agrees_with_pytorch():
    module = torch_networks.build("ghostfacenet")
    variables = torch_networks.converted("ghostfacenet", module.state_dict())
    assert_parity("ghostfacenet", module, variables, GHOST_STAGES)


def test_vgg_face_agrees_with_pytorch():
    module = torch_networks.build("vgg-face")
    variables = torch_networks.converted("vgg-face", module.state_dict())
    assert_parity("vgg-face", module, variables, noise=1)


# As DeepFace saves weights alone, and as a whole model is saved late in a long session.
@pytest.mark.parametrize(
    ("name", "first", "root"),
    [
        ("ghostfacenet", 0, ""),
        ("ghostfacenet", 95, "model_weights/"),
        ("vgg-face", 1, ""),
    ],
)
def test_keras_files_hold_the_weights_of_the_state_dict(tmp_path, name, first, root):
    module, network = torch_networks.build(name), get(name)
    image = torch.zeros(1, 3, *network.input_size)
    named = NAMED if name == "ghostfacenet" else {}
    path = tmp_path / "weights.h5"
    keras_files.write(module, image, path, first=first, named=named, root=root)
    expected = torch_networks.converted(name, module.state_dict())
    jax.tree.map(np.testing.assert_array_equal, read_variables(network, path), expected)


def facenet():
    """FaceNet-512 with random weights, and without scales in its batch normalisation."""
    module = torch_networks.build("facenet-512")
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.weight.fill_(1)
    return module


# Block17_4_Branch_4 is how DeepFace's code names what everybody else calls Block17_4_Branch_1.
@pytest.mark.parametrize("counting_on", [False, True])
def test_facenet_512_agrees_with_pytorch(tmp_path, counting_on):
    module, path = facenet(), tmp_path / "facenet512_weights.h5"
    inception_resnet.write_keras(module, path, counting_on=counting_on)
    variables = read_variables(get("facenet-512"), path)
    if counting_on:
        assert_parity("facenet-512", module, variables, STAGES)
    expected = torch_networks.converted("facenet-512", module.state_dict())
    jax.tree.map(np.testing.assert_array_equal, variables, expected)


def test_facenet_512_is_read_under_the_names_of_deepfaces_pytorch_backend():
    state = facenet().state_dict()
    found = torch_networks.converted(
        "facenet-512", {inception_resnet.deepface_name(name): x for name, x in state.items()}
    )
    expected = torch_networks.converted("facenet-512", state)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
