"""Vision transformers: their sizes, the files that they come in, and what they compute."""

import dataclasses

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from tests.brought import state_dict
from tipim_jax import networks
from weights_convert import ConversionError
from weights_convert.conversion import read_variables

# Of the official modules, as PyTorch counts them, less the mask token.
PARAMETERS = {
    "lvface-t": 19_137_536,
    "lvface-s": 76_022_784,
    "lvface-b": 113_832_960,
    "lvface-l": 255_683_584,
    "cvlface-vit": 114_869_760,
}
TINY = (("patch", 28), ("width", 16), ("depth", 2), ("heads", 4), ("expansion", 3))


def tiny(name):
    """A network with the form of the one called `name`, and few weights."""
    return dataclasses.replace(networks.get(name), options=TINY, embedding_size=8)


def test_every_network_of_the_architecture_is_above():
    found = {n for n in networks.names() if networks.get(n).architecture == "VisionTransformer"}
    assert found == PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_it_has_as_many_parameters_as_the_official_module(name):
    parameters = networks.get(name).abstract_variables()["params"]
    assert sum(x.size for x in jax.tree.leaves(parameters)) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_its_weights_come_from_the_user_who_accepts_their_licence(name):
    network = networks.get(name)
    assert network.weights is None
    assert network.non_commercial


@pytest.mark.parametrize("prefix", ["", "net.", "model.net."])
def test_a_published_state_dict_is_read_under_the_names_of_its_project(tmp_path, prefix):
    network, path = tiny("cvlface-vit"), tmp_path / "model.safetensors"
    state = state_dict(network) | {"mask_token": np.zeros((1, 1, 16), np.float32)}
    save_file({f"{prefix}{name}": array for name, array in state.items()}, path)
    found = flatten_dict(read_variables(network, path), sep="/")
    shapes = {
        path: x.shape for path, x in flatten_dict(network.abstract_variables(), sep="/").items()
    }
    assert {path: x.shape for path, x in found.items()} == shapes
    qkv = state["blocks.1.attn.qkv.weight"]
    np.testing.assert_array_equal(found["params/block1_attention/qkv/kernel"], qkv.T)


def test_the_file_of_another_size_is_an_error_that_says_so(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(state_dict(tiny("lvface-t")), path)
    deeper = dataclasses.replace(tiny("lvface-t"), options=(*TINY[:2], ("depth", 3), *TINY[3:]))
    with pytest.raises(ConversionError, match=r"blocks\.2\.norm1\.weight: not in the file"):
        read_variables(deeper, path)


def test_it_computes_what_the_published_weights_mean(tmp_path):
    """Against the definition, one image, one patch, one head at a time."""
    network, path = tiny("lvface-t"), tmp_path / "model.safetensors"
    state = state_dict(network)
    save_file(state, path)
    image = np.random.default_rng(1).uniform(0, 255, (112, 112, 3)).astype(np.float32)
    found = network.embed(read_variables(network, path), image[None])[0]
    np.testing.assert_allclose(found, embedded(state, image / 127.5 - 1), rtol=2e-4, atol=2e-4)


def embedded(state, image):
    w = {name: array.astype(np.float64) for name, array in state.items()}
    kernel = w["patch_embed.proj.weight"]
    x = np.array(
        [
            (kernel * image[row : row + 28, column : column + 28].transpose(2, 0, 1)).sum((1, 2, 3))
            for row in range(0, 112, 28)
            for column in range(0, 112, 28)
        ]
    )
    x = x + w["patch_embed.proj.bias"] + w["pos_embed"][0]
    for block in ("blocks.0", "blocks.1"):
        y = normed(x, w, f"{block}.norm1") @ w[f"{block}.attn.qkv.weight"].T
        heads = []
        for head in range(4):
            q, k, v = (y[:, part + 4 * head : part + 4 * head + 4] for part in (0, 16, 32))
            weights = np.exp(q @ k.T / 2)
            heads.append(weights / weights.sum(1, keepdims=True) @ v)
        mixed = np.concatenate(heads, axis=1)
        x = x + mixed @ w[f"{block}.attn.proj.weight"].T + w[f"{block}.attn.proj.bias"]
        y = normed(x, w, f"{block}.norm2") @ w[f"{block}.mlp.fc1.weight"].T
        y = np.clip(y + w[f"{block}.mlp.fc1.bias"], 0, 6)
        x = x + y @ w[f"{block}.mlp.fc2.weight"].T + w[f"{block}.mlp.fc2.bias"]
    x = w["feature.0.weight"] @ normed(x, w, "norm").ravel()
    x = w["feature.2.weight"] @ in_batch(x, w, "feature.1")
    return in_batch(x, w, "feature.3")


def normed(x, w, name):
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def in_batch(x, w, name):
    x = (x - w[f"{name}.running_mean"]) / np.sqrt(w[f"{name}.running_var"] + 2e-5)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]
