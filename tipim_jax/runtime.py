"""What every command asks of JAX before it computes anything."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator

# A CPU's cores as devices: XLA shares one image's work badly among them. More than these would
# hold more copies of the weights than they are worth.
_MOST_CPU_DEVICES = 8


def configure() -> None:
    """Keeps what XLA compiles for the next run, and makes a device of each core of a CPU.

    For GPUs JAX keeps beside it which kernels XLA found to be the fastest, so that another batch
    size need not try all of them again. No flags are set: XLA ends the process for one that it does
    not know, and each release knows others.

    To be called before JAX has looked for its devices: otherwise, and where XLA_FLAGS give their
    number, they stay as they are.

    Raises:
      ConversionError: the cache cannot be made.
    """
    # Imported here: a command that only says how it is used need not wait for JAX.
    import jax

    from weights_convert import home

    jax.config.update("jax_compilation_cache_dir", str(home() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # it has looked for them
            jax.config.update("jax_num_cpu_devices", min(cores(), _MOST_CPU_DEVICES))


def cores() -> int:
    """Of the CPU, those that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keeps Python from looking for garbage, for as long as JAX may trace a program.

    A trace makes millions of objects that all stay; looking through them again and again takes a
    sixth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def trim() -> None:
    """Gives the memory that is free back to the system; the C library of Linux keeps it.

    Compiling and loading a program leaves some 200 MB.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
