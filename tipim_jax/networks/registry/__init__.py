"""The networks that exist: all that belongs to a set of weights stands in its entry, here alone.

A module for each family, whose `NETWORKS` are in the order in which they are listed to users.
"""

from tipim_jax.networks.network import Network
from tipim_jax.networks.registry import deepface, default, iresnets, packaged, paper, transformers

DEFAULT_RECOGNISERS = ("mobileface", "sface", "dlib")  # that judge where nobody chooses

_NETWORKS = {
    network.name: network
    for family in (default, paper, packaged, iresnets, transformers, deepface)
    for network in family.NETWORKS
}


def get(name: str) -> Network:
    """The network called `name`; ValueError names the known ones."""
    if name not in _NETWORKS:
        raise ValueError(f"no network is called {name!r}; known are {', '.join(names())}")
    return _NETWORKS[name]


def names() -> tuple[str, ...]:
    """All networks' names, in the order in which they are listed to users."""
    return tuple(_NETWORKS)
