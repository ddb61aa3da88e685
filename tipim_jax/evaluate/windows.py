"""Networks through the windows of other programs, and the table of them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tipim_jax.identification import FIGURES, Recogniser
from tipim_jax.networks.window import WHOLE_CROP, WINDOWS, FivePoints, Window
from tipim_jax.report import Measurement
from tipim_jax.report.tables import Table, as_text, shares

_EXPLAINED = (
    "A window is the part of a photo that a network is shown of a face; `tipim evaluate --help` "
    "says which there are, under --all-windows."
)
OWN = "its own"
_THROUGH = " through "
_SHOWN = ("recognised", "rank1_ut", "rank5_ut", "success_far_0.01")


def through_all_windows(recognisers: Mapping[str, Recogniser]) -> dict[str, Recogniser]:
    """The recognisers, and each through every one of the `WINDOWS` that is not its own.

    The latter are called `sface through eyes`.
    """
    found = dict(recognisers)
    for name, recogniser in recognisers.items():
        for window_name, window in WINDOWS.items():
            if _in_photos(window) != _in_photos(recogniser.network.window):
                found[_name(name, window_name)] = recogniser.through(window)
    return found


def window_tables(rows: Sequence[Measurement], networks: Sequence[str]) -> str:
    """For each figure a table, in plain text, of the networks through the windows.

    Args:
      rows: of clean and of protected faces.
      networks: names of those that looked through all windows.
    """
    return f"{_EXPLAINED}\n\n{as_text(_tables(rows, networks))}"


def parts_of(name: str) -> tuple[str, str]:
    """The network and the window that a recogniser is called after; `OWN` where it is its own."""
    network, _, window = name.partition(_THROUGH)
    return network, window or OWN


def _tables(rows: Sequence[Measurement], networks: Sequence[str]) -> Iterator[Table]:
    for figure in _SHOWN:
        lines = [
            [
                network,
                *(
                    " → ".join(shares(row, name, (figure,)) for row in rows)
                    for name in (network, *(_name(network, window) for window in WINDOWS))
                ),
            ]
            for network in networks
        ]
        title = f"{FIGURES[figure]} through each window, unprotected → protected"
        yield title, ["network", OWN, *WINDOWS], [[_same(cell) for cell in line] for line in lines]


def _name(network: str, window: str) -> str:
    return f"{network}{_THROUGH}{window}"


def _same(cell: str) -> str:
    """A window that is the network's own has a column already."""
    return "=" if cell == "– → –" else cell


def _in_photos(window: Window) -> Window:
    """What of a window counts where there is a photo: not the part of a crop that is like it."""
    if isinstance(window, FivePoints):
        return window
    return dataclasses.replace(window, region=WHOLE_CROP)
