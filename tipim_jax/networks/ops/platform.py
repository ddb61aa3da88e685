"""Where the forms written by hand for CPUs are used, and where XLA's own.

Elsewhere XLA's own are dense convolution, depthwise convolution with kernels above 3 x 3, and sums
along an axis. On one H100 (IR-SE50, ten gradients an image) XLA's own gradients make an iteration
1.18 times as fast. Depthwise convolution with 3 x 3 taps left to XLA there gains 4 % (mobileface),
and compiling takes 83 s in place of 50. The gradient of a maximum is ours everywhere: XLA's
scatters.
"""

import jax


def on_cpu() -> bool:
    """Whether JAX's default backend is a CPU; static within a program.

    What `backend.on_the_cpu` computes beside an accelerator is computed in the accelerator's forms.
    """
    return jax.default_backend() == "cpu"
