"""nn4.small2 against PyTorch: random weights in a Keras file, and real ones."""

import h5py
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

MODULES = ("3a", "3b", "3c", "4a", "4e", "5a", "5b")
STAGES = {
    **{"conv1": "first", "conv2": "second", "conv3": "third"},
    **{name: name for name in (f"inception_{part}" for part in MODULES)},
    "linear": "dense",
}


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_keras_weights_agree_with_pytorch(root, tmp_path):
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity
    from tests.parity.reference import nn4
    from tipim_jax.networks import get
    from weights_convert.conversion import read_variables

    module = torch_networks.build("nn4-small2")
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        for (layer, variable), array in nn4.keras_arrays(module).items():
            file[f"{root}{layer}/{layer}/{variable}:0"] = array
    variables = read_variables(get("nn4-small2"), path)
    assert_parity("nn4-small2", module, variables, STAGES)


def test_real_weights_agree_with_pytorch():
    from tests.parity import torch_networks
    from tests.parity.compare import assert_parity
    from tipim_jax.networks import get
    from weights_convert import obtain
    from weights_convert.conversion import read_variables

    network = get("nn4-small2")
    variables = read_variables(network, obtain(network.weights))
    assert_parity("nn4-small2", torch_networks.load("nn4-small2"), variables, STAGES)
