"""What `verify` found, as tables for people and as JSON for programs."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.table import Table

from tipim_jax.console import Console
from tipim_jax.datasets.lfw import LfwPhoto
from tipim_jax.identification import Verification
from tipim_jax.networks import Network, PublishedThreshold
from tipim_jax.photos import write_whole

_SHOWN = 20  # photos that are left out


def stated_thresholds(network: Network) -> list[PublishedThreshold]:
    """The registry's own for a network, if it has one, and those that others publish."""
    own = []
    if network.threshold is not None:
        own = [PublishedThreshold(network.threshold, "its own, FAR 0.001 on LFW")]
    return own + list(network.published_thresholds)


def show(
    found: Mapping[Network, Verification], photos: int, left_out: Mapping[LfwPhoto, str]
) -> None:
    """Prints everything.

    Args:
      found: of each network; its `rates` belong to `stated_thresholds`.
      photos: how many there were with a face.
      left_out: the others, and why.
    """
    console = Console()
    some = next(iter(found.values()))
    console.print(
        f"{photos:,} photos, {some.same:,} pairs of the same person, {some.different:,} of "
        "different people"
    )
    if left_out:
        console.print(f"left out, with their pairs: {len(left_out):,} photos")
        for photo, reason in list(left_out.items())[:_SHOWN]:
            named = str(photo) in reason
            console.one_line(f"  {reason if named else f'{photo}: {reason}'}")
        if len(left_out) > _SHOWN:
            console.print(f"  and {len(left_out) - _SHOWN:,} more, all of which --json names")
    console.print(_measured(found))
    if some.cross_validated:
        folds = some.cross_validated.folds
        console.print(f"± is the standard error of the mean over {folds} folds.")
    for point in some.points:
        needed = math.ceil(1 / point.limit)
        if some.different < needed:
            console.print(
                f"FAR {point.limit:g} takes {needed:,} pairs of different people to show; with "
                f"{some.different:,} its threshold is the one that accepts none of them.",
                soft_wrap=False,
            )
    if any(verification.rates for verification in found.values()):
        console.print(_stated(found))


def write(
    file: Path,
    found: Mapping[Network, Verification],
    photos: int,
    left_out: Mapping[LfwPhoto, str],
) -> None:
    """Writes everything as JSON; arguments as of `show`."""
    figures = {
        "photos": photos,
        "left_out": {str(photo): reason for photo, reason in left_out.items()},
        "networks": {network.name: dataclasses.asdict(one) for network, one in found.items()},
    }
    with write_whole(file) as stream:
        stream.write(json.dumps(figures, indent=2).encode() + b"\n")


def _measured(found: Mapping[Network, Verification]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    some = next(iter(found.values()))
    table.add_column("network", no_wrap=True)
    if some.cross_validated:
        table.add_column("accuracy, %", justify="right")
    for point in some.points:
        table.add_column(f"TAR, threshold\nat FAR {point.limit:g}", justify="right")
    table.add_column("AUC", justify="right")
    for network, one in found.items():
        cells = [network.name]
        if crossed := one.cross_validated:
            cells.append(f"{crossed.accuracy:.2%} ± {crossed.standard_error:.2%}".replace("%", ""))
        cells += [f"{point.tar:.4f} ({point.threshold:.3f})" for point in one.points]
        table.add_row(*cells, f"{one.auc:.4f}")
    return table


def _stated(found: Mapping[Network, Verification]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="at thresholds that are stated",
        title_justify="left",
    )
    table.add_column("network", no_wrap=True)
    columns = ["threshold", "tar", "far"]
    if next(iter(found.values())).cross_validated:  # of all pairs, hardly any are of one person
        columns.append("accuracy")
    for column in columns:
        table.add_column(column.upper() if len(column) == 3 else column, justify="right")
    table.add_column("by", overflow="fold")
    for network, one in found.items():
        for stated, rates in zip(stated_thresholds(network), one.rates, strict=True):
            cells = [f"{getattr(rates, column):.4f}" for column in columns]
            table.add_row(network.name, *cells, stated.protocol)
    return table
