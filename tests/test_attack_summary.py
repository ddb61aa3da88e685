"""What the attack command prints in the end."""

import dataclasses

from tests.report_cases import photo, results
from tipim_jax import report
from tipim_jax.attack.__main__ import summarise
from tipim_jax.console import Console


def test_the_summary_says_what_is_held_out_only_where_something_is(capsys):
    some = results([photo(0)])
    none = [dataclasses.replace(r, held_out=False) for r in some.recognisers]
    summarise(some, Console())
    said = capsys.readouterr().out
    assert "dlib*" in said and "* held out" in said
    summarise(dataclasses.replace(some, recognisers=tuple(none)), Console())
    said = capsys.readouterr().out
    assert "dlib" in said and "held out" not in said and "*" not in said


def test_the_summary_fits_into_80_columns_and_nothing_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    some = results([photo(0)])
    names = ("mobileface-mv", "facenet-128", "lightcnn")
    longest = [dataclasses.replace(r, name=n, held_out=True, false_match_rate=0.000123)
               for r, n in zip(some.recognisers, names, strict=True)]  # fmt: skip
    summarise(dataclasses.replace(some, recognisers=tuple(longest)), Console())
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert next(line.split() for line in said.splitlines() if "*" in line) == [
        "mobileface-mv*", "1.00→0.00", "0.00012", *["0.00→1.00"] * 2, "0.00→0.00", "1.00→1.00"
    ]  # fmt: skip


def test_the_summary_names_what_was_left_out_as_it_is_called(capsys):
    name = "trip[old]/[red]a[/red] :smile:.jpg"
    summarise(results([], [report.NotProtected(name, "no face [0] found")]), Console())
    assert capsys.readouterr().out == f"not protected (1):\n  {name}: no face [0] found\n"
