"""Sphere20 against PyTorch, from state dicts as the authors publish them."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

BLOCKS = {1: 1, 2: 2, 3: 4, 4: 1}


def test_cosface_agrees_with_pytorch():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build("cosface")
    state = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    variables = torch_networks.converted("cosface", state, _use_new_zipfile_serialization=False)
    stages = {f"down{stage}": f"layer{stage}.1" for stage in BLOCKS}
    for stage, blocks in BLOCKS.items():
        for block in range(blocks):  # in front of the sum, which is no module of ours
            stages[f"stage{stage}_{block}"] = f"layer{stage}.{block + 2}.prelu2"
    assert_parity("cosface", module, variables, stages)


def test_sphereface_agrees_with_pytorch_and_its_classifier_is_left_out():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build("sphereface")
    state = module.state_dict() | {"fc6.weight": torch.ones(512, 10574)}
    variables = torch_networks.converted("sphereface", state, _use_new_zipfile_serialization=False)
    stages = {f"down{stage}": f"relu{stage}_1" for stage in BLOCKS}
    for stage, blocks in BLOCKS.items():
        for block in range(blocks):
            stages[f"stage{stage}_{block}"] = f"relu{stage}_{2 * block + 3}"
    assert_parity("sphereface", module, variables, stages)
