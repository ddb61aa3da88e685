"""Reads the networks that dlib wrote with its own serialisation.

The format, from dlib 19's `serialize.h`, `float_details.h`, `dnn/core.h` and `dnn/layers.h`:

- integer: a control byte (high bit: negative; low four bits: n), then n bytes of the absolute
  value, little endian; floating point number: two integers, mantissa and exponent of 2;
  string: its length as an integer, then its bytes; bool: "0" or "1".
- tensor: the integer 2, four sizes (num_samples, k, nr, nc), then float32, little endian.
- network: the integer 1, the loss, then the layers from the loss inwards. Each opens with its
  version and holds all that lies below it before its own details, so a file is a run of versions
  (1: tag, which has no details; 2: layer; 3: layer that stands on the input), then the input
  layer, then the details of every layer from the input to the loss.
"""

import math
from collections import Counter
from pathlib import Path

import numpy as np

from weights_convert.errors import ConversionError

_TAG, _LAYER, _FIRST_LAYER = 1, 2, 3
_DEEPEST = 10_000  # layers; the largest networks published for dlib have a few hundred


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights of a dlib network, float32, in the order from the input to the output.

    Names are dlib's, numbered from 1 for each kind of layer:
      input.average_rgb (3), input.size (height, width)
      con_1.filters (num_filters, input channels, height, width), con_1.biases (num_filters)
      affine_1.gamma (channels), affine_1.beta (channels)
      fc_1.weights (inputs, outputs), fc_1.biases (outputs) where the layer has them

    Raises:
      ConversionError: the file is none of dlib's, is damaged, or holds a kind of layer that is
        not read here.
    """
    stream = _Stream(path)
    stream.expect_integer(1, "version of the network")
    _read_loss(stream)
    versions = _read_versions(stream)
    weights = _read_input(stream)
    seen: Counter[str] = Counter()
    for version in reversed(versions):
        if version == _TAG:
            continue
        weights |= _read_details(stream, seen)
        _skip_training_state(stream, first=version == _FIRST_LAYER)
    stream.expect_end()
    return weights


def _read_loss(stream: "_Stream") -> None:
    loss = stream.text()
    if loss != "loss_metric_2":
        raise stream.fault(f"the loss layer {loss!r}", "'loss_metric_2', a metric network")
    stream.real()  # margin
    stream.real()  # distance threshold


def _read_versions(stream: "_Stream") -> list[int]:
    versions = []
    while not versions or versions[-1] != _FIRST_LAYER:
        version = stream.integer()
        if version not in (_TAG, _LAYER, _FIRST_LAYER) or len(versions) == _DEEPEST:
            raise stream.fault(f"layer version {version}", "1 (tag), 2 (layer) or 3 (first layer)")
        versions.append(version)
    return versions


def _read_input(stream: "_Stream") -> dict[str, np.ndarray]:
    kind = stream.text()
    if kind != "input_rgb_image_sized":
        raise stream.fault(f"the input layer {kind!r}", "'input_rgb_image_sized'")
    average = [stream.real() for _ in range(3)]
    size = [stream.integer() for _ in range(2)]
    return {
        "input.average_rgb": np.array(average, np.float32),
        "input.size": np.array(size, np.float32),
    }


def _read_details(stream: "_Stream", seen: Counter) -> dict[str, np.ndarray]:
    """Reads one layer's own part of the file; `seen` numbers the layers of each kind."""
    kind = stream.text()
    if kind in ("relu_", "add_prev_"):
        return {}
    if kind in ("max_pool_2", "avg_pool_2"):
        stream.integers(6)  # window, strides, padding
        return {}
    if kind == "con_4":
        params = stream.tensor()
        stream.integers(7)  # filters, window, strides, padding
        filters, biases = stream.sizes(), stream.sizes()
        stream.reals(4)  # learning rates and weight decay
        shapes = {"filters": filters, "biases": (math.prod(biases),)}
    elif kind == "affine_":
        params = stream.tensor()
        gamma, beta = stream.sizes(), stream.sizes()
        stream.integer()  # mode: convolutional or fully connected
        shapes = {"gamma": (math.prod(gamma),), "beta": (math.prod(beta),)}
    elif kind == "fc_2":
        stream.integers(2)  # outputs, inputs
        params = stream.tensor()
        matrix, biases = stream.sizes(), stream.sizes()
        stream.integer()  # bias mode
        stream.reals(4)
        shapes = {"weights": matrix[:2], "biases": (math.prod(biases),)}
    else:
        raise stream.fault(
            f"the layer {kind!r}", "con_4, affine_, fc_2, relu_, add_prev_, max_pool_2, avg_pool_2"
        )
    label = kind.rstrip("_0123456789")
    seen[label] += 1
    return _split(stream, f"{label}_{seen[label]}", params, shapes)


def _split(stream: "_Stream", layer: str, params: np.ndarray, shapes: dict) -> dict:
    """Cuts a layer's one tensor of parameters into its named parts."""
    parts, start = {}, 0
    for name, shape in shapes.items():
        if size := math.prod(shape):
            parts[f"{layer}.{name}"] = params[start : start + size]
        start += size
    if start != params.size:
        raise stream.fault(f"{params.size} parameters in {layer}", f"{start} by its shapes")
    return {name: part.reshape(shapes[name.split(".")[1]]) for name, part in parts.items()}


def _skip_training_state(stream: "_Stream", *, first: bool) -> None:
    for _ in range(3):  # set up, gradient is stale, getters are disabled
        stream.boolean()
    for _ in range(3):  # gradient, cached output, gradient of the parameters or of the image
        stream.tensor()
    if first:
        stream.integer()  # sample expansion factor


class _Stream:
    """The bytes of one file, read in order."""

    def __init__(self, path: Path):
        self.path = path
        self._bytes = memoryview(Path(path).read_bytes())
        self._position = 0

    def fault(self, found: str, expected: str) -> ConversionError:
        return ConversionError(
            f"{self.path}: found {found} before byte {self._position}, expected {expected}. "
            "The file is damaged or no dlib face recognition network; get it again."
        )

    def take(self, count: int) -> memoryview:
        left = len(self._bytes) - self._position
        if count > left:
            raise self.fault(f"the end of the file ({left} bytes left)", f"{count} more bytes")
        self._position += count
        return self._bytes[self._position - count : self._position]

    def integer(self) -> int:
        control = self.take(1)[0]
        length = control & 0x0F
        if control & 0x70 or not 1 <= length <= 8:
            raise self.fault(f"the control byte {control:#04x}", "the length of an integer, 1 to 8")
        value = int.from_bytes(self.take(length), "little")
        return -value if control & 0x80 else value

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        # Nothing in these files exceeds float32; infinities and NaN have exponents from 32000.
        if not -1100 <= exponent <= 64 or abs(mantissa) >= 2**63:
            raise self.fault(f"{mantissa} * 2^{exponent}", "a finite number")
        return math.ldexp(mantissa, exponent)

    def reals(self, count: int) -> list[float]:
        return [self.real() for _ in range(count)]

    def boolean(self) -> bool:
        byte = bytes(self.take(1))
        if byte not in (b"0", b"1"):
            raise self.fault(f"{byte!r}", "a bool, b'0' or b'1'")
        return byte == b"1"

    def text(self) -> str:
        length = self.integer()
        if not 0 <= length <= 100:  # dlib's names of layers have 5 to 21 letters
            raise self.fault(f"a name of {length} letters", "at most 100")
        return bytes(self.take(length)).decode("ascii", "backslashreplace")

    def sizes(self) -> tuple[int, int, int, int]:
        """The four sizes of a part of a tensor (dlib's alias_tensor)."""
        self.expect_integer(1, "version of a tensor's part")
        return self._four_sizes()

    def tensor(self) -> np.ndarray:
        self.expect_integer(2, "version of a tensor")
        count = math.prod(self._four_sizes())
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def expect_integer(self, expected: int, what: str) -> None:
        found = self.integer()
        if found != expected:
            raise self.fault(f"{what} {found}", str(expected))

    def expect_end(self) -> None:
        left = len(self._bytes) - self._position
        if left:
            raise self.fault(f"{left} bytes after the last layer", "the end of the file")

    def _four_sizes(self) -> tuple[int, int, int, int]:
        sizes = tuple(self.integers(4))
        if min(sizes) < 0:
            raise self.fault(f"the sizes {sizes}", "none below 0")
        return sizes
