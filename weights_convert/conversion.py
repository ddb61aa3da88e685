"""From a network's name to its variables: out of the cache, or converted into it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tipim_jax.console import Console
from tipim_jax.networks import Network, get
from weights_convert import checkpoint, licences, own
from weights_convert.cache import copy, sha256
from weights_convert.errors import ConversionError
from weights_convert.fill import Table, fill, without_prefix
from weights_convert.origins import cached_path, forget, known_sha256, obtain
from weights_convert.readers import FORMATS, LIKE, file_format, read
from weights_convert.tables import tables


def load(name: str) -> dict[str, Any]:
    """The variables of the network called `name`, float32.

    They come from the cache; on first use, or if what is cached is damaged, they are converted into
    it, with a line of progress on stderr: from the file that the user chose for the network, if
    there is one, or from the published one.

    Raises:
      ValueError: there is no such network; the message names those that are.
      ConversionError: the weights cannot be obtained or converted, or their licence is to be
        accepted.
    """
    network = get(name)
    licences.require(network)
    if is_cached(network):
        try:
            return jax.device_put(checkpoint.load(network, source_sha256(network)))
        except ConversionError as error:
            _say(f"{error}; converting {name} again")
    if own.chosen(network) is None:
        return jax.device_put(convert(name))
    return jax.device_put(_convert_own(network, "1/1"))


def is_cached(network: Network) -> bool:
    """Whether the network's converted weights are in the cache."""
    source = source_sha256(network)
    return source is not None and checkpoint.path(network, source).is_file()


def convert(name: str, *, file: Path | None = None, step: str = "1/1") -> dict[str, Any]:
    """Converts a network's weights and puts them into the cache, over what is there.

    Args:
      name: of the network.
      file: the user's own, whose weights are the network's from now on; any that converts will do.
        None: the published one, and the user's, if there was one, is forgotten. Where nothing is
        published, the user's from before.
      step: which of how many conversions this is, for the line of progress.

    Raises:
      ValueError, ConversionError: as `load`; nothing is in the cache then that was not before.
    """
    network = get(name)
    licences.require(network)
    if file is not None:
        return _convert_file(network, file, step)
    if network.weights is not None:
        return _convert_published(network, step)
    if own.chosen(network) is not None:
        return _convert_own(network, step)
    forms = dict.fromkeys(FORMATS[table.form] for table in tables(network))
    raise ConversionError(
        f"nobody may hand on the weights of {name}, so you have to bring them: run `tipim "
        f"weights {name} --from FILE`, with {' or '.join(forms)} from {network.origin} "
        f"({network.architecture}, {network.loss})"
    )


def _convert_published(network: Network, step: str) -> dict[str, Any]:
    with _progress(network, step):
        seen = known_sha256(network.weights) is not None
        file = obtain(network.weights)
        try:
            variables = read_variables(network, file)
        except ConversionError:
            if not seen:  # nobody knows that it is the right file: it may be another the next time
                forget(network.weights)
            raise
        checkpoint.save(network, known_sha256(network.weights), variables)
        own.drop(network)
    return variables


def _convert_own(network: Network, step: str) -> dict[str, Any]:
    """Again, from the copy of the user's file."""
    with _progress(network, step):
        variables = read_variables(network, own.obtain(network))
        checkpoint.save(network, own.chosen(network), variables)
    return variables


def _convert_file(network: Network, file: Path, step: str) -> dict[str, Any]:
    with _progress(network, step):
        if not file.is_file():
            raise ConversionError(f"cannot read {file}: there is no such file")
        try:
            found = sha256(file)
        except OSError as error:
            raise ConversionError(f"cannot read {file} ({error.strerror})") from None
        variables = read_variables(network, file)
        published = network.weights and known_sha256(network.weights)
        if found == published:
            copy(file, cached_path(network.weights), found)
            own.drop(network)
        else:
            own.keep(network, file, found)
        checkpoint.save(network, found, variables)
    if found != published:
        known = f"the published {published}" if published else "known: no hash is published"
        back = f"; `tipim weights {network.name}` goes back" if network.weights else ""
        _say(f"{file} is used for {network.name} from now on{back}. sha256 {found} is not {known}")
    return variables


def source_sha256(network: Network) -> str | None:
    """The sha256 of the file that the network's weights come from, None if it was never seen."""
    return own.chosen(network) or (network.weights and known_sha256(network.weights))


@contextlib.contextmanager
def _progress(network: Network, step: str) -> Iterator[None]:
    """A line on stderr before and one after, as nothing moves while weights are read."""
    _say(f"converting {network.name} ({step}) …")
    yield
    _say(f"converting {network.name} ({step}): done")


def _say(line: str) -> None:
    Console(stderr=True).print(line)


def read_variables(network: Network, file: Path) -> dict[str, Any]:
    """A network's variables out of a file, which is read as whatever it is; nothing is cached.

    Raises:
      ConversionError: the file is damaged or hostile, is of a format that the network is not
        converted from, or does not hold its weights.
    """
    form = file_format(file)
    candidates = [table for table in tables(network) if table.form in (form, LIKE.get(form))]
    if not candidates:
        wanted = dict.fromkeys(FORMATS[table.form] for table in tables(network))
        raise ConversionError(
            f"{file}: is {FORMATS[form]}; {network.name} is converted from {' or '.join(wanted)}"
        )
    arrays = read(file, form)
    table = max(candidates, key=lambda table: _known(table, arrays))
    source = without_prefix(table, arrays)
    try:
        return fill(network.abstract_variables(), source, table)
    except ConversionError as error:
        raise ConversionError(f"{file}: {error}") from None


def _known(table: Table, arrays: dict[str, np.ndarray]) -> float:
    """Share of what the table wants that the arrays have, under whatever prefix."""
    found, wanted = without_prefix(table, arrays), [*table.weights, *table.constants]
    return sum(name in found for name in wanted) / len(wanted)
