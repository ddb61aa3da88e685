"""The reader of PyTorch files: what PyTorch wrote comes out exactly, and nothing else gets in."""

import argparse
import collections
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.networks import get
from weights_convert import obtain
from weights_convert.readers.torch_reader import read

GOLDEN = Path(__file__).parent / "golden" / "weights_convert"
FORMATS = ["zip", "legacy"]


@pytest.mark.parametrize("form", FORMATS)
def test_reads_what_pytorch_wrote(form):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8  # as in golden/weights_convert
    expected = {
        "plain": base,
        "transposed": base.transpose(2, 0, 1),
        "corner": base[1, 1:, ::2],
        "scalar": np.float32(7),
        "half": np.array([0.5, -2, 65504], np.float32),
        "double": np.array([0.1], np.float32),
        "parameter": np.array([3, 4], np.float32),
    }
    found = read(GOLDEN / f"{form}.pth")
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=name != "scalar")
        assert found[name].dtype == np.float32


def test_reads_mobileface_to_plausible_batch_statistics():
    weights = read(obtain(get("mobileface").weights))
    assert len(weights) == 283  # as PyTorch counts
    variances = [array for name, array in weights.items() if name.endswith("running_var")]
    assert len(variances) == 2 + 3 * (3 + 12) + 2 + 1  # stem, blocks of three, head, embedding
    assert all((array > 0).all() for array in variances)
    assert weights["conv1.conv.weight"].shape == (64, 3, 3, 3)


@pytest.mark.parity
def test_mobileface_is_read_as_pytorch_reads_it():
    import torch

    path = obtain(get("mobileface").weights)
    found = read(path)
    expected = torch.load(path, map_location="cpu", weights_only=True)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name, strict=True)


class _Net:
    """What stands beside the weights in checkpoints."""


@pytest.mark.parity
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("key", ["state_dict", "model", "net", "backbone", "anything"])
def test_state_dict_is_found_among_what_a_training_leaves(form, key, tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 3, 5, 5)).sum().backward()
    optimiser.step()
    settings = argparse.Namespace(rate=0.1, path=tmp_path, kind=_Net, device=torch.device("cpu"))
    checkpoint = {
        "epoch": 3,
        "best": np.float64(0.99),
        "loss": torch.tensor(0.1),
        "optimizer": optimiser.state_dict(),
        "hyper_parameters": collections.defaultdict(list, args=settings, size=torch.Size([1])),
        "random": [np.random.default_rng(0).bytes(4), torch.get_rng_state(), np.ones(3), {1, 2}],
        "callbacks": {_Net: {"score": torch.tensor(1.0)}},
        "dtype": torch.float32,
        key: net.state_dict(),
        "nothing": None,
    }
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=form == "zip")
    found = read(path)
    assert list(found) == list(net.state_dict())
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.float().numpy())


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:.*doesn't (contain|match) source")
@pytest.mark.parametrize("form", FORMATS)
def test_whole_module_is_read_as_its_state_dict(form, tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4))
    net = torch.nn.DataParallel(torch.nn.ModuleDict({"a": block, "b": torch.nn.PReLU(4)}))
    for name, saved in (("whole", net), ("inside", {"epoch": 1, "net": net})):
        path = tmp_path / name
        torch.save(saved, path, _use_new_zipfile_serialization=form == "zip")
        found = read(path)
        assert list(found) == list(net.state_dict())
        for key, tensor in net.state_dict().items():
            np.testing.assert_array_equal(found[key], tensor.float().numpy())


@pytest.mark.parity
@pytest.mark.parametrize("form", FORMATS)
def test_every_kind_of_number_is_read_as_pytorch_reads_it(form, tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    base = torch.linspace(-3, 300, 24).reshape(4, 6)
    kinds = ["bfloat16", "float16", "float32", "float64", "int8", "uint8", "int16", "int32", "bool"]
    state = {kind: base.abs().to(getattr(torch, kind)).T[1:, ::2] for kind in kinds}
    state["too large"] = torch.tensor([1e300], dtype=torch.float64)
    path = tmp_path / "numbers.pth"
    torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    found = read(path)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.float().numpy(), err_msg=name)


def test_module_that_was_saved_whole_gives_the_names_of_its_state_dict(tmp_path):
    """As FaceX-Zoo's, in the format and with the persistent ids of PyTorch 1.0."""
    weights = read(obtain(get("mobileface-mv").weights))
    assert len(weights) == 333  # as PyTorch counts
    assert weights["module.conv1.conv.weight"].shape == (64, 3, 3, 3)
    assert "module.conv_3.model.0.conv_dw.bn.running_var" in weights
    assert all((array > 0).all() for name, array in weights.items() if name.endswith("running_var"))
