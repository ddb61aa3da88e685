"""Networks as DeepFace keeps them: what their files hold, and what it does to a face before."""

import dataclasses
import itertools
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file
from scipy.signal import correlate2d

from tests.brought import state_dict
from tests.test_networks import assert_same_embeddings
from tipim_jax import networks
from tipim_jax.networks.window import WINDOWS
from weights_convert import ConversionError
from weights_convert.conversion import read_variables
from weights_convert.tables import tables
from weights_convert.tables.counted import counted

# As PyTorch counts those of DeepFace's modules, without a classifier.
PARAMETERS = {"vgg-face": 134_260_544, "facenet-512": 23_482_624, "ghostfacenet": 4_060_260}
GOLDEN = Path(__file__).parent / "golden" / "networks"


def tiny():
    """VGG-Face for 32x32 faces, with few weights."""
    options = (("widths", (2, 3, 4, 5, 6)),)
    network = networks.get("vgg-face")
    return dataclasses.replace(network, options=options, embedding_size=8, input_size=(32, 32))


def save_counted(path, layers, first=0):
    """Keras's file of layers that nobody named, each a dictionary of variables."""
    with h5py.File(path, "w") as file:
        for number, variables in enumerate(layers, start=first):
            name = f"conv2d_{number}" if number else "conv2d"
            for variable, array in variables.items():
                file[f"{name}/{name}/{variable}:0"] = array
    return path


def random_layers():
    rng = np.random.default_rng(0)
    widths = [3, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6]
    shapes = [(3, 3, *pair) for pair in itertools.pairwise(widths)]
    shapes += [(1, 1, 6, 8), (1, 1, 8, 8), (1, 1, 8, 4)]
    return [
        {
            "kernel": rng.uniform(-1, 1, s).astype("f4"),
            "bias": rng.uniform(-1, 1, s[3]).astype("f4"),
        }
        for s in shapes
    ]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_kind_of_file_fills_exactly_the_networks_variables(name):
    network = networks.get(name)
    wanted = flatten_dict(network.abstract_variables(), sep="/")
    assert {table.form for table in tables(network)} >= {"keras", "torch"}
    for table in tables(network):
        aimed_at = [path for path, _ in table.weights.values()]
        assert sorted([*aimed_at, *table.given]) == sorted(wanted)
    learnt = sum(array.size for path, array in wanted.items() if path.startswith("params/"))
    assert learnt == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "distance", "side"),
    [("vgg-face", 0.68, 224), ("facenet-512", 0.30, 160), ("ghostfacenet", 0.65, 112)],
)
def test_a_face_is_shown_and_judged_as_deepface_does_it(name, distance, side):
    network = networks.get(name)
    assert network.window == WINDOWS["eyes"]
    assert network.input_size == (side, side)
    assert (network.channel_order, network.mean, set(network.std)) == ("BGR", (0, 0, 0), {255})
    assert [1 - p.cosine for p in network.published_thresholds] == [pytest.approx(distance)]


# The first is numbered 0, without its number, or whatever the session had come to.
@pytest.mark.parametrize("first", [0, 1, 8, 95])
def test_vgg_face_computes_what_the_layers_of_its_file_mean(tmp_path, first):
    network, layers = tiny(), random_layers()
    path = save_counted(tmp_path / "vgg_face_weights.h5", layers, first)
    image = np.random.default_rng(1).uniform(0, 255, (32, 32, 3)).astype(np.float32)
    found = network.embed(read_variables(network, path), image[None])
    expected = embedded(layers, image[..., ::-1] / 255)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3 * expected.max())


def embedded(layers, x):
    """By the definition, one pair of channels at a time; without the last layer."""
    for number, layer in enumerate(layers[:-1]):
        kernel = layer["kernel"].astype(np.float64)
        maps = [
            sum(correlate2d(x[..., i], kernel[..., i, o], "same") for i in range(kernel.shape[2]))
            for o in range(kernel.shape[3])
        ]
        x = np.maximum(np.stack(maps, axis=-1) + layer["bias"], 0)
        if number in (1, 3, 6, 9, 12):
            rows, columns, channels = x.shape
            x = x.reshape(rows // 2, 2, columns // 2, 2, channels).max(axis=(1, 3))
    return x.ravel()


def test_a_layer_too_few_is_an_error_that_says_so(tmp_path):
    path = save_counted(tmp_path / "vgg_face_weights.h5", random_layers()[1:])
    with pytest.raises(
        ConversionError, match=r"(?s)conv_0/kernel: shape.*Is it the file of another"
    ):
        read_variables(tiny(), path)


def test_layers_that_nobody_named_are_told_by_their_kind_and_order():
    kernel = np.zeros(1)
    names = [
        *("conv2d_10/kernel", "conv2d_9/kernel", "conv2d_9/bias", "last/kernel", "conv2d/kernel"),
        *("batch_normalization_3/gamma", "batch_normalization_3/moving_mean"),
        *("depthwise_conv2d_2/depthwise_kernel", "activation_7/alpha", "p_re_lu/alpha"),
    ]
    assert [*counted(dict.fromkeys(names, kernel), named=("last",))] == [
        *("conv_2/kernel", "conv_1/kernel", "conv_1/bias", "last/kernel", "conv_0/kernel"),
        *("norm_0/gamma", "norm_0/moving_mean"),
        *("depthwise_0/depthwise_kernel", "prelu_0/alpha", "prelu_1/alpha"),
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["ghostfacenet", "lvface-t"])
def test_embeddings_are_those_of_pytorch(tmp_path, name):
    """Of random weights (tests/golden/networks/make_brought.py)."""
    network, path = networks.get(name), tmp_path / "weights.safetensors"
    save_file(state_dict(network), path)
    with np.load(GOLDEN / "faces.npz") as faces, np.load(GOLDEN / "brought.npz") as golden:
        crop, expected = faces["crops"][:1].astype(np.float32), golden[name]
    assert_same_embeddings(jax.jit(network.embed)(read_variables(network, path), crop), expected)
