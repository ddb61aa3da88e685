"""Vision transformers against PyTorch: random weights in the published names and forms."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import torch_networks  # noqa: E402
from tests.parity.compare import assert_parity  # noqa: E402


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
