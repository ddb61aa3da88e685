"""Sliding windows over feature maps, for operations that XLA's own form of is slow on a CPU.

Layout throughout: NHWC. Tap (i, j) of window (row, column) reads the pixel
`(stride * row + i - padding, stride * column + j - padding)`; outside the map lie zeros.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Windows:
    """Square windows of `size` taps a side, `stride` apart, over a map with padded edges.

    Windows that leave pixels out between them (`stride` above `size`) are a ValueError.
    """

    size: int
    stride: int
    padding: int

    def __post_init__(self):
        if not 1 <= self.stride <= self.size:
            raise ValueError(f"stride {self.stride} is not between 1 and the size {self.size}")

    def count(self, pixels: int) -> int:
        """How many windows fit along an axis of so many pixels."""
        return (pixels + 2 * self.padding - self.size) // self.stride + 1

    def taps(self, x: Float[Array, "b h w c"]) -> Iterator[tuple[int, int, Array]]:
        """(i, j, what tap (i, j) of every window reads), `b rows columns c`."""
        rows, columns = self.count(x.shape[1]), self.count(x.shape[2])
        padded = _pad(x, (self.padding, self.padding), (self.padding, self.padding))
        for i in range(self.size):
            for j in range(self.size):
                yield i, j, _cut(padded, i, j, rows, columns, self.stride)

    def gather(
        self,
        maps: tuple[Float[Array, "b rows columns _"], ...],
        size: tuple[int, int],
        contribution: Callable[..., Float[Array, "b _ _ c"]],
    ) -> Float[Array, "b h w c"]:
        """Sums over the windows that cover each pixel: the transpose of reading by taps.

        Pixel p is tap i of window o when p = stride * o + i - padding. Pixels of one phase
        (p mod stride) have the same taps, so each phase is a sum over shifted maps, and the phases
        are interleaved at the end; no work is spent on the zeros that a dilation would put in.

        Args:
          maps: values of each window.
          size: (h, w) of the pixels.
          contribution: `contribution(i, j, *shifted)`, what a window with the values `shifted`
            gives to its tap (i, j).
        """
        height, width = size
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        top, bottom = self._reach(maps[0].shape[1], rows)
        left, right = self._reach(maps[0].shape[2], columns)
        padded = [_pad(x, (top, bottom), (left, right)) for x in maps]

        def phase(a: int, b: int) -> Array:
            terms = (
                contribution(
                    i,
                    j,
                    *(
                        _cut(x, top + self._window(a, i), left + self._window(b, j), rows, columns)
                        for x in padded
                    ),
                )
                for i in self._taps_of(a)
                for j in self._taps_of(b)
            )
            return sum(terms, start=next(terms))

        if self.stride == 1:
            return phase(0, 0)
        phases = range(self.stride)
        grid = jnp.stack([jnp.stack([phase(a, b) for b in phases], 3) for a in phases], 2)
        batch, channels = grid.shape[0], grid.shape[-1]
        whole = grid.reshape(batch, rows * self.stride, columns * self.stride, channels)
        return whole[:, :height, :width]

    def _taps_of(self, phase: int) -> range:
        return range((phase + self.padding) % self.stride, self.size, self.stride)

    def _window(self, phase: int, tap: int) -> int:
        """The window that reads the first pixel of a phase with a tap."""
        return (phase + self.padding - tap) // self.stride

    def _reach(self, windows: int, rows: int) -> tuple[int, int]:
        """Windows to add before and after, for every pixel to find all that it asks for."""
        used = [self._window(a, i) for a in range(self.stride) for i in self._taps_of(a)]
        return max(-min(used), 0), max(max(used) + rows - windows, 0)


def _pad(x, vertical, horizontal):
    edges = ((0, 0, 0), (*vertical, 0), (*horizontal, 0), (0, 0, 0))
    return jax.lax.pad(x, jnp.zeros((), x.dtype), edges)


def _cut(padded, top, left, rows, columns, stride=1):
    batch, _, _, channels = padded.shape
    return jax.lax.slice(
        padded,
        (0, top, left, 0),
        (batch, top + stride * (rows - 1) + 1, left + stride * (columns - 1) + 1, channels),
        (1, stride, stride, 1),
    )
