"""Inception-ResNet-v1 against PyTorch: random weights in facenet-pytorch's names, and real ones."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

STAGES = {
    **{f"conv_{place}": f"conv2d_{place}" for place in ("1a", "2a", "2b", "3b", "4a", "4b")},
    "mixed_6a": "mixed_6a",
    "mixed_7a": "mixed_7a",
    # Blocks end in a ReLU, which is no part of ours, so their convolutions are compared.
    **{f"block35_{index}/project": f"repeat_1.{index}.conv2d" for index in range(5)},
    **{f"block17_{index}/project": f"repeat_2.{index}.conv2d" for index in range(10)},
    **{f"block8_{index}/project": f"repeat_3.{index}.conv2d" for index in range(5)},
    "block8_last": "block8",
    "linear": "last_linear",
    "norm": "last_bn",
}


@pytest.mark.parametrize("name", ["facenet", "facenet-casia"])
def test_facenet_pytorch_weights_agree_with_pytorch(name):
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build(name)
    classifier = {"logits.weight": torch.zeros(10, 512), "logits.bias": torch.zeros(10)}
    variables = torch_networks.converted(name, module.state_dict() | classifier)
    assert_parity(name, module, variables, STAGES)


@pytest.mark.parametrize("name", ["facenet", "facenet-128"])
def test_real_weights_agree_with_pytorch(name):
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity
    from tipim_jax.networks import get
    from weights_convert import obtain
    from weights_convert.conversion import read_variables

    network = get(name)
    variables = read_variables(network, obtain(network.weights))
    assert_parity(name, torch_networks.load(name), variables, STAGES)
