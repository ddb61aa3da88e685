"""Weights that the user brought for a network, which are used in place of the published ones."""

from pathlib import Path

from tipim_jax.networks import Network
from weights_convert.cache import copy, home, record, recorded, sha256
from weights_convert.errors import ConversionError


def chosen(network: Network) -> str | None:
    """The sha256 of the user's file, None where there is none."""
    return recorded(_record(network))


def obtain(network: Network) -> Path:
    """The copy of the user's file.

    Raises:
      ConversionError: it is no longer there, or has changed.
    """
    place = _copy(network)
    if not place.is_file() or sha256(place) != chosen(network):
        raise ConversionError(
            f"{place} is not the copy that was made of your file for {network.name}; give the file "
            f"again: `tipim weights {network.name} --from FILE`"
        )
    return place


def keep(network: Network, file: Path, digest: str) -> None:
    """Copies the user's file into the cache; it is the network's from now on.

    Raises:
      ConversionError: `digest` is not its sha256.
    """
    copy(file, _copy(network), digest)
    record(_record(network), digest, str(file.absolute()))


def drop(network: Network) -> None:
    """Forgets the user's file."""
    _record(network).unlink(missing_ok=True)
    _copy(network).unlink(missing_ok=True)


def _copy(network: Network) -> Path:
    return home() / "own" / network.name / "weights"


def _record(network: Network) -> Path:
    return home() / "own" / network.name / "sha256"
