"""LightCNN-V4 against PyTorch, with random weights and with its own."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

STAGES = {f"conv{stage}": f"conv{stage}" for stage in range(1, 6)}
for _stage, _blocks in {1: 1, 2: 2, 3: 3, 4: 4}.items():
    for _block in range(_blocks):  # in front of the sum, which is no module of ours
        STAGES[f"stage{_stage}_{_block}"] = f"block{_stage}.{_block}.conv2"


def test_random_weights_in_a_checkpoint_agree_with_pytorch():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build("lightcnn")
    variables = torch_networks.converted(
        "lightcnn", {"epoch": 40, "state_dict": module.state_dict()}
    )
    assert_parity("lightcnn", module, variables, STAGES)


def test_real_weights_agree_with_pytorch():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity
    from tipim_jax.networks import get
    from weights_convert import obtain
    from weights_convert.conversion import read_variables

    network = get("lightcnn")
    variables = read_variables(network, obtain(network.weights))
    assert_parity("lightcnn", torch_networks.load("lightcnn"), variables, STAGES)
