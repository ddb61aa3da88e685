"""Sliding windows over feature maps, for operations that XLA's own form of is slow on a CPU.

Layout throughout: NHWC. Tap (i, j) of window (row, column) reads the pixel
`(stride * row + i - padding, stride * column + j - padding)`, where size and padding may differ
between the two directions.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.pieces import computed_once


@dataclass(frozen=True)
class Axis:
    """The windows in one direction.

    Attributes:
      size: Number of taps.
      stride: Step between windows.
      padding: Number of pixels added on each side.
    """

    size: int
    stride: int
    padding: int

    def count(self, pixels: int) -> int:
        """How many windows fit among so many pixels."""
        return (pixels + 2 * self.padding - self.size) // self.stride + 1

    def taps_of(self, phase: int) -> range:
        """The taps that read the pixels p with `p % stride == phase`."""
        return range((phase + self.padding) % self.stride, self.size, self.stride)

    def window(self, phase: int, tap: int) -> int:
        """The window that reads the first pixel of a phase with a tap."""
        return (phase + self.padding - tap) // self.stride

    def reach(self, windows: int, blocks: int) -> tuple[int, int]:
        """Windows to add before and after, for every pixel of so many blocks of stride pixels to
        find all that it asks for."""
        used = [self.window(a, i) for a in range(self.stride) for i in self.taps_of(a)]
        return max(-min(used), 0), max(max(used) + blocks - windows, 0)


@dataclass(frozen=True)
class SlidingWindows:
    """Windows over a map with padded edges.

    Windows that leave pixels out between them (`stride` above `size`) are a ValueError.

    Attributes:
      size: Number of taps of a side, or (rows, columns).
      stride: Step between windows, in both directions.
      padding: Number of pixels added on each side, or (above and below, left and right).
    """

    size: int | tuple[int, int]
    stride: int
    padding: int | tuple[int, int]

    def __post_init__(self):
        if not 1 <= self.stride <= min(_pair(self.size)):
            raise ValueError(f"stride {self.stride} is not between 1 and the size {self.size}")

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Vertical, horizontal."""
        return tuple(
            Axis(size, self.stride, padding)
            for size, padding in zip(_pair(self.size), _pair(self.padding), strict=True)
        )

    def index(self, i: int, j: int) -> int:
        """The place of tap (i, j) in the window, counted along the rows."""
        return i * _pair(self.size)[1] + j

    def taps(
        self, x: Float[Array, "b h w c"], outside: float = 0.0
    ) -> Iterator[tuple[int, int, Float[Array, "b rows columns c"]]]:
        """(i, j, what tap (i, j) of every window reads); `outside` lies around the map."""
        yield from self.taps_of_padded(self.padded(x, outside), x.shape[1:3])

    def padded(self, x: Float[Array, "b h w c"], outside: float = 0.0) -> Float[Array, "b _ _ c"]:
        """A map with what lies around it."""
        vertical, horizontal = self.axes
        return _pad(x, (vertical.padding,) * 2, (horizontal.padding,) * 2, outside)

    def taps_of_padded(
        self, padded: Float[Array, "b _ _ c"], size: tuple[int, int]
    ) -> Iterator[tuple[int, int, Float[Array, "b rows columns c"]]]:
        """As `taps`, of a `padded` map that had a size of (h, w)."""
        vertical, horizontal = self.axes
        rows, columns = vertical.count(size[0]), horizontal.count(size[1])
        for i in range(vertical.size):
            for j in range(horizontal.size):
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
        vertical, horizontal = self.axes
        top, bottom = vertical.reach(maps[0].shape[1], rows)
        left, right = horizontal.reach(maps[0].shape[2], columns)
        padded = [_pad(x, (top, bottom), (left, right)) for x in maps]

        def term(padded: Sequence[Array], a: int, b: int, i: int, j: int) -> Array:
            row, column = top + vertical.window(a, i), left + horizontal.window(b, j)
            return contribution(i, j, *(_cut(x, row, column, rows, columns) for x in padded))

        def phase(padded: Sequence[Array], a: int, b: int) -> Array:
            taps = itertools.product(vertical.taps_of(a), horizontal.taps_of(b))
            terms = (term(padded, a, b, i, j) for i, j in taps)
            return sum(terms, start=next(terms))

        def summed(*padded: Array) -> Array:
            if self.stride == 1:
                return phase(padded, 0, 0)
            phases = range(self.stride)
            grid = [jnp.stack([phase(padded, a, b) for b in phases], 3) for a in phases]
            grid = jnp.stack(grid, 2)
            batch, channels = grid.shape[0], grid.shape[-1]
            whole = grid.reshape(batch, rows * self.stride, columns * self.stride, channels)
            return whole[:, :height, :width]

        return computed_once(summed, *padded)


def _pair(value):
    return value if isinstance(value, tuple) else (value, value)


def _pad(x, vertical, horizontal, value=0.0):
    edges = ((0, 0, 0), (*vertical, 0), (*horizontal, 0), (0, 0, 0))
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), edges)


def _cut(padded, top, left, rows, columns, stride=1):
    batch, _, _, channels = padded.shape
    return jax.lax.slice(
        padded,
        (0, top, left, 0),
        (batch, top + stride * (rows - 1) + 1, left + stride * (columns - 1) + 1, channels),
        (1, stride, stride, 1),
    )
