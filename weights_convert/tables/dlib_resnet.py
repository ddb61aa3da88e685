"""dlib's ResNet: files and what becomes of each of their arrays."""

import numpy as np

from tipim_jax.networks import Network
from tipim_jax.networks.dlib_resnet import LEVELS
from weights_convert.fill import Table
from weights_convert.tables.layouts import Weights, conv, same


def tables(network: Network) -> tuple[Table, ...]:
    """dlib's own file."""
    constants = {
        "input.average_rgb": np.asarray(network.mean),
        "input.size": np.asarray(network.input_size),
    }
    return (Table("dlib", dict(_weights()), constants=constants),)


def _weights() -> Weights:
    # The reader numbers the layers of each kind from the image to the embedding.
    units = ["stem"]
    for level, (_, blocks, _) in enumerate(LEVELS):
        for block in range(blocks):
            units += [f"level{level}_{block}/first", f"level{level}_{block}/second"]
    for index, unit in enumerate(units, start=1):
        yield f"con_{index}.filters", (f"params/{unit}/conv/kernel", conv)
        yield f"con_{index}.biases", (f"params/{unit}/conv/bias", same)
        yield f"affine_{index}.gamma", (f"params/{unit}/affine/scale", same)
        yield f"affine_{index}.beta", (f"params/{unit}/affine/bias", same)
    yield "fc_1.weights", ("params/head/kernel", same)
