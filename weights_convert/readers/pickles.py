"""Reads pickles as data: what they describe is put together, and nothing is imported or called.

A pickle is a program for a machine with a stack and a memo, whose opcodes the standard library's
`pickletools` describes. This machine has no way to run anything: a global is its name, an instance
is what the pickle gives it, and a call is an entry in a table that the caller brings, or a fault.
No opcode makes more data than it takes from the stack, so little can not become much.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

from weights_convert.readers.fault import Fault


class Global(NamedTuple):
    """Something that the pickle names, such as a class or a function; equal to a plain pair."""

    module: str
    name: str

    def __str__(self) -> str:
        shown = f"{self.module}.{self.name}"[:200]
        return shown if shown.isprintable() else ascii(shown)  # nothing that a terminal obeys


class Instance:
    """Something of a class that is known by its name alone.

    Attributes:
      items: Items that it would hold as a dictionary.
      state: Attributes by name, where the pickle gives them so.
    """

    __slots__ = ("items", "state")

    def __init__(self):
        self.items: dict[str, Any] = {}
        self.state: dict[str, Any] = {}


def load(
    stream: BinaryIO,
    calls: Mapping[tuple[str, str], Callable[..., Any]],
    persistent: Callable[[Any], Any],
) -> Any:
    """Reads one pickle.

    Dictionaries keep the items that have a string for a key; sets become lists; what a pickle sets
    on an ordered dictionary is dropped.

    Args:
      stream: is left behind the pickle's end.
      calls: (module, name) of what may be called -> what gives the result. It has to be quick and
        small whatever the arguments are.
      persistent: from a persistent id to what it stands for.

    Raises:
      Fault: it calls anything else, or is broken.
    """
    machine = _Machine(calls, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        return machine.stack[-1]
    except Fault:
        raise
    except Exception as error:  # a pickle can be wrong in any way
        raise Fault(f"a broken pickle ({type(error).__name__}: {str(error)[:200]})") from None


_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_STRINGS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"}
_UNICODE = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_ARGUMENTS = _NUMBERS | _STRINGS | _UNICODE | _BYTES  # opcodes whose argument goes onto the stack
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    def __init__(self, calls, persistent):
        self.calls, self.persistent = calls, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []  # sizes that the stack had
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carries one opcode out."""
        stack = self.stack
        if name in _ARGUMENTS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack.append(tuple(self._take(_TUPLES[name])))
        else:
            self._step(name, argument, stack)

    def _step(self, name, argument, stack):
        match name:
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "TUPLE" | "FROZENSET":
                stack.append(tuple(self._take_to_mark()))
            case "LIST":
                stack.append(self._take_to_mark())
            case "DICT":
                stack.append(_set_items({}, self._take_to_mark()))
            case "APPEND":
                items = self._take(1)
                _extend(stack[-1], items)
            case "APPENDS" | "ADDITEMS":
                items = self._take_to_mark()
                _extend(stack[-1], items)
            case "SETITEM":
                items = self._take(2)
                _set_items(stack[-1], items)
            case "SETITEMS":
                items = self._take_to_mark()
                _set_items(stack[-1], items)
            case "GLOBAL":
                stack.append(Global(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_global(*self._take(2)))
            case "REDUCE":
                function, arguments = self._take(2)
                stack.append(self._call(function, arguments))
            case "INST":
                arguments = self._take_to_mark()
                stack.append(self._call(Global(*argument.split(" ", 1)), arguments))
            case "OBJ":
                function, *arguments = self._take_to_mark()
                stack.append(self._call(function, arguments))
            case "NEWOBJ":
                stack.append(_instance(*self._take(2)))
            case "NEWOBJ_EX":
                stack.append(_instance(*self._take(3)))
            case "BUILD":
                (state,) = self._take(1)
                _build(stack[-1], state)
            case "BINPERSID":
                stack.append(self.persistent(*self._take(1)))
            case "DUP":
                stack.append(stack[-1])
            case "POP":
                self._take(1)
            case "POP_MARK":
                self._take_to_mark()
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _:
                raise Fault(f"the opcode {name} in its pickle")

    def _take(self, count: int) -> list[Any]:
        """The topmost items, from the lowest to the highest, off the stack."""
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise Fault("a pickle that takes more from its stack than it holds")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _take_to_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _call(self, function, arguments):
        if not isinstance(function, Global):
            raise Fault(f"a call of a {type(function).__name__} in its pickle")
        if function not in self.calls:
            raise Fault(f"a call of the global {function} in its pickle")
        return self.calls[function](*arguments)


def _global(module, name):
    if not (isinstance(module, str) and isinstance(name, str)):
        raise Fault("a global without a name in its pickle")
    return Global(module, name)


def _instance(kind, *_):
    if not isinstance(kind, Global):
        raise Fault(f"an instance of a {type(kind).__name__} in its pickle")
    return Instance()


def _build(target, state):
    if isinstance(target, Instance):
        # With __slots__ there are two dictionaries.
        attributes = state[0] if isinstance(state, tuple) and state else state
        target.state = attributes if isinstance(attributes, dict) else {}
    elif not isinstance(target, dict):
        raise Fault(f"state set on a {type(target).__name__} in its pickle")


def _extend(target, items):
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Instance):
        raise Fault(f"items added to a {type(target).__name__} in its pickle")


def _set_items(target, items):
    """Items are keys and values by turns; a key that is no string can be no weight's name."""
    dictionary = target.items if isinstance(target, Instance) else target
    if not isinstance(dictionary, dict):
        raise Fault(f"items set on a {type(target).__name__} in its pickle")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, str):
            dictionary[key] = value
    return dictionary
