"""Dataclasses as JSON and back, checked field by field.

A field that is missing, unknown or of another kind is a ValueError that says where it is.
"""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def to_json(value: Any, where: str) -> str:
    """A dataclass as JSON text that `from_data` reads; `where` is what errors call it."""
    data = dataclasses.asdict(value)
    from_data(type(value), data, where)
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def parsed(text: str, where: str) -> Any:
    """The plain data in JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: no JSON ({error}); make the results again") from error


def from_data(expected: type[T], value: Any, where: str) -> T:
    """Plain data as a type: a dataclass, number, text, tuple, dictionary, or a union of these."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if expected is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            if _plainly(option, value):
                return from_data(option, value, where)
    elif _plainly(expected, value):
        if dataclasses.is_dataclass(expected):
            return _read_fields(expected, value, where)
        if origin is dict:
            key_kind, item_kind = arguments
            return {
                from_data(key_kind, key, where): from_data(item_kind, item, f"{where}[{key!r}]")
                for key, item in value.items()
            }
        if origin is tuple:
            kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
            if len(kinds) != len(value):
                raise ValueError(f"{where}: found {len(value)} values, expected {len(kinds)}")
            pairs = zip(kinds, value, strict=True)
            return tuple(
                from_data(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs)
            )
        return float(value) if expected is float else value
    name = getattr(expected, "__name__", None) or str(expected)
    raise ValueError(f"{where}: found {value!r} ({type(value).__name__}), expected {name}")


def _read_fields(kind, value: dict, where: str):
    hints = typing.get_type_hints(kind)
    missing, unknown = sorted(hints.keys() - value.keys()), sorted(value.keys() - hints.keys())
    if missing or unknown:
        raise ValueError(f"{where}: fields missing: {missing}, fields unknown: {unknown}")
    return kind(
        **{name: from_data(hint, value[name], f"{where}.{name}") for name, hint in hints.items()}
    )


def _plainly(expected, value) -> bool:
    """Whether `value` is of the kind that `expected` is written as in JSON."""
    if expected is float:
        return type(value) in (int, float) and math.isfinite(value)
    if expected is type(None):
        return value is None
    if dataclasses.is_dataclass(expected):
        return isinstance(value, dict)
    origin = typing.get_origin(expected)
    if origin is tuple:
        return isinstance(value, list | tuple)
    return type(value) is (origin or expected)
