"""Programs as JAX traced them, kept for the next process, which then need not trace them.

JAX's own cache spares XLA's work alone: to find a program there JAX has to trace and to lower it,
which is seconds of Python. What is kept here beside it is StableHLO (`jax.export`), which XLA
parses; nothing of it is executed as Python. A file that is damaged, or cannot be written or used,
costs time alone.

A file's name is a hash of all that a trace depends on: this package's code, the versions of those
that it calls, JAX's settings and device, the function, its static arguments and the forms of its
arrays. What is of no such package is traced. So is everything but in a command (`source.begin`):
elsewhere something may stand in a function's place.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import io
import os
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
import numpy as np

from tipim_jax import source
from tipim_jax.disk import write_whole

_VERSIONS = ("jax", "jaxlib", "flax", "optax", "dm-pix", "numpy")
_KNOWN = {"tipim_jax", "jax", "flax", "optax", "numpy", "functools", "builtins"}
# Files that are kept, the ones that were used last: some 40 MB. A strength on a machine has two.
_MOST = 64

_all: "weakref.WeakSet[Traced]" = weakref.WeakSet()


class _KeyData(NamedTuple):
    """Of random keys: `jax.export` takes no sharded ones."""

    data: jax.Array


class Traced:
    """As `jax.jit`, of a function whose programs are kept."""

    def __init__(self, function: Callable, *, arrays: int, donated: int | None = None):
        """Of positional arguments the first are trees of arrays, and the others are static.

        What the function gives is a tree of what `kept_as` knows and of Python's containers.

        Args:
          arrays: number of the first.
          donated: index of the one whose memory may be used again.
        """
        functools.update_wrapper(self, function)
        static = range(arrays, len(inspect.signature(function).parameters))
        self._jit = jax.jit(
            function,
            static_argnums=static,
            donate_argnums=() if donated is None else donated,
        )
        self._function, self._arrays, self._donated = function, arrays, donated
        self._programs: dict[Any, Callable | None] = {}
        self._lock = threading.Lock()
        _all.add(self)

    def __call__(self, *arguments: Any) -> Any:
        program, leaves = self._program(arguments)
        if program is None:
            return self._jit(*arguments)
        return jax.tree.map(_unpacked, program(*leaves), is_leaf=_is_packed)

    def lower(self, *arguments: Any) -> jax.stages.Lowered:
        """As that of `jax.jit`."""
        program, leaves = self._program(arguments)
        return self._jit.lower(*arguments) if program is None else program.lower(*leaves)

    def _program(self, arguments):
        """The program for such arguments, and the arrays that it takes; None: they are traced."""
        if not source.begun():
            return None, ()
        given, static = arguments[: self._arrays], arguments[self._arrays :]
        leaves, tree = jax.tree.flatten(given)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return None, ()
        key = static, tree, tuple(map(_form, leaves)), _settings()
        with self._lock:
            if key not in self._programs:
                self._programs[key] = None
                # JAX says in many ways that something is not for export.
                with contextlib.suppress(Exception):
                    self._programs[key] = self._made(given, static, _packed_leaves(leaves))
            program = self._programs[key]
        return program, () if program is None else _packed_leaves(leaves)

    def _made(self, given, static, packed):
        file = self._file(given, static)
        if file is None:
            return None
        kept = _read(file)
        exported = kept or jax.export.export(jax.jit(self._flat(given, static)))(*packed)
        if kept is None and source.unchanged():
            with contextlib.suppress(Exception):  # this process can do without
                _write(file, exported.serialize())

        def program(*leaves):
            return exported.call(*leaves)

        program.__name__ = self._function.__name__  # by which JAX's cache calls it
        counts = [len(jax.tree.leaves(tree)) for tree in given]
        first = sum(counts[: self._donated or 0])
        donated = () if self._donated is None else range(first, first + counts[self._donated])
        program = jax.jit(program, donate_argnums=donated)
        program.lower(*packed)  # says now what is wrong with it
        return program

    def _flat(self, given, static):
        """The function of arrays alone."""
        leaves, tree = jax.tree.flatten(given)
        keys = [_is_key(leaf) for leaf in leaves]

        def flat(*packed):
            both = zip(packed, keys, strict=True)
            arrays = [jax.random.wrap_key_data(leaf) if is_key else leaf for leaf, is_key in both]
            found = self._function(*jax.tree.unflatten(tree, arrays), *static)
            return jax.tree.map(_packed, found)

        return flat

    def _file(self, given, static):
        """None where nothing may be kept."""
        folder, code = jax.config.jax_compilation_cache_dir, source.unchanged()
        kinds = {jax.random.key_impl(leaf) for leaf in jax.tree.leaves(given) if _is_key(leaf)}
        usual = kinds <= {jax.config.jax_default_prng_impl}
        if not (folder and code and usual) or jax.process_count() > 1:
            return None
        device = jax.devices()[0]
        depends = (
            (code, sys.version, *map(importlib.metadata.version, _VERSIONS)),
            _settings(),
            (device.platform, device.device_kind, device.client.platform_version),
            (self._function.__module__, self._function.__qualname__, static),
            jax.tree.map(lambda leaf: str(_form(leaf)), given),
        )
        name = f"{self._function.__name__}-{hashlib.sha256(_named(depends)).hexdigest()}"
        return Path(folder) / "traced" / name


def kept_as(name: str, kind: type) -> None:
    """Has what a program gives know a named tuple, or a dataclass of arrays alone, by a name."""
    with contextlib.suppress(ValueError):  # it is known: by another library, or after a reload
        if issubclass(kind, tuple):
            jax.export.register_namedtuple_serialization(kind, serialized_name=name)
            return
        jax.export.register_pytree_node_serialization(
            kind,
            serialized_name=name,
            serialize_auxdata=lambda _: b"",
            deserialize_auxdata=lambda _: (),
        )


def forget() -> None:
    """As in a new process, programs are taken from their files, or traced, once more."""
    jax.clear_caches()
    for one in _all:
        one._programs.clear()


def _settings():
    """JAX's, all of them."""
    return tuple(sorted((name, str(value)) for name, value in jax.config.values.items()))


kept_as("tipim_jax.traced._KeyData", _KeyData)


def _is_key(leaf):
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _packed_leaves(leaves):
    return [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in leaves]


def _packed(leaf):
    return _KeyData(jax.random.key_data(leaf)) if _is_key(leaf) else leaf


def _is_packed(node):
    return isinstance(node, _KeyData)


def _unpacked(node):
    return jax.random.wrap_key_data(node.data) if _is_packed(node) else node


def _form(leaf):
    """What a trace depends on of an array, or of a number."""
    if isinstance(leaf, jax.Array):
        return leaf.aval, leaf.sharding
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    return type(leaf)


def _named(value: Any) -> bytes:
    """Stands for a value in every process; only its hash is kept, and nobody reads it.

    Functions are named by their places, so it raises an error for one that is not found at its.
    """
    stream = io.BytesIO()
    pickler = _Names(stream)
    pickler.fast = True  # or it would say which equal values are one
    pickler.dump(value)
    return stream.getvalue()


class _Names(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, jax.Device):
            return value.platform, value.device_kind, value.id
        return None

    def reducer_override(self, value):
        if str(getattr(value, "__module__", None)).partition(".")[0] not in _KNOWN:
            raise pickle.PicklingError(f"{value!r} is of none of {', '.join(sorted(_KNOWN))}")
        return NotImplemented


def _read(file):
    """None where it is not there, or not as it was written."""
    with contextlib.suppress(Exception):
        content = file.read_bytes()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            program = jax.export.deserialize(bytearray(content[32:]))
            os.utime(file)  # it was used
            return program
    return None


def _write(file, program):
    with contextlib.suppress(OSError):
        with write_whole(file) as stream:
            stream.write(hashlib.sha256(program).digest() + program)
        used = sorted(file.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in used[_MOST:]:
            old.unlink(missing_ok=True)
