"""What a network computes in is what its name says, by the program that an accelerator is given."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.subject import random_variables
from tipim_jax import networks
from tipim_jax.networks import PRECISIONS, inference
from tipim_jax.networks.precision import chosen


def products(name, precision):
    """(operands' types, how their factors may be rounded) of each product of a gradient."""
    network = networks.get(name)
    images = jax.ShapeDtypeStruct((2, 112, 112, 3), jnp.float32)

    def gradient(variables, images):
        embed = functools.partial(network.embed, variables, precision=PRECISIONS[precision])
        embeddings, pull_back = jax.vjp(embed, images)
        return pull_back(embeddings)

    program = jax.jit(gradient).lower(network.abstract_variables(), images).as_text()
    found = re.findall(
        r"stablehlo\.(?:dot_general|convolution)(.*): \(tensor<\S*x(\w+)>, tensor<\S*x(\w+)>\)",
        program,
    )
    assert len(found) == program.count("stablehlo.dot_general") + program.count(
        "stablehlo.convolution"
    )
    for attributes, left, right in found:
        rounded = re.search(
            r"precision(?:_config)? = \[(?:#stablehlo<precision )?(\w+)", attributes
        )
        yield left, right, rounded.group(1) if rounded else "DEFAULT"


@pytest.mark.parametrize(
    "name", ["mobileface", *(pytest.param(n, marks=pytest.mark.thorough) for n in ("edgeface",))]
)
@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("float32", ("f32", "f32", "HIGHEST")),
        ("tf32", ("f32", "f32", "HIGH")),
        ("bfloat16", ("bf16", "bf16", "DEFAULT")),
    ],
)
def test_each_product_of_a_network_and_its_gradient_is_as_exact_as_asked_for(
    monkeypatch, name, precision, expected
):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    inference._embed.clear_cache()  # what it was traced to for a CPU
    found = list(products(name, precision))
    inference._embed.clear_cache()
    assert len(found) > 50
    # EdgeFace's attention sums in float32, and so do the gradients of its products.
    exact = {("f32", "f32", "DEFAULT")} if (name, precision) == ("edgeface", "bfloat16") else set()
    assert expected in found and set(found) - exact == {expected}


def test_what_is_chosen_for_a_device_is_exact_on_a_cpu_alone():
    assert chosen("auto", "cpu") == "float32"
    assert chosen("auto", "gpu") == chosen("auto", "tpu") == "bfloat16"
    for name in PRECISIONS:
        assert chosen(name, "cpu") == chosen(name, "gpu") == name


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mobileface", "edgeface", "lvface-t"])
def test_weights_in_a_precision_give_the_same_embeddings_to_the_last_byte(name):
    network, precision = networks.get(name), PRECISIONS["bfloat16"]
    variables = random_variables(name)
    images = np.random.default_rng(0).uniform(0, 255, (1, 112, 112, 3)).astype(np.float32)
    converted = network.weights_in(variables, precision)
    kinds = {leaf.dtype for leaf in jax.tree.leaves(converted)}
    assert kinds == {jnp.dtype("float32"), jnp.dtype("bfloat16")}
    embed = jax.jit(functools.partial(network.embed, precision=precision))
    found = embed(converted, images)
    assert np.isfinite(found).all() and np.ptp(found) > 0
    np.testing.assert_array_equal(found, embed(variables, images))
    same = network.weights_in(variables, PRECISIONS["float32"])
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), same, variables))
