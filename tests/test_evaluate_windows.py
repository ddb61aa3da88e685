"""The tables of networks through the windows of other programs."""

import pytest

from tests.measurement_cases import CLEAN, row
from tipim_jax.evaluate.settings import parse
from tipim_jax.evaluate.windows import window_tables
from tipim_jax.networks.window import WINDOWS


def test_a_line_above_the_tables_says_what_a_window_is_and_where_each_is_explained(capsys):
    said = window_tables([CLEAN, row(0.0)], ["mobileface"]).splitlines()
    assert said[0].startswith("A window is the part of a photo that a network is shown")
    assert said[1] == "" and "through each window" in said[2]
    where = next(part for part in said[0].split("`") if part.startswith("tipim evaluate"))
    assert where == "tipim evaluate --help" and "--all-windows" in said[0]
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = capsys.readouterr().out
    assert all(f"{name}:" in told for name in WINDOWS)
