"""IResNet: one architecture for every depth and variant, each with files of its own."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from tests.test_paper_networks import pytorch_shape
from tipim_jax import networks
from weights_convert.conversion import read_variables
from weights_convert.errors import ConversionError
from weights_convert.fill import fill
from weights_convert.tables import tables

# Of the official modules, as PyTorch counts them.
PARAMETERS = {
    "arcface": 43_797_696,
    "irse50": 43_797_696,
    "ir152": 70_737_600,
    "insightface-r18": 24_025_600,
    "insightface-r34": 34_139_328,
    "insightface-r50": 43_590_848,
    "insightface-r100": 65_156_160,
    "adaface-ir18": 24_020_352,
    "adaface-ir34": 34_134_080,
    "adaface-ir50": 43_585_600,
    "adaface-ir101": 65_150_912,
    "cvlface-ir101": 65_150_912,
    "magface-r18": 24_025_600,
    "magface-r50": 43_590_848,
    "magface-r100": 65_156_160,
}


def test_every_network_of_the_architecture_is_below():
    found = {n for n in networks.names() if networks.get(n).architecture == "IResNet"}
    assert found == PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_kind_of_file_fills_exactly_the_networks_variables(name):
    network = networks.get(name)
    wanted = flatten_dict(network.abstract_variables(), sep="/")
    for table in tables(network):
        aimed_at = [path for path, _ in table.weights.values()]
        assert sorted([*aimed_at, *table.given]) == sorted(wanted)
        if table.form == "torch":
            learnt = [path for path in aimed_at if path.startswith("params/")]
            assert sum(wanted[path].size for path in learnt) == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("arcface", "body.23.res_layer.5.fc2.weight"),
        ("ir152", "body.49.res_layer.4.running_var"),
        ("adaface-ir101", "body.48.res_layer.5.running_var"),
        ("insightface-r34", "layer4.2.bn3.running_var"),
        ("magface-r100", "layer4.2.bn3.running_var"),
    ],
)
def test_the_last_block_is_where_the_official_code_has_it(name, last):
    (table,) = (t for t in tables(networks.get(name)) if t.form == "torch")
    blocks = [key for key in table.weights if key.startswith(("body.", "layer"))]
    assert last in blocks
    stage, block = last.split(".")[:2]
    after = f"body.{int(block) + 1}." if stage == "body" else f"{stage}.{int(block) + 1}."
    assert not [key for key in blocks if key.startswith(after)]


@pytest.mark.parametrize(
    ("of", "name", "fault"),
    [
        ("insightface-r34", "insightface-r18", "layer1.2.bn1.weight: in the file, but nothing"),
        ("insightface-r18", "insightface-r34", "layer1.2.bn1.weight: not in the file"),
        ("adaface-ir18", "adaface-ir34", "body.2.res_layer.1.weight: shape"),
    ],
)
def test_the_file_of_another_depth_is_an_error_that_says_so(of, name, fault):
    network = networks.get(name)
    with pytest.raises(ConversionError, match=f"(?s){fault}.*Is it the file of another network"):
        fill(network.abstract_variables(), state_dict(of), tables(network)[0])


def state_dict(name):
    """Zeros under the names and in the shapes of the network's own state dict."""
    network = networks.get(name)
    wanted = flatten_dict(network.abstract_variables(), sep="/")
    return {
        source: np.zeros(pytorch_shape(transform, wanted[path].shape), np.float32)
        for source, (path, transform) in tables(network)[0].weights.items()
    }


# In CVLface's model.pt and in its model.safetensors.
@pytest.mark.parametrize("prefix", ["net.", "model.net."])
def test_cvlface_names_the_arrays_as_adaface_behind_a_prefix(tmp_path, prefix):
    network, path = networks.get("adaface-ir18"), tmp_path / "model.safetensors"
    state = state_dict("adaface-ir18")
    save_file({f"{prefix}{name}": array for name, array in state.items()}, path)
    read_variables(network, path)
    options = networks.get("cvlface-ir101").options
    assert options == networks.get("adaface-ir101").options
    assert networks.get("cvlface-ir101").channel_order == "RGB"


@pytest.mark.parametrize("depth", [18, 34, 50, 100])
def test_variants_of_a_depth_differ_in_the_first_shortcut_alone(depth):
    def parameters(variant):
        module = networks.get(f"insightface-r{depth}").module().clone(variant=variant)
        images = jax.ShapeDtypeStruct((1, 112, 112, 3), np.float32)
        return set(flatten_dict(jax.eval_shape(module.init, jax.random.key(0), images), sep="/"))

    differing = parameters("insightface") ^ parameters("adaface")
    assert {path.split("/")[1] for path in differing} == {"stage1_0"}
    assert all("shortcut" in path for path in differing)
