"""Random weights under the published names of networks whose weights every user brings."""

import zlib

import numpy as np
from flax.traverse_util import flatten_dict

from tests.test_paper_networks import pytorch_shape
from tipim_jax.networks import Network
from weights_convert.tables import layouts, tables


def state_dict(network: Network) -> dict[str, np.ndarray]:
    """As PyTorch saves them, and such that maps neither vanish nor explode."""
    wanted = flatten_dict(network.abstract_variables(), sep="/")
    table = next(table for table in tables(network) if table.form == "torch")
    return {
        name: _values(name, path, _shape(transform, wanted[path].shape, path))
        for name, (path, transform) in table.weights.items()
    }


def _shape(transform, shape, path) -> tuple[int, ...]:
    if path == "params/position":
        return (1, *shape)
    if transform is layouts.patches:
        side = round((shape[0] / 3) ** 0.5)
        return (shape[1], 3, side, side)
    return pytorch_shape(transform, shape)


def _values(name, path, shape) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    match path.rsplit("/", 1)[1]:
        case "kernel":
            reach = (5.1 / np.prod(shape[1:])) ** 0.5  # a variance of 1.7 / fan-in
            return rng.uniform(-reach, reach, shape).astype(np.float32)
        case "scale" | "var":
            return rng.uniform(0.6, 1.6, shape).astype(np.float32)
        case "slope":
            return rng.uniform(0.05, 0.45, shape).astype(np.float32)
    return rng.uniform(-0.2, 0.2, shape).astype(np.float32)
