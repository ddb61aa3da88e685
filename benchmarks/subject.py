"""What is measured: networks with weights, real or random, and faces."""

import functools
import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

import weights_convert
from tipim_jax import networks
from tipim_jax.datasets import bundled as people
from tipim_jax.method import Surrogate
from tipim_jax.networks.origin import Download
from tipim_jax.photos import YUNET, FaceDetector, crop, read_photo


@dataclass(frozen=True)
class Subject:
    """A network with weights.

    Attributes:
      name: of the network.
      variables: its weights here.
      random: whether nobody has trained them.
      built: the same random weights in PyTorch, None where the weights are not random or are to be
        compared with nothing.
    """

    name: str
    variables: dict[str, Any]
    random: bool
    built: Any = None

    def module(self):
        """The network in PyTorch, of the same weights."""
        from tests.parity import torch_networks

        return self.built if self.random else torch_networks.load(self.name)

    def surrogate(self, precision: str) -> Surrogate:
        """The network as the method takes it, computing in one of `PRECISIONS`."""
        network = networks.get(self.name)
        variables = network.weights_in(self.variables, networks.PRECISIONS[precision])
        return Surrogate(functools.partial(embed, self.name, precision), variables)


def subject(name: str, *, compared: bool) -> Subject:
    """The network called `name`, with random weights where nobody may hand them on or they fail.

    Args:
      compared: make random weights in PyTorch, which has to be installed, and convert them.
    """
    network = networks.get(name)
    fetched = network.weights is not None and not isinstance(network.weights, Download)
    if fetched or weights_convert.is_cached(network):
        try:
            return Subject(name, weights_convert.load(name), random=False)
        except weights_convert.ConversionError as error:
            print(f"{name}: random weights ({error})", file=sys.stderr)
    if not compared:
        return Subject(name, jax.device_put(random_variables(name)), random=True)
    from tests.parity import torch_networks

    built = torch_networks.build(name)
    variables = torch_networks.converted(name, built.state_dict())
    return Subject(name, jax.device_put(variables), random=True, built=built)


def random_variables(name: str) -> dict[str, Any]:
    """Weights under which maps neither vanish nor explode."""
    random = np.random.default_rng(0)

    def draw(path, leaf):
        kind = path[-1].key
        if kind in ("scale", "var"):
            return random.uniform(0.6, 1.4, leaf.shape).astype(np.float32)
        fan_in = max(np.prod(leaf.shape[:-1]), 1)
        deviation = (1.7 / fan_in) ** 0.5 if len(leaf.shape) > 1 else 0.1
        return random.normal(0, deviation, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, networks.get(name).abstract_variables())


def embed(
    name: str, precision: str, variables: dict[str, Any], images: Float[Array, "batch 112 112 3"]
) -> Float[Array, "batch dim"]:
    """`Network.embed` in one of `PRECISIONS`."""
    return networks.get(name).embed(variables, images, precision=networks.PRECISIONS[precision])


def faces(
    count: int, targets: int
) -> tuple[Float[np.ndarray, "count 112 112 3"], Float[np.ndarray, "targets 112 112 3"]]:
    """Crops of the first bundled people, again and again where they are too few, and of the last.

    Raises:
      ValueError: there are not as many people as targets and one more.
    """
    known = people.identities()
    if targets >= len(known):
        raise ValueError(f"{targets} targets; there are {len(known)} people in all")
    own = min(count, len(known) - targets)
    crops = np.stack([_crop(identity) for identity in known[:own]])
    wanted = np.stack([_crop(identity) for identity in known[len(known) - targets :]])
    return crops[np.arange(count) % own], wanted


@functools.cache
def _crop(identity):
    photo = read_photo(people.photos(identity)[0])
    return crop(photo.pixels, _detector().detect(photo.pixels)[0].matrix)


@functools.cache
def _detector():
    return FaceDetector(weights_convert.obtain(YUNET))
