"""How many operations the work takes, and how many bytes have to move: counted from the program.

An operation is a multiplication, an addition or the like. Convolutions and matrix products count
twice the multiplications that meet no padding, all else one for each number that comes out, or that
is summed; roots and exponentials none. XLA counts in the same way, but only for a CPU, and what
stands in a loop once (tests/test_benchmarks.py compares the two).

Bytes are those of the least that layers done one by one can move: each layer's map is written once
and read once, forward and backward, and weights are read once in each pass.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, jaxprs_in_params
from jax.interpreters import partial_eval

from benchmarks.subject import embed
from tipim_jax import networks
from tipim_jax.method import Surrogate, TipIm

# Primitives that cost an operation for each number of their result …
_EACH_RESULT = {
    *("add", "add_any", "sub", "mul", "div", "max", "min", "neg", "abs", "sign", "square"),
    *("integer_pow", "select_n", "clamp", "gt", "ge", "lt", "le", "eq", "ne"),
}
# … and for each that they read.
_EACH_OPERAND = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"}


class Passes(NamedTuple):
    """What one image costs in a forward pass, and in one with the input's gradient."""

    forward: float
    gradient: float


def passes(surrogate: Surrogate) -> Passes:
    """Operations of a surrogate's network; its preprocessing is included."""
    return Passes(_operations(_forward(surrogate)), _operations(_gradient(surrogate)))


def least_bytes(surrogate: Surrogate) -> Passes:
    """Bytes that maps alone have to move, in the network's dtype."""
    maps = sum(size for _, size in _maps(_forward(surrogate)))
    return Passes(2 * maps, 4 * maps)


def weight_bytes(surrogate: Surrogate) -> float:
    """Bytes of the weights that layers read in a pass, in the dtype that they compute in."""
    width = min(dtype.itemsize for dtype, _ in _layers(_forward(surrogate)))
    return width * sum(leaf.size for leaf in jax.tree.leaves(surrogate.variables))


def of_iteration(each: Passes, settings: TipIm, targets: int) -> float:
    """What one image costs in one iteration, on average.

    A search takes a forward pass, and for every target a gradient and the candidate's forward pass;
    an iteration without takes a forward pass and a gradient.
    """
    if settings.target_choice != "search" or targets == 1:
        return each.gradient
    search = each.forward + targets * each.gradient
    return each.gradient + (search - each.gradient) / settings.search_every


def passes_of_weights(settings: TipIm, targets: int) -> float:
    """How often an iteration has to read the weights, with all its images and targets at once."""
    if settings.target_choice != "search" or targets == 1:
        return 2
    return 2 + 1 / settings.search_every


def _forward(surrogate: Surrogate) -> Jaxpr:
    """A forward pass of one image."""
    return _program(surrogate, surrogate.embed)


def _gradient(surrogate: Surrogate) -> Jaxpr:
    """A forward pass of one image, and the gradient with respect to it."""

    def gradient(variables, images):
        embeddings, pull_back = jax.vjp(functools.partial(surrogate.embed, variables), images)
        return pull_back(embeddings)

    return _program(surrogate, gradient)


def _program(surrogate: Surrogate, function: Callable) -> Jaxpr:
    """Of the weights and one image, without what nobody uses."""
    image = jax.ShapeDtypeStruct((1, *surrogate.size, 3), jnp.float32)
    program = jax.make_jaxpr(function)(surrogate.variables, image).jaxpr
    return partial_eval.dce_jaxpr(program, [True] * len(program.outvars))[0]


def _operations(jaxpr: Jaxpr) -> float:
    total = 0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        inner = [_operations(program) for program in jaxprs_in_params(equation.params)]
        if name == "cond":
            total += max(inner)
        elif name == "reduce_window_sum":
            total += equation.outvars[0].aval.size * math.prod(equation.params["window_dimensions"])
        elif inner:
            total += sum(inner) * equation.params.get("length", 1)  # of a scan
        elif name in _PRODUCTS:
            total += _PRODUCTS[name](equation)
        elif name in _EACH_RESULT:
            total += equation.outvars[0].aval.size
        elif name in _EACH_OPERAND:
            total += equation.invars[0].aval.size
    return total


def _of_dot(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * equation.outvars[0].aval.size * math.prod(left[i] for i in contracted)


def _of_convolution(equation: JaxprEqn) -> int:
    """Zeros of the padding, and those between the pixels of a dilated map, cost nothing."""
    of = equation.params
    (_, _, *rows), (features, channels, *taps), (_, _, *out) = of["dimension_numbers"]
    left, kernel = (variable.aval.shape for variable in equation.invars)
    result = equation.outvars[0].aval
    pairs = 1
    for axis, (low, _) in enumerate(of["padding"]):
        outs = np.arange(result.shape[out[axis]])[:, None] * of["window_strides"][axis]
        seen = outs - low + np.arange(kernel[taps[axis]]) * of["rhs_dilation"][axis]
        apart = of["lhs_dilation"][axis]
        there = (seen >= 0) & (seen <= (left[rows[axis]] - 1) * apart) & (seen % apart == 0)
        pairs *= int(there.sum())
    batch = result.size // math.prod(result.shape[axis] for axis in out) // kernel[features]
    return 2 * batch * kernel[features] * kernel[channels] * pairs


_PRODUCTS = {"dot_general": _of_dot, "conv_general_dilated": _of_convolution}


def _maps(jaxpr: Jaxpr) -> Iterator[tuple[np.dtype, int]]:
    """Dtypes and bytes of what goes into a forward pass and what comes out of its layers.

    A layer is a convolution, a matrix product, or what a network here has written by hand.
    """
    image = jaxpr.invars[-1].aval
    yield image.dtype, image.size * image.dtype.itemsize
    yield from _layers(jaxpr)


def _layers(jaxpr):
    for equation in jaxpr.eqns:
        inner = list(jaxprs_in_params(equation.params))
        found = [map_ for program in inner for map_ in _layers(program)]
        by_hand = equation.primitive.name == "custom_vjp_call" and not found
        if by_hand or equation.primitive.name in _PRODUCTS:
            result = equation.outvars[0].aval
            found = [(result.dtype, result.size * result.dtype.itemsize)]
        yield from found


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
    crops = jax.ShapeDtypeStruct((images, 112, 112, 3), jnp.float32)
    program = jax.make_jaxpr(functools.partial(embed, name, precision))(variables, crops)
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


def _products(jaxpr: Jaxpr) -> Iterator[tuple[JaxprEqn, int]]:
    """Convolutions and matrix products of a program and all in it, with their operations."""
    for equation in jaxpr.eqns:
        for program in jaxprs_in_params(equation.params):
            yield from _products(program)
        if equation.primitive.name in _PRODUCTS:
            yield equation, _PRODUCTS[equation.primitive.name](equation)
