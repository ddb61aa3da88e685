"""Where the forms written by hand for CPUs are used, and where XLA's own.

Elsewhere XLA's own are dense convolution, depthwise convolution with kernels above 3 x 3, and sums
along an axis. On one H100 (IR-SE50, ten gradients an image) XLA's own gradients make an iteration
1.18 times as fast. Depthwise convolution with 3 x 3 taps left to XLA there gains 4 % (mobileface),
and compiling takes 83 s in place of 50. The gradient of a maximum is ours everywhere: XLA's
scatters.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def on_cpu() -> bool:
    """Whether what is traced now is for a CPU, JAX's default backend; static within a program."""
    return jax.default_backend() == "cpu"


def computed_once(function: Callable, *arguments: Any) -> Any:
    """`function(*arguments)`, whose result XLA for CPU keeps for all that read it.

    It would otherwise fuse what is cheap with each of its readers, and so compute it again for each
    of them. Other platforms are left to themselves.
    """
    if not on_cpu():
        return function(*arguments)
    with set_xla_metadata(inlineable="false"):
        return jax.jit(function)(*arguments)
