"""Licences that admit research alone: users accept them once, by name, before such weights come."""

import os
from pathlib import Path

from tipim_jax.networks import Network
from weights_convert.cache import home, put, workshop
from weights_convert.errors import ConversionError

# Names with commas between them, for machines on which nobody can be asked.
VARIABLE = "TIPIM_JAX_ACCEPT_LICENCES"


def accept(network: Network) -> None:
    """Records in the cache that the user keeps to the licence of the network's weights."""
    with workshop() as folder:
        (folder / "licence").write_text(_text(network), encoding="utf-8")
        put(folder / "licence", _record(network))


def accepted(network: Network) -> bool:
    """Whether the network's weights may be used: as it is recorded, or named in `VARIABLE`."""
    if not network.non_commercial:
        return True
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    place = _record(network)
    # A record of another licence than the one that the registry states now is none.
    return network.name in named or (
        place.is_file() and place.read_text(encoding="utf-8", errors="replace") == _text(network)
    )


def require(network: Network) -> None:
    """Does nothing if the network's weights may be used.

    Raises:
      ConversionError: the licence is to be accepted; the message states it.
    """
    if not accepted(network):
        own_file = "" if network.weights else " --from FILE"
        raise ConversionError(
            f"the weights of {network.name} are for non-commercial use alone: {network.licence}, "
            f"{network.origin}. If you keep to that, add --accept-licence: "
            f"`tipim weights {network.name} --accept-licence{own_file}`"
        )


def _record(network: Network) -> Path:
    return home() / "licences" / network.name


def _text(network: Network) -> str:
    return f"{network.name}: {network.licence}, {network.origin}\n"
