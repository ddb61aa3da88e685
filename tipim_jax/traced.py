"""Programs as JAX traced them, kept for the next process, which then need not trace them.

JAX's own cache spares XLA's work alone: to find a program there JAX has to trace and to lower it,
which is seconds of Python. What is kept here beside it is StableHLO (`jax.export`), which XLA
parses; nothing of it is executed as Python. A file that is damaged, or cannot be written or used,
costs time alone.

A file's name is a hash of all that a trace depends on: this package's code, the versions of those
that it calls, JAX's settings and device, the function, its static arguments and the forms of its
arrays. What cannot be named, as it is no part of a package, is traced. So is everything but in a
command (`source.begin`): elsewhere something may stand in a function's place.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import inspect
import operator
import sys
import types
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
import numpy as np

from tipim_jax import source
from tipim_jax.disk import replace

# Whose functions programs consist of, and are known by their names and versions.
_VERSIONS = ("jax", "jaxlib", "flax", "optax", "dm-pix", "numpy")
_KNOWN = {"tipim_jax", "jax", "jaxlib", "flax", "optax", "dm_pix", "numpy", "builtins"}


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
        self._function, self._arrays, self._donated = function, arrays, donated
        self._jit = jax.jit(
            function,
            static_argnums=range(arrays, len(inspect.signature(function).parameters)),
            donate_argnums=() if donated is None else donated,
        )
        self._programs: dict[Any, Callable | None] = {}

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
        key = static, tree, tuple(map(_form, leaves))
        packed = [jax.random.key_data(leaf) if _is_key(leaf) else leaf for leaf in leaves]
        if key not in self._programs:
            self._programs[key] = self._made(given, static, packed)
        return self._programs[key], packed

    def _made(self, given, static, packed):
        try:
            file = self._file(given, static)
            if file is None:
                return None
            kept = _read(file)
            exported = kept or jax.export.export(self._flat(given, static))(*packed)

            def program(*leaves):
                return exported.call(*leaves)

            program.__name__ = self._function.__name__  # by which JAX's cache calls it
            before = [len(jax.tree.leaves(tree)) for tree in given]
            first = sum(before[: self._donated or 0])
            donated = () if self._donated is None else range(first, first + before[self._donated])
            program = jax.jit(program, donate_argnums=donated)
            program.lower(*packed)  # says what is wrong with it now
            if kept is None and source.unchanged():
                _write(file, exported.serialize())
            return program
        # JAX says in many ways that something is not for export, or from another release.
        except Exception:
            return None

    def _flat(self, given, static):
        """The function of arrays alone."""
        leaves, tree = jax.tree.flatten(given)
        keys = [_is_key(leaf) for leaf in leaves]

        @jax.jit
        def flat(*packed):
            unpacked = [
                jax.random.wrap_key_data(leaf) if is_key else leaf
                for leaf, is_key in zip(packed, keys, strict=True)
            ]
            found = self._function(*jax.tree.unflatten(tree, unpacked), *static)
            return jax.tree.map(_packed, found)

        return flat

    def _file(self, given, static):
        """None where nothing may be kept."""
        folder, code = jax.config.jax_compilation_cache_dir, source.unchanged()
        if not folder or not code or jax.process_count() > 1:
            return None
        leaves, tree = jax.tree.flatten(given)
        others = {jax.random.key_impl(leaf) for leaf in leaves if _is_key(leaf)}
        if others - {jax.config.jax_default_prng_impl}:
            return None
        client = jax.devices()[0].client
        depends = (
            code,
            sys.version,
            [importlib.metadata.version(name) for name in _VERSIONS],
            sorted((name, str(value)) for name, value in jax.config.values.items()),
            (client.platform, client.platform_version, jax.devices()[0].device_kind),
            _named(self),
            _named(static),
            _named_tree(tree),
            [str(_form(leaf)) for leaf in leaves],
        )
        digest = hashlib.sha256(repr(depends).encode()).hexdigest()
        return Path(folder) / "traced" / f"{self._function.__name__}-{digest}"


def kept_as(name: str, kind: type) -> None:
    """Has what a program gives know a named tuple, or a dataclass of arrays alone, by a name."""
    if issubclass(kind, tuple):
        jax.export.register_namedtuple_serialization(kind, serialized_name=name)
        return
    jax.export.register_pytree_node_serialization(
        kind,
        serialized_name=name,
        serialize_auxdata=lambda _: b"",
        deserialize_auxdata=lambda _: (),
    )


kept_as("tipim_jax.traced._KeyData", _KeyData)


def _is_key(leaf):
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


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


def _named_tree(tree):
    node = tree.node_data()
    return node and (*map(_named, node), [_named_tree(child) for child in tree.children()])


def _named(value: Any) -> str:
    """What stands for a value in every process.

    Raises:
      TypeError: nothing does.
    """
    simple = bool | int | float | str | np.dtype
    if value is None or value is types.NoneType or isinstance(value, simple):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"{_place(type(value))}({', '.join(map(_named, value))})"
    if isinstance(value, jax.Device):
        return f"{value.platform} {value.device_kind} {value.id}"
    if isinstance(value, functools.partial):
        given = value.func, value.args, sorted(value.keywords.items())
        return f"partial({', '.join(map(_named, given))})"
    if isinstance(value, types.MethodType):
        return f"{_named(value.__self__)}.{_named(value.__func__)}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _named(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return f"{_place(type(value))}({fields})"
    return _place(value)


def _place(value):
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module and name and module.partition(".")[0] in _KNOWN:
        with contextlib.suppress(AttributeError):
            if operator.attrgetter(name)(sys.modules[module]) is value:
                return f"{module}.{name}"
    raise TypeError(f"{value!r} is no part of {', '.join(sorted(_KNOWN))}")


def _read(file):
    """None where it is not there, or not as it was written."""
    with contextlib.suppress(OSError):
        content = file.read_bytes()
        digest, program = content[:32], content[32:]
        if hashlib.sha256(program).digest() == digest:
            return jax.export.deserialize(bytearray(program))
    return None


def _write(file, program):
    part = file.with_name(f"{file.name}-{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(hashlib.sha256(program).digest() + program)
            replace(part, file)
        finally:
            part.unlink(missing_ok=True)
