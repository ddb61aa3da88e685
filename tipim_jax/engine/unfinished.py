"""The state of a batch that is under way, as an Orbax checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from tipim_jax.method import State

if TYPE_CHECKING:
    from orbax.checkpoint import v1 as ocp


@dataclass(frozen=True)
class Unfinished:
    """One batch's place; there is at most one process that works on it.

    Attributes:
      folder: that holds nothing else.
    """

    folder: Path

    def save(self, state: State) -> None:
        """Keeps the state, in place of an earlier one: the new one is whole before that goes.

        Where that cannot be, as the disk is full, nothing is kept: less is lost than by stopping.
        """
        # Imported here: it takes a fifth of a second, for which no iteration need wait.
        from orbax.checkpoint import v1 as ocp

        arrays = _arrays(state)
        new = self.folder / f"{_done(state):06d}"
        shutil.rmtree(new, ignore_errors=True)  # one that could not be read
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Looked at first: Orbax's threads tell of a full disk with tracebacks of their own.
            if shutil.disk_usage(self.folder).free < 2 * sum(a.nbytes for a in arrays.values()):
                return
            with _alone():
                ocp.save(new.absolute(), arrays)
        except Exception:  # Orbax lets through what its libraries raise
            shutil.rmtree(new, ignore_errors=True)
            return
        for other in self._kept():
            if other != new:
                shutil.rmtree(other, ignore_errors=True)

    def restore(self, started: State) -> tuple[State, int]:
        """The state that was kept last, or the given one, and how many iterations it has done."""
        kept = self._kept()
        if not kept:  # an accelerator is not waited for
            return started, 0
        from orbax.checkpoint import v1 as ocp

        leaves, structure = jax.tree.flatten(started)
        expected = _arrays(started)  # NumPy's, which Orbax then gives back
        for folder in reversed(kept):
            try:
                with _alone():
                    found = ocp.load(folder.absolute(), expected)
                arrays = [jax.numpy.asarray(found[str(n)]) for n in range(len(leaves))]
            except Exception:  # of another version, or damaged in any way
                continue
            if [array.shape for array in arrays] != [leaf.shape for leaf in leaves]:
                continue
            state = jax.tree.unflatten(structure, arrays)
            return state, _done(state)
        return started, 0

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kept(self) -> list[Path]:
        """Whole checkpoints, the earliest first; Orbax writes under another name at first."""
        return sorted(path for path in self.folder.glob("*") if path.name.isdecimal())


def _done(state: State) -> int:
    return int(state.iteration[0])


def _arrays(state: State) -> dict[str, np.ndarray]:
    return {str(n): np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(state))}


def _alone() -> ocp.Context:
    """Orbax would wait for all processes, but each of ours works on its own cells."""
    from orbax.checkpoint import v1 as ocp

    own = jax.process_index()
    context = ocp.Context()
    context.multiprocessing.primary_host = own
    context.multiprocessing.active_processes = {own}
    context.multiprocessing.barrier_sync_key_prefix = f"process-{own}"
    return context
