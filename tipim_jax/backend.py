"""What JAX computes on, asked for in a way that costs a line where it cannot be had."""

import contextlib
import logging
import os
from collections.abc import Iterator

from tipim_jax.configuration import SettingsError


def backend() -> str:
    """Kind of the devices: "cpu", "gpu" or "tpu".

    JAX looks for them when it is first asked: after `runtime.configure`, and after
    `jax.distributed.initialize` where there are several processes.

    Raises:
      SettingsError: it finds none.
    """
    # Imported here: who only asks for help need not wait for JAX.
    import jax

    tell_in_one_line("jax._src.xla_bridge")
    try:
        return jax.default_backend()
    except (RuntimeError, AssertionError) as error:  # the latter where all that was named is absent
        reason = (str(error).splitlines() or ["no device is there"])[0]
        named = os.environ.get("JAX_PLATFORMS")
        asked = f"JAX_PLATFORMS={named}" if named else "without JAX_PLATFORMS"
        raise SettingsError(f"{asked}: {reason}; JAX_PLATFORMS=cpu computes on the CPU") from None


@contextlib.contextmanager
def on_the_cpu() -> Iterator[None]:
    """What JAX computes in it, in this thread, it computes on the CPU, whatever the devices are.

    Something small would wait in an accelerator's queue, behind work of tenths of a second.
    """
    import jax

    host = None
    if jax.default_backend() != "cpu":
        with contextlib.suppress(RuntimeError):  # JAX_PLATFORMS names the accelerator alone
            host = jax.local_devices(backend="cpu")[0]
    with jax.default_device(host) if host else contextlib.nullcontext():
        yield


def tell_in_one_line(logger: str) -> None:
    """JAX logs that a plugin's device is not there with the whole traceback; a line says it."""
    logging.getLogger(logger).addFilter(_in_one_line)


def _in_one_line(record: logging.LogRecord) -> bool:
    if record.exc_info:
        fault = str(record.exc_info[1]).splitlines() or [record.exc_info[0].__name__]
        record.msg, record.args = f"{record.getMessage()}: {fault[0]}", ()
        record.exc_info = None
    return True
