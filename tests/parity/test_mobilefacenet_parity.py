"""MobileFaceNet against PyTorch: random weights under RobFR's names, and real ones."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

BLOCKS = [
    *("down2", *(f"stage2_{index}" for index in range(4))),
    *("down3", *(f"stage3_{index}" for index in range(6))),
    *("down4", *(f"stage4_{index}" for index in range(2))),
]


def test_robfr_weights_agree_with_pytorch():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build("mobileface-softmax")
    variables = torch_networks.converted(
        "mobileface-softmax",
        {"state_dict": module.state_dict()},
        _use_new_zipfile_serialization=False,
    )
    stages = {"stem": "conv1", "stem_depthwise": "dw_conv1", "head_expand": "conv2"}
    stages |= {"head_depthwise": "linear7", "head_linear": "linear1"}
    # In front of the sum, which is no module of ours.
    stages |= {ours: f"blocks.{index}.conv" for index, ours in enumerate(BLOCKS)}
    assert_parity("mobileface-softmax", module, variables, stages)


@pytest.mark.parametrize("name", ["mobileface", "mobileface-mv"])
def test_real_weights_agree_with_pytorch(name):
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity
    from tipim_jax.networks import get
    from weights_convert import obtain
    from weights_convert.conversion import read_variables

    network = get(name)
    variables = read_variables(network, obtain(network.weights))
    stages = {"stem": "conv1", "stem_depthwise": "conv2_dw", "head_expand": "conv_6_sep"}
    stages |= {"down2": "conv_23", "down3": "conv_34", "down4": "conv_45"}
    stages |= {"head_depthwise": "conv_6_dw", "head_linear": "bn"}
    for ours, theirs, count in [("stage2", "conv_3", 4), ("stage3", "conv_4", 6)]:
        for index in range(count):
            stages[f"{ours}_{index}"] = f"{theirs}.model.{index}.project"
    assert_parity(name, torch_networks.load(name), variables, stages)
