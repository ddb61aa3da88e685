"""The face variant of ResNet-50 against PyTorch, from both forms of the published checkpoint."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("nested", [False, True])
def test_resnet50_agrees_with_pytorch(nested):
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity

    module = torch_networks.build("resnet50")
    state = module.state_dict()
    if nested:
        state = {"epoch": 36, "state_dict": {f"module.{name}": x for name, x in state.items()}}
    variables = torch_networks.converted("resnet50", state, _use_new_zipfile_serialization=nested)
    stages = {"stem_norm": "bn1", "head_norm": "bn_o1", "head": "fc"}
    for stage, blocks in {1: 3, 2: 4, 3: 6, 4: 3}.items():
        stages |= {f"stage{stage}_{block}": f"layer{stage}.{block}" for block in range(blocks)}
    assert_parity("resnet50", module, variables, stages)
