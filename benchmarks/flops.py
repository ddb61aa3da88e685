"""How many operations the work takes, by XLA's own count: multiplications, additions and the like.

XLA counts what stands in a loop once, so one image is counted, in a program without any; and before
it is optimised, since fused programs do some cheap operations again and a GPU's libraries, which
they call, are counted as nothing.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from benchmarks.subject import embed
from tipim_jax import networks
from tipim_jax.method import TipIm


class Passes(NamedTuple):
    """Operations for one image of one forward pass, and of one with the input's gradient."""

    forward: float
    gradient: float


@functools.cache
def passes(name: str) -> Passes:
    """Of the network called `name`, on a crop of 112×112; its preprocessing is included."""
    variables, image = networks.get(name).abstract_variables(), _images(1)
    forward = functools.partial(embed, name, "float32")

    def gradient(variables, image):
        embedding, pull_back = jax.vjp(functools.partial(forward, variables), image)
        return pull_back(embedding)

    return Passes(*(_counted(function, variables, image) for function in (forward, gradient)))


def _counted(function, *arguments) -> float:
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def of_iteration(each: Passes, settings: TipIm, targets: int) -> float:
    """Operations of the networks for one image in one iteration, on average.

    A search takes a forward pass, and for every target a gradient and the candidate's forward pass;
    an iteration without takes a forward pass and a gradient.
    """
    if settings.target_choice != "search" or targets == 1:
        return each.gradient
    search = each.forward + targets * each.gradient
    return each.gradient + (search - each.gradient) / settings.search_every


class Layer(NamedTuple):
    """A convolution or matrix product out of a network.

    Attributes:
      name: what it is, and the shapes of its two operands.
      run: of two arrays.
      operands: shapes and dtypes of the two.
      flops: twice its multiplications.
    """

    name: str
    run: Callable[[Any, Any], Any]
    operands: tuple[jax.ShapeDtypeStruct, ...]
    flops: float

    def arguments(self) -> tuple[jax.Array, ...]:
        """Random operands."""
        random = np.random.default_rng(0)
        return tuple(jnp.asarray(random.normal(size=a.shape), a.dtype) for a in self.operands)


def largest_layer(name: str, precision: str, images: int) -> Layer:
    """The layer of a network with the most operations, for so many images at once."""
    variables = networks.get(name).abstract_variables()
    program = jax.make_jaxpr(functools.partial(embed, name, precision))(variables, _images(images))
    equation, flops = max(_products(program.jaxpr), key=lambda found: found[1])
    operands = tuple(jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars)
    kind = {"dot_general": "product", "conv_general_dilated": "convolution"}
    shapes = " by ".join("×".join(map(str, operand.shape)) for operand in operands)
    return Layer(
        f"{kind[equation.primitive.name]} of {shapes}",
        lambda left, right: equation.primitive.bind(left, right, **equation.params),
        operands,
        flops,
    )


def _products(jaxpr) -> Iterator[tuple[JaxprEqn, float]]:
    """Convolutions and matrix products of a program and all in it, with their operations."""
    for equation in jaxpr.eqns:
        inner = [getattr(value, "jaxpr", value) for value in equation.params.values()]
        for program in (value for value in inner if hasattr(value, "eqns")):
            yield from _products(program)
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            yield (
                equation,
                2 * equation.outvars[0].aval.size * math.prod(left[i] for i in contracted),
            )
        elif equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval
            features = kernel.shape[equation.params["dimension_numbers"].rhs_spec[0]]
            yield equation, 2 * equation.outvars[0].aval.size * kernel.size // features


def _images(count):
    return jax.ShapeDtypeStruct((count, 112, 112, 3), jnp.float32)
