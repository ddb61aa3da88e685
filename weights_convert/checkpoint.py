"""Converted weights as Orbax checkpoints in the cache."""

import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

import tipim_jax.networks
import weights_convert
from tipim_jax.networks import Network
from weights_convert.cache import home, workshop
from weights_convert.errors import ConversionError

_DIGEST = "sha256"


def path(network: Network, source: str) -> Path:
    """Where the checkpoint made of a source file is kept, whether or not it is there.

    `source` is that file's sha256, hexadecimal, here and in all of this module. The name holds it
    and the conversion's version, so weights made from another file or by other code are never taken
    for these.
    """
    version = _conversion_version()
    return home() / "checkpoints" / f"{network.name}-{source[:12]}-{version}"


def save(network: Network, source: str, variables: dict[str, Any]) -> None:
    """Writes a checkpoint; it appears in its place whole or not at all."""
    place = path(network, source)
    place.parent.mkdir(parents=True, exist_ok=True)
    with workshop() as folder:
        ocp.save(folder / "new", variables, custom_metadata={_DIGEST: _digest(variables)})
        if place.exists():  # unreadable, or another process was quicker with the same
            place.rename(folder / "old")
        try:
            (folder / "new").rename(place)
        except OSError:
            if not place.exists():
                raise
    for other in place.parent.iterdir():
        if other != place and other.name.rsplit("-", 2)[0] == network.name:
            shutil.rmtree(other, ignore_errors=True)  # of an older conversion


def load(network: Network, source: str) -> dict[str, Any]:
    """Reads a checkpoint into NumPy arrays.

    Raises:
      ConversionError: it cannot be read or does not hold what was written.
    """
    place = path(network, source)
    try:
        # Without an expected tree, as tracing the network for it takes longer than all the rest;
        # the checkpoint's name already says that this code wrote it for this network.
        variables = ocp.load(place)
        expected = ocp.metadata(place).custom_metadata[_DIGEST]
    except Exception as error:  # whatever Orbax and its storage raise for damaged files
        raise ConversionError(f"cannot read {place} ({type(error).__name__}: {error})") from error
    if _digest(variables) != expected:
        raise ConversionError(f"{place} does not hold what was written to it")
    return variables


def _digest(variables: dict[str, Any]) -> str:
    """Orbax writes no checksums of values: a flipped bit would go unnoticed."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(variables):
        digest.update(np.ascontiguousarray(leaf))
    return digest.hexdigest()


@cache
def _conversion_version() -> str:
    """Hash of the code that reads, names and uses weights: older weights never meet newer code."""
    digest = hashlib.sha256()
    for package in (weights_convert, tipim_jax.networks):
        for file in sorted(Path(package.__file__).parent.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
