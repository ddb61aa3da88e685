"""IResNet in all its published forms against PyTorch: random weights through the real files."""

import warnings

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity

from tests.parity import onnx_files, torch_networks  # noqa: E402
from tests.parity.compare import assert_parity, faces  # noqa: E402
from tests.parity.reference import iresnet  # noqa: E402
from tests.test_networks import unit  # noqa: E402
from tipim_jax.networks import get  # noqa: E402
from weights_convert import ConversionError  # noqa: E402
from weights_convert.conversion import read_variables  # noqa: E402


def numbered(*blocks):
    """Ours and the place in `body` of every block, given how many each stage has."""
    ours = [f"stage{stage}_{i}" for stage, count in enumerate(blocks, 1) for i in range(count)]
    stages = {name: f"body.{place}" for place, name in enumerate(ours)}
    return stages | {"stem_prelu": "input_layer", "head_linear": "output_layer.3"}


NAMED = {f"stage{stage}_{i}": f"layer{stage}.{i}" for stage in (1, 2, 3, 4) for i in (0, 1)}
NAMED |= {"stem_prelu": "prelu", "head_norm": "bn2", "head_linear": "fc"}


def test_arcface_agrees_with_pytorch():
    module = torch_networks.build("arcface")
    variables = torch_networks.converted("arcface", module.state_dict())
    assert_parity("arcface", module, variables, numbered(3, 4, 14, 3))


@pytest.mark.parametrize(
    ("name", "prefix", "beside", "stages"),
    [
        # Lightning's checkpoint of the whole training.
        ("adaface-ir18", "model.", ["head.kernel", "head.batch_mean"], numbered(2, 2, 2, 2)),
        ("insightface-r18", "", [], NAMED),
        # Each of the two parts was trained in parallel.
        ("magface-r18", "features.module.", ["fc.weight"], NAMED),
    ],
)
def test_a_checkpoint_of_the_official_training_agrees_with_pytorch(name, prefix, beside, stages):
    module = torch_networks.build(name)
    state = {f"{prefix}{key}": value for key, value in module.state_dict().items()}
    state |= {key: torch.zeros(512, 7) for key in beside}
    checkpoint = {"epoch": 3, "arch": "r18", "state_dict": state, "optimizer": {"state": {}}}
    assert_parity(name, module, torch_networks.converted(name, checkpoint), stages)


def test_a_file_of_old_pytorch_and_parallel_training_has_the_same_weights():
    module = torch_networks.build("irse50")
    state = {f"module.{key}": value for key, value in module.state_dict().items()}
    found = torch_networks.converted("irse50", state, _use_new_zipfile_serialization=False)
    expected = torch_networks.converted("irse50", module.state_dict())
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_an_exported_graph_agrees_with_pytorch_and_onnxruntime(tmp_path):
    name = "insightface-r18"
    path = onnx_files.export(torch_networks.build(name), tmp_path / "network.onnx")
    variables = read_variables(get(name), path)
    # Not with what was exported: the exporter rounds the products of weights and scales.
    assert_parity(name, iresnet.load_graph(name, path), variables, NAMED)
    inputs = torch_networks.preprocess(name, torch.from_numpy(faces().transpose(0, 3, 1, 2)))
    theirs = onnx_files.run(path, inputs.numpy())
    np.testing.assert_allclose(unit(get(name).embed(variables, faces())), unit(theirs), atol=2e-5)
    with pytest.raises(ConversionError, match=r"(?s)Conv_6\.W: shape.*another network"):
        read_variables(get("insightface-r34"), path)


class DirectionAndNorm(torch.nn.Module):
    """What AdaFace's own code gives; CVLface gives the embedding as it is."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        x = self.module(x)
        norm = torch.norm(x, 2, 1, True)
        return torch.div(x, norm), norm


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("apart", [True, False])
def test_a_graph_exported_from_adaface_agrees_with_onnxruntime(tmp_path, apart, batch):
    module, path = torch_networks.build("adaface-ir18"), tmp_path / "adaface.onnx"
    with warnings.catch_warnings():  # there is a newer exporter
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            DirectionAndNorm(module) if apart else module,
            (torch.zeros(batch or 1, 3, 112, 112),),
            path,
            input_names=["input"],
            dynamic_axes={"input": {0: "batch"}} if batch else None,
            opset_version=17,
            dynamo=False,
        )
    variables = read_variables(get("adaface-ir18"), path)
    inputs = torch_networks.preprocess("adaface-ir18", torch.from_numpy(_pixels()))
    theirs = onnx_files.run(path, inputs.numpy())
    ours = get("adaface-ir18").embed(variables, faces())
    np.testing.assert_allclose(unit(ours), unit(theirs), atol=2e-5)


def _pixels():
    return faces().transpose(0, 3, 1, 2).copy()


@pytest.mark.parametrize(
    "name",
    [
        *("insightface-r34", "insightface-r50", "insightface-r100"),
        *("adaface-ir34", "adaface-ir50", "adaface-ir101"),
        *("magface-r50", "magface-r100"),
    ],
)
def test_the_other_depths_have_the_shapes_of_pytorchs(name):
    torch_networks.converted(name, torch_networks.build(name).state_dict())


def test_ir152_agrees_with_pytorch():
    module = torch_networks.build("ir152")
    variables = torch_networks.converted("ir152", module.state_dict())
    assert_parity("ir152", module, variables, numbered(3, 8, 36, 3))
