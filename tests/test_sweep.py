"""Sweeps: the grid, protection that can be stopped anywhere, rows, tables and figures."""

import csv
import dataclasses
import io
import itertools
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tipim_jax.configuration import SettingsError
from tipim_jax.engine import loop
from tipim_jax.engine.processes import Process
from tipim_jax.identification import (
    FIGURES,
    WITH_THRESHOLD,
    CropFaces,
    Estimate,
    Recognition,
    Threshold,
)
from tipim_jax.method import Surrogate, TipIm, image_keys, protect
from tipim_jax.report import Measurement
from tipim_jax.report.tables import csv_table, latex_tables, text_tables
from tipim_jax.sweep.crops import protect_cells
from tipim_jax.sweep.figures import draw
from tipim_jax.sweep.places import Places
from tipim_jax.sweep.settings import Cell, Overrides, read_sweep

SIZE = 12
GRID = """
protocol = "people"
probes = 3
[grid]
surrogates = [["mobileface"], ["mobileface", "sface"]]
gamma = [0, 0.5]
seed = [0, 1]
[methods.TIP-IM]
preset = "paper"
iterations = 4
[methods.MIM]
preset = "paper"
target_choice = "single"
"""


def written(tmp_path, text):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return path


def test_the_grid_is_spread_out_into_every_combination(tmp_path):
    sweep = read_sweep(written(tmp_path, GRID))
    found = [(c.surrogates, c.method, c.settings.gamma, c.seed) for c in sweep.cells]
    together = [("mobileface",), ("mobileface", "sface")]
    assert found == [*itertools.product(together, ("TIP-IM", "MIM"), (0.0, 0.5), (0, 1))]
    assert {c.settings.iterations for c in sweep.cells if c.method == "TIP-IM"} == {4}
    assert {c.settings.iterations for c in sweep.cells if c.method == "MIM"} == {50}
    assert {c.settings.epsilon for c in sweep.cells} == {12.0}


def test_a_method_may_have_values_of_its_own_in_place_of_the_grids(tmp_path):
    text = "[grid]\ngamma = [0, 1]\n[methods.A]\n[methods.B]\ngamma = [2, 3, 4]\nepsilon = 8"
    cells = read_sweep(written(tmp_path, text)).cells
    assert [(c.method, c.settings.gamma, c.settings.epsilon) for c in cells] == [
        *(("A", float(gamma), 12.0) for gamma in (0, 1)),
        *(("B", float(gamma), 8.0) for gamma in (2, 3, 4)),
    ]


@pytest.mark.parametrize("name", ["reproduction", "paper", "table6", "gamma_study"])
def test_the_sweeps_that_come_along_can_be_read(name):
    assert read_sweep(Path(__file__).parents[1] / "configs" / "sweeps" / f"{name}.toml").cells


def test_the_command_line_wins_over_the_file(tmp_path):
    sweep = read_sweep(written(tmp_path, GRID), Overrides(probes=7, iterations=2, batch_size=5))
    assert (sweep.probes, sweep.batch_size) == (7, 5)
    assert {c.settings.iterations for c in sweep.cells} == {2}


def test_cells_that_differ_in_numbers_alone_share_a_compiled_program(tmp_path):
    cells = read_sweep(written(tmp_path, GRID)).cells
    assert len({c.shape for c in cells}) == 4  # surrogates, methods


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("protocol = 'lfw'", "protocol is 'lfw'; expected one of paper, reproduction, people"),
        ("probs = 3", "probs is no setting; expected one of"),
        ("[grid]\ngamma = ['much']", r"gamma: 'much' in the list; expected float"),
        ("[grid]\ngammas = [1]", r"\[grid\] gammas is no setting"),
        ("[grid]\nsurrogates = ['sface']", "expected a list of networks' names"),
        ("[grid]\nsurrogates = [['facenoet']]", "no network is called 'facenoet'"),
        ("[grid]\nsurrogates = []", "the grid has no cell"),
        ("[grid]\nseed = [0, 0]", "two cells of the grid are the same"),
        ("[grid]\nepsilon = [-1]", "epsilon is -1"),
        ("[methods.A]\npreset = 'best'", r"\[methods.A\] preset is 'best'"),
        ("[methods.A]\nnorm = 3", "norm is 3; expected a value of type str"),
        ("[methods]\nA = 3", "methods.A is 3; expected a table"),
        ("batch_size = 0", "batch_size is 0; expected 1 or more"),
        ("= 3", "is no TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(text, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        read_sweep(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"grid.toml cannot be read: No such file"):
        read_sweep(tmp_path / "grid.toml")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_processes_share_all_the_work_and_none_of_it_twice(count):
    groups = [[1, 2, 3], [4], [5, 6, 7, 8]]
    dealt = [Process(index, count).part_of(groups) for index in range(count)]
    assert [n for share in dealt for group in share for n in group] == [*range(1, 9)]
    sizes = [sum(map(len, share)) for share in dealt]
    assert max(sizes) - min(sizes) <= 1


def network(variables, images):
    return jnp.tanh(jnp.einsum("bhwc,hwcd->bd", images / 127.5 - 1, variables))


@pytest.fixture
def surrogate():
    weights = np.random.default_rng(0).normal(size=(SIZE, SIZE, 3, 16)) / SIZE
    return Surrogate(network, weights.astype(np.float32))


def faces(count, seed):
    random = np.random.default_rng(seed)
    names = tuple(f"P_{seed}_{n:04d}" for n in range(count))
    return CropFaces(names, names, random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8))


def cells(**settings):
    base = TipIm(iterations=6, views=0, **settings)
    numbers = [(0.0, 12.0, 0), (0.01, 12.0, 0), (0.0, 4.0, 1)]
    return [
        Cell(
            surrogates=("a",),
            method="m",
            settings=dataclasses.replace(base, gamma=gamma, epsilon=epsilon),
            seed=seed,
        )
        for gamma, epsilon, seed in numbers
    ]


def run_cells(grid, folder, surrogate, batch_size=4, progress=lambda _: None):
    folders = [folder / str(n) for n in range(len(grid))]
    probes, targets = faces(5, 1), faces(3, 2)
    protect_cells(
        grid,
        folders,
        [surrogate],
        probes,
        targets,
        folder / "unfinished",
        batch_size=batch_size,
        progress=progress,
    )
    return np.array(
        [[np.asarray(Image.open(f / f"{name}.png")) for name in probes.names] for f in folders]
    )


def test_every_cell_is_what_the_method_gives_with_its_settings(tmp_path, surrogate):
    grid = cells()
    found = run_cells(grid, tmp_path, surrogate)
    probes = faces(5, 1).crops
    targets = faces(3, 2).crops.astype(np.float32)
    for cell, crops in zip(grid, found, strict=True):
        expected, _ = protect(
            [surrogate],
            probes.astype(np.float32),
            targets,
            image_keys(cell.seed, probes),
            cell.settings,
        )
        assert abs(crops - np.rint(expected)).max() <= 1
        assert (crops == np.rint(expected)).mean() > 0.999
        assert abs(crops.astype(int) - probes).max() <= cell.settings.epsilon


def test_mmd_groups_are_of_one_cell_and_the_last_may_be_smaller(tmp_path, surrogate):
    grid = cells(mmd_group_size=2)
    found = run_cells(grid, tmp_path, surrogate, batch_size=3)
    probes = faces(5, 1).crops.astype(np.float32)
    targets = faces(3, 2).crops.astype(np.float32)
    keys = image_keys(0, probes)
    for first in (0, 2):
        pair = slice(first, first + 2)
        expected, _ = protect([surrogate], probes[pair], targets, keys[pair], grid[1].settings)
        assert abs(found[1, pair] - np.rint(expected)).max() <= 1
    last, _ = protect(
        [surrogate],
        probes[[4, 4]],
        targets,
        keys[np.array([4, 4])],
        grid[1].settings,
        valid=np.array([True, False]),
    )
    assert abs(found[1, 4] - np.rint(last[0])).max() <= 1


class Killed(Exception):
    pass


def test_a_sweep_that_is_stopped_anywhere_ends_as_one_that_never_was(
    tmp_path, surrogate, monkeypatch
):
    whole = run_cells(cells(), tmp_path / "whole", surrogate)
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr(loop, "ITERATIONS_A_CALL", 1)
    kept = 0
    for stop_after in (3, 9, 8, 12, 5, 100):
        calls = itertools.count()

        def progress(amount, calls=calls, stop_after=stop_after):
            if next(calls) == stop_after:
                raise Killed

        try:
            stopped = run_cells(cells(), tmp_path / "stopped", surrogate, progress=progress)
        except Killed:
            kept += len([*(tmp_path / "stopped" / "unfinished").glob("*/*")])
    assert kept >= 3
    np.testing.assert_array_equal(stopped, whole)
    assert not [*(tmp_path / "stopped" / "unfinished").glob("*")]


def row(gamma, name="TIP-IM", value=0.5, surrogates=("mobileface",)):
    about = {
        "surrogates": list(surrogates),
        "method": name,
        "gamma": gamma,
        "epsilon": 12.0,
        "iterations": 4,
        "seed": 0,
        "settings": {"gamma": gamma},
        "folder": f"{gamma}",
    }
    same = Estimate(value, value, value)
    quality = dict.fromkeys(("psnr", "ssim", "mmd", "difference"), same)
    return Measurement(about, 4, quality, recognitions(value))


def recognitions(value):
    figures = dict.fromkeys(FIGURES, Estimate(value, value - 0.1, value + 0.1))
    thresholds = {name: Threshold(0.3, 0.0567) for name in WITH_THRESHOLD}
    return {
        "mobileface": Recognition(False, figures, thresholds, (0.5, 0.75)),
        "sface": Recognition(True, figures | {"rank1_t": None}, {}, (0.5, 0.75)),
    }


CLEAN = Measurement({"method": "clean"}, 4, {}, recognitions(0.0))


def test_a_row_is_read_as_it_was_written(tmp_path):
    row(0.5).write(tmp_path / "row.json")
    assert Measurement.read(tmp_path / "row.json") == row(0.5)
    found = json.loads((tmp_path / "row.json").read_text())["recognisers"]["mobileface"]
    assert found["figures"]["recognised"] == {"value": 0.5, "low": 0.4, "high": 0.6}
    assert found["thresholds"]["recognised"] == {"cosine": 0.3, "false_match_rate": 0.0567}


@pytest.mark.parametrize("content", [b"", b"no json", b"{}", b"[1]"])
def test_a_row_that_is_damaged_or_of_another_version_is_refused(content, tmp_path):
    (tmp_path / "row.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"row\.json"):
        Measurement.read(tmp_path / "row.json")


def test_tables_bracket_the_white_box_and_say_once_what_all_rows_share():
    text = text_tables([CLEAN, row(0.0), row(0.5, value=0.25)])
    lines = [line.split() for line in text.splitlines()]
    assert ["gamma", "mobileface", "sface"] in lines
    assert ["unprotected", "0.00/0.00", "–/0.00"] in lines
    assert ["0.5", "[0.25/0.25]", "–/0.25"] in lines
    assert "Rank-1-T / Rank-5-T (surrogates mobileface, method TIP-IM, epsilon 12" in text


def test_tables_say_what_is_unusual_about_the_search():
    unusual = {"distractor_photos": 5, "drawn_distractors": 9}
    rows = [dataclasses.replace(r, about={**r.about, **unusual}) for r in (CLEAN, row(0.0))]
    assert "distractor_photos 5, drawn_distractors 9)" in text_tables(rows)
    for line in csv.DictReader(io.StringIO(csv_table(rows))):
        assert (line["distractor_photos"], line["drawn_distractors"]) == ("5", "9")
    usual = csv.DictReader(io.StringIO(csv_table([row(0.0)])))
    assert {(line["distractor_photos"], line["drawn_distractors"]) for line in usual} == {("", "")}


def test_beside_what_depends_on_a_threshold_stands_its_false_match_rate():
    rows = [CLEAN, row(0.0), row(0.5, value=0.25)]
    text = text_tables(rows)
    lines = [line.split() for line in text.splitlines()]
    assert lines.count(["false", "match", "rate", "0.057", "–"]) == 1
    assert ["false", "match", "rate", "0.057/0.057", "–"] in lines
    assert "what chance gives" in text
    for line in csv.DictReader(io.StringIO(csv_table(rows))):
        expected = ("0.3", "0.0567") if line["recogniser"] == "mobileface" else ("", "")
        for name in WITH_THRESHOLD:
            assert (line[f"{name}_threshold"], line[f"{name}_false_match_rate"]) == expected


def test_csv_has_every_figure_with_its_interval_and_latex_every_line():
    rows = [CLEAN, row(0.0), row(0.5)]
    lines = list(csv.DictReader(io.StringIO(csv_table(rows))))
    assert [(line["method"], line["recogniser"], line["held_out"]) for line in lines[:3]] == [
        ("clean", "mobileface", ""),
        ("clean", "sface", ""),
        ("TIP-IM", "mobileface", "0"),
    ]
    assert (lines[2]["rank5_t"], lines[2]["rank5_t_low"]) == ("0.5", "0.4")
    assert lines[3]["rank1_t"] == ""
    latex = latex_tables(rows)
    assert latex.count(r"\begin{tabular}") == 5
    assert r"TIP\_IM" in latex_tables([CLEAN, row(0.0, "TIP_IM"), row(0.0, "B")])


def test_figures_are_drawn_as_png_and_svg(tmp_path):
    rows = [CLEAN, row(0.0), row(0.5), row(0.0, surrogates=("sface",)), row(0.0, "MIM")]
    drawn = draw(rows, tmp_path)
    assert len(drawn) == len(set(drawn)) >= 5
    for path in drawn:
        assert np.asarray(Image.open(path)).shape[1] > 200
        assert b"<svg" in path.with_suffix(".svg").read_bytes()


def test_what_decides_a_thing_decides_where_it_is_kept(tmp_path):
    cells = read_sweep(written(tmp_path, GRID)).cells
    weights = {"mobileface": "a", "sface": "b", "dlib": "c"}
    places = Places(tmp_path, "faces", "gallery", 0, weights)
    assert len({places.crops(c) for c in cells}) == len(cells)
    assert len({places.row(c) for c in (None, *cells)}) == 1 + len(cells)
    # Other weights of a surrogate make other masks, those of a held-out recogniser other rows.
    held_out = Places(tmp_path, "faces", "gallery", 0, weights | {"dlib": "d"})
    assert places.crops(cells[0]) == held_out.crops(cells[0])
    assert places.row(cells[0]) != held_out.row(cells[0])
    # Another gallery makes other rows of the same masks.
    other = Places(tmp_path, "faces", "other gallery", 0, weights)
    assert places.crops(cells[0]) == other.crops(cells[0])
    assert places.row(cells[0]) != other.row(cells[0])
    drawn = Places(tmp_path, "faces", "gallery", 9, weights)
    assert places.row(cells[0]) != drawn.row(cells[0])
    strangers = Places(tmp_path, "faces", "gallery", 0, weights, strangers="photos")
    others = Places(tmp_path, "faces", "gallery", 0, weights, strangers="other photos")
    assert len({p.row(None) for p in (places, strangers, others)}) == 3
    assert strangers.crops(cells[0]) == places.crops(cells[0])
    surrogate = Places(tmp_path, "faces", "gallery", 0, weights | {"mobileface": "d"})
    assert places.crops(cells[0]) != surrogate.crops(cells[0])
    assert places.row(None) != Places(tmp_path, "other faces", "gallery", 0, weights).row(None)
