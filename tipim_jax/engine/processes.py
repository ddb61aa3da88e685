"""How the processes of one `jax.distributed` run share the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import jax
from jax.experimental import multihost_utils

from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """One of the processes that share a run.

    Attributes:
      index: of the process, from 0.
      count: of processes.
    """

    index: int
    count: int

    @classmethod
    def own(cls) -> "Process":
        """Of this process."""
        return cls(jax.process_index(), jax.process_count())

    def part_of(self, groups: Sequence[Sequence[T]]) -> list[list[T]]:
        """Deals the members of groups out, one after the other; those that get none are left out.

        What belongs together stays together as far as every process has as much to do.
        """
        everything = [(number, member) for number, group in enumerate(groups) for member in group]
        first, last = (len(everything) * n // self.count for n in (self.index, self.index + 1))
        dealt: dict[int, list[T]] = {}
        for number, member in everything[first:last]:
            dealt.setdefault(number, []).append(member)
        return list(dealt.values())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            multihost_utils.sync_global_devices("tipim_jax")


def join(coordinator: str | None, count: int | None, index: int | None) -> Process:
    """Joins the processes of a run, before anything is computed; this one alone where all are None.

    Args:
      coordinator: address of the first process, HOST:PORT.
      count: how many processes there are.
      index: which one this is, from 0.

    Raises:
      SettingsError: some of the three are missing, the processes do not come together, or JAX
        finds no device.
    """
    several = (coordinator, count, index)
    if any(value is not None for value in several):
        if None in several:
            raise SettingsError("--coordinator, --num-processes and --process-id go together")
        try:
            jax.distributed.initialize(*several)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SettingsError(
                f"--coordinator {coordinator}: {reason}; the same address goes with all "
                f"{count} processes, which are numbered from 0"
            ) from None
    backend()
    return Process.own()
