"""A small network that learns to take masks off, from photos with and without.

Pixels are RGB in [0, 255], uint8 as in photos, float32 as the network is shown them; parts of
photos are the regions in which masks are made (`photos.region`).
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import serialization
from jaxtyping import Array, Float, UInt8

from tipim_jax.evaluate.pairs import PhotoPair
from tipim_jax.photos import FaceDetector, add_masks, read_photo, region, write_whole

# A change of the network's output by 1 is so much of a pixel: about what masks change.
_SCALE = 16.0


@dataclasses.dataclass(frozen=True)
class Training:
    """How the network is trained.

    Attributes:
      steps: Number of steps; the rate falls to 0 over them.
      batch: Parts of faces in a step.
      part: Side of such a part, in pixels; a multiple of 8.
      features: Channels at the finest of three scales.
      rate: Adam's rate at the beginning.
      seed: Of the first parameters and of the parts that are drawn.
    """

    steps: int = 1000
    batch: int = 8
    part: int = 112
    features: int = 24
    rate: float = 2e-3
    seed: int = 0


class Restorer(nn.Module):
    """A residual U-Net of three scales, that begins by changing nothing."""

    features: int

    @nn.compact
    def __call__(
        self, pixels: Float[Array, "batch height width 3"]
    ) -> Float[Array, "batch height width 3"]:
        """Pixels in [0, 255], height and width multiples of 8, as they were before a mask."""
        width = self.features
        # Beside a photo's contrasts a mask is faint: what parts pixels from their neighbours is
        # shown apart, in a mask's own measure.
        detail = pixels - _smooth(pixels)
        shown = jnp.concatenate([pixels / 127.5 - 1, detail / _SCALE], axis=-1)
        # Four pixels become one of four times the channels: the finest scale is the dearest.
        fine = self._block(_folded(shown), width)
        middle = self._block(nn.Conv(2 * width, (3, 3), strides=2)(fine), 2 * width)
        coarse = self._block(nn.Conv(4 * width, (3, 3), strides=2)(middle), 4 * width)
        middle = self._block(jnp.concatenate([_twice(coarse), middle], axis=-1), 2 * width)
        fine = self._block(jnp.concatenate([_twice(middle), fine], axis=-1), width)
        change = nn.Conv(12, (3, 3), kernel_init=nn.initializers.zeros_init())(fine)
        return pixels + _SCALE * _unfolded(change)

    def _block(self, x, width: int):
        # Dense convolutions: XLA has no fast code for depthwise ones on a CPU.
        for _ in range(2):
            x = nn.relu(nn.Conv(width, (3, 3), kernel_init=nn.initializers.he_normal())(x))
        return x


def train(
    protected: UInt8[np.ndarray, "faces side side 3"],
    clean: UInt8[np.ndarray, "faces side side 3"],
    training: Training,
    kept: Path,
    *,
    save_every: int = 50,
    progress: Callable[[int], None] = lambda steps: None,
) -> Callable[[Float[np.ndarray, "batch h w 3"]], Float[np.ndarray, "batch h w 3"]]:
    """A restorer of pixels in [0, 255], trained on the regions of faces.

    Args:
      kept: folder in which the training's state is kept, by all that decides it; where it is there
        the training goes on from it.
      progress: called with the number of steps just done.
    """
    network = Restorer(training.features)
    optimiser = optax.adam(optax.cosine_decay_schedule(training.rate, training.steps))
    blank = jnp.zeros((1, training.part, training.part, 3))
    params = network.init(jax.random.key(training.seed), blank)
    digest = hashlib.sha256(repr(training).encode() + protected.tobytes() + clean.tobytes())
    place = kept / f"training-{digest.hexdigest()[:12]}.msgpack"
    state = {"step": 0, "params": params, "optimiser": optimiser.init(params)}
    if place.is_file():
        state = serialization.from_bytes(state, place.read_bytes())
        progress(state["step"])

    @jax.jit
    def update(params, optimiser_state, masked, wanted):
        def loss(params):
            return jnp.square((network.apply(params, masked) - wanted) / _SCALE).mean()

        gradient = jax.grad(loss)(params)
        change, optimiser_state = optimiser.update(gradient, optimiser_state)
        return optax.apply_updates(params, change), optimiser_state

    for step in range(state["step"], training.steps):
        parts = _parts(protected, clean, training, step)
        params, found = update(state["params"], state["optimiser"], *parts)
        state = {"step": step + 1, "params": params, "optimiser": found}
        if (step + 1) % save_every == 0 or step + 1 == training.steps:
            with write_whole(place) as stream:
                stream.write(serialization.to_bytes(state))
        progress(1)
    apply = jax.jit(network.apply)
    return lambda pixels: np.asarray(apply(state["params"], jnp.asarray(pixels, jnp.float32)))


def restored(
    pixels: UInt8[np.ndarray, "height width 3"],
    detector: FaceDetector,
    restore: Callable[[Float[np.ndarray, "1 h w 3"]], Float[np.ndarray, "1 h w 3"]],
) -> UInt8[np.ndarray, "height width 3"]:
    """A photo, each of whose faces' regions a restorer was shown."""
    regions = [region(pixels, face.matrix) for face in detector.detect(pixels)]
    changes = [restore(one.pixels[None].astype(np.float32))[0] - one.pixels for one in regions]
    return add_masks(pixels, changes, regions, epsilon=255)


def face_regions(
    pairs: Sequence[PhotoPair], detector: FaceDetector, progress: Callable[[int], None]
) -> tuple[UInt8[np.ndarray, "faces side side 3"], UInt8[np.ndarray, "faces side side 3"]]:
    """Regions of the faces of photos that are protected, and the same ones of the clean photos.

    Raises:
      ValueError: there is no face at all.
      PhotoError: a photo cannot be read.
    """
    found = []
    for pair in pairs:
        if pair.clean:
            old, new = (read_photo(file.source).pixels for file in (pair.clean, pair.protected))
            if old.shape == new.shape:
                for face in detector.detect(old):
                    found.append([region(pixels, face.matrix).pixels for pixels in (new, old)])
        progress(1)
    if not found:
        raise ValueError(f"none of {len(pairs)} photos shows a face, with a mask and without")
    protected, clean = map(np.stack, zip(*found, strict=True))
    return protected, clean


def _parts(protected, clean, training: Training, step: int):
    """Of some faces the same parts, protected and clean, half of them mirrored."""
    random = np.random.default_rng((training.seed, step))
    faces = random.integers(len(protected), size=training.batch)
    corners = random.integers(protected.shape[1] - training.part + 1, size=(training.batch, 2))
    mirrored = random.random(training.batch) < 0.5

    def drawn(regions):
        parts = []
        for face, (y, x), mirror in zip(faces, corners, mirrored, strict=True):
            part = regions[face, y : y + training.part, x : x + training.part]
            parts.append(part[:, ::-1] if mirror else part)
        return np.stack(parts).astype(np.float32)

    return drawn(protected), drawn(clean)


def _folded(x):
    """Squares of 2 × 2 pixels as channels."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, width // 2, 4 * channels)


def _unfolded(x):
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels // 4)


def _smooth(x):
    """The mean of the 5 × 5 pixels around each; beyond an edge its pixels go on."""
    for axis in (1, 2):
        size = x.shape[axis]
        ends = [(2, 2) if n == axis else (0, 0) for n in range(4)]
        padded = jnp.pad(x, ends, mode="edge")
        x = sum(jax.lax.slice_in_dim(padded, n, n + size, axis=axis) for n in range(5)) / 5
    return x


def _twice(x):
    """Every pixel as 2 × 2 of them."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
