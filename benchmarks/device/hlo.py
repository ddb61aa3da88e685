"""What XLA made of a program: how many kernels of which kind, read from its optimised text."""

import re
from collections import Counter
from typing import NamedTuple

CONVOLUTION = "convolutions, products"
ELEMENTWISE = "elementwise"
COPY = "copies, transposes"
GATHER = "gathers, scatters"
REDUCE = "reductions"
FOURIER = "Fourier transforms"
CONTROL = "control"
CATEGORIES = (CONVOLUTION, ELEMENTWISE, COPY, GATHER, REDUCE, FOURIER, CONTROL)

_NAME = r"%?([\w.\-]+)"
_HEADER = re.compile(rf"^(?:ENTRY )?{_NAME} .*\{{$")
_INSTRUCTION = re.compile(rf"^\s+(?:ROOT )?{_NAME} = ")
_OPCODE = re.compile(r"\s([a-z][\w\-]*)\(")
_CALLED = re.compile(rf"(?:calls|to_apply)={_NAME}")
_TARGET = re.compile(r'custom_call_target="([^"]*)"')
# Opcodes -> category, the first that a fusion holds decides.
_KINDS = (
    ({"convolution", "dot", "ragged-dot"}, CONVOLUTION),
    ({"scatter", "gather", "select-and-scatter", "sort"}, GATHER),
    ({"reduce", "reduce-window"}, REDUCE),
    ({"fft"}, FOURIER),
)
_ARITHMETIC = {
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "select", "compare"),
    *("exponential", "tanh", "rsqrt", "sqrt", "power", "negate", "abs", "sign", "clamp", "and"),
    *("or", "xor", "log", "cosine", "sine", "floor", "round-nearest-even", "iota"),
    *("shift-left", "shift-right-logical", "rng-bit-generator"),
}
_CONTROL = {"while", "conditional", "call", "async-start", "async-done"}
# They compute nothing and move nothing.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}
# What kernels are called that are no fusion of XLA's own: of cuDNN, cuBLAS and CUDA.
_LIBRARIES = (
    (r"tonhwc|tonchw|nchwto|nhwcto|memcpy|memset|transpose|copy|convert(tensor|layout)", COPY),
    (
        r"conv(?!ert)|gemm|xmma|nvjet|cutlass|cublas|fprop|dgrad|wgrad|winograd|(^|_)dot[._]|matmul|ynn",
        CONVOLUTION,
    ),
    (r"scatter|gather|sort", GATHER),
    (r"reduce|reduction", REDUCE),
    (r"fft", FOURIER),
    (r"^(while|conditional|call|body|cond|region)\b", CONTROL),
)


class Instruction(NamedTuple):
    """A line of a program.

    Attributes:
      name: as a profile calls it, too.
      opcode: what it does.
      called: computation that it is a fusion of, or that it applies to each pair.
      target: library function that it calls.
    """

    name: str
    opcode: str
    called: str
    target: str


class Text:
    """The optimised program as text.

    Attributes:
      size: of the text, in bytes.
      instructions: those that are kernels or decide which are run, and not parts of any.
    """

    def __init__(self, text: str):
        self.size = len(text)
        self._computations = _computations(text)
        within = {
            one.called
            for instructions in self._computations.values()
            for one in instructions
            if one.called and one.opcode not in _CONTROL
        }
        self.instructions = [
            one
            for name, instructions in self._computations.items()
            if name not in within
            for one in instructions
            if one.opcode not in _FREE
        ]
        self._category = {_plain(one.name): self._of(one) for one in self.instructions}

    def counts(self) -> dict[str, int]:
        """Number of instructions of each kind, convolutions by who computes them."""
        return dict(Counter(map(_label, self.instructions)).most_common())

    def category(self, kernel: str) -> str:
        """One of `CATEGORIES`, of a kernel as a profile calls it."""
        known = self._category.get(_plain(kernel))
        return known or by_name(kernel)

    def _of(self, one):
        if one.opcode in _CONTROL:
            return CONTROL
        if one.opcode == "custom-call":
            return by_name(one.target)
        inside = [one.opcode]
        if one.opcode == "fusion":
            inside = [part.opcode for part in self._computations.get(one.called, ())]
        for opcodes, category in _KINDS:
            if opcodes & set(inside):
                return category
        return ELEMENTWISE if _ARITHMETIC & set(inside) else COPY


def _computations(text):
    found, current = {}, None
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            current = found.setdefault(header[1], [])
        elif current is not None and (start := _INSTRUCTION.match(line)):
            current.append(_instruction(start[1], line[start.end() :]))
    return found


def _instruction(name, rest):
    """`rest`: what follows the equals sign, a type and `opcode(operands), attributes`."""
    opcode, called, target = (of.search(rest) for of in (_OPCODE, _CALLED, _TARGET))
    return Instruction(name, *(found[1] if found else "" for found in (opcode, called, target)))


def _label(one):
    if one.opcode == "custom-call":
        return f"custom call {one.target}"
    return one.opcode


def by_name(name: str) -> str:
    """Category of a library's function, or of a kernel that no program is known of."""
    for pattern, category in _LIBRARIES:
        if re.search(pattern, name, re.IGNORECASE):
            return category
    return ELEMENTWISE


def _plain(name):
    """Instructions and their kernels differ in what stands between words."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
