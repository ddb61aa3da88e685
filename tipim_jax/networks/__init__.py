"""Face recognition networks in Flax, and the registry of the weights that exist for them.

Images enter as RGB float32 in [0, 255], 112x112, batch first (the canonical crop); embeddings leave
as float32, not normalised. Inference only: no network has a training mode.
"""

from tipim_jax.networks.network import Network, PublishedThreshold
from tipim_jax.networks.precision import PRECISIONS, Precision, PrecisionName
from tipim_jax.networks.registry import DEFAULT_RECOGNISERS, get, names
from tipim_jax.networks.window import WINDOWS, Window

__all__ = [
    "DEFAULT_RECOGNISERS",
    "PRECISIONS",
    "WINDOWS",
    "Network",
    "Precision",
    "PrecisionName",
    "PublishedThreshold",
    "Window",
    "get",
    "names",
]
