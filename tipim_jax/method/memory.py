"""How much memory the method asks for, by a count of what goes through the networks.

It is for a first choice: what a compiled program asks for is known once it is there (`prepare`).
"""

import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, jaxprs_in_params

from tipim_jax.method.surrogate import Surrogate
from tipim_jax.pieces import piece

# Results that are kept for the gradient: what lies between them is computed from them again.
_KEPT = ("conv_general_dilated", "dot_general", "custom_vjp_call")
# A gradient has the greatest map twice: where it comes from and where it goes to.
_PASSING = 2
# Images of a face's surroundings, of twice the crop's sides: in all, and for each target.
_IMAGES, _IMAGES_A_TARGET = 6, 4
_REGION = 4


def pieces(
    surrogates: Sequence[Surrogate], shape: Sequence[int], images: int, targets: int, room: float
) -> tuple[int, int]:
    """How many images, and targets of each, to do at once in so many bytes; at least one of each.

    Args:
      shape: of what the first window shows.
      images, targets: how many there are.
    """
    kept, passing = _asked(surrogates, shape)
    fitting = int(room // (kept + passing * targets))
    if fitting:
        return piece(images, fitting), targets
    return 1, piece(targets, max(1, int((room - kept) // passing)))


def fitting(
    surrogates: Sequence[Surrogate], shape: Sequence[int], targets: int, room: float
) -> int:
    """How many images fit in so many bytes, each with so many targets at once."""
    kept, passing = _asked(surrogates, shape)
    return int(room // (kept + passing * targets))


def _asked(surrogates, shape) -> tuple[int, int]:
    """Bytes that an image keeps, and that the gradient towards each target passes by."""
    kept, greatest = 0, 0
    for surrogate in surrogates:
        seen = shape if surrogate.window == 0 else (*surrogate.size, 3)
        # One image, as the method itself shows it: so each network is traced once all in all.
        one = jax.ShapeDtypeStruct((1, *seen), jnp.float32)
        sizes = list(_maps(jax.make_jaxpr(surrogate)(one).jaxpr))
        kept += sum(sizes)
        greatest = max(greatest, *sizes)
    image = _REGION * math.prod(shape) * jnp.dtype(jnp.float32).itemsize
    return kept + _IMAGES * image, _PASSING * greatest + _IMAGES_A_TARGET * image


def _maps(jaxpr: Jaxpr) -> Iterator[int]:
    """Bytes of every result that is kept."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in _KEPT:
            for variable in equation.outvars:
                yield variable.aval.size * variable.aval.dtype.itemsize
        else:
            for part in jaxprs_in_params(equation.params):
                yield from _maps(part)
