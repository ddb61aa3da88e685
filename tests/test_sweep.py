"""Sweeps: the grid, protection that can be stopped anywhere, and figures."""

import dataclasses
import itertools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests.measurement_cases import CLEAN, row
from tipim_jax.configuration import SettingsError
from tipim_jax.engine import loop
from tipim_jax.engine.processes import Process
from tipim_jax.identification import CropFaces
from tipim_jax.method import Surrogate, TipIm, image_keys, protect
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


def test_a_sweep_computes_in_what_it_says_and_keeps_masks_of_each_precision_apart(tmp_path):
    file = written(tmp_path, "dtype = 'tf32'\n" + GRID)
    assert read_sweep(file).dtype == "tf32"
    assert read_sweep(file, Overrides(dtype="bfloat16")).dtype == "bfloat16"
    with pytest.raises(SettingsError, match="dtype is 'half'; expected one of auto, float32, tf32"):
        read_sweep(file, Overrides(dtype="half"))
    cell = read_sweep(file).cells[0]
    weights = {"mobileface": "weights"}
    places = [
        Places(tmp_path, "masked", "gallery", 0, weights, *dtype).cell(cell)
        for dtype in ((), ("float32",), ("tf32",), ("bfloat16",))
    ]
    assert places[0] == places[1]
    assert len(set(places)) == 3


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


@pytest.mark.thorough
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


@pytest.mark.thorough
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
    assert len({places.cell(c) for c in cells}) == len(cells)
    assert len({places.row(c) for c in (None, *cells)}) == 1 + len(cells)
    # Other weights of a surrogate make other masks, those of a held-out recogniser other rows.
    held_out = Places(tmp_path, "faces", "gallery", 0, weights | {"dlib": "d"})
    assert places.cell(cells[0]) == held_out.cell(cells[0])
    assert places.row(cells[0]) != held_out.row(cells[0])
    # Another gallery makes other rows of the same masks.
    other = Places(tmp_path, "faces", "other gallery", 0, weights)
    assert places.cell(cells[0]) == other.cell(cells[0])
    assert places.row(cells[0]) != other.row(cells[0])
    drawn = Places(tmp_path, "faces", "gallery", 9, weights)
    assert places.row(cells[0]) != drawn.row(cells[0])
    strangers = Places(tmp_path, "faces", "gallery", 0, weights, strangers="photos")
    others = Places(tmp_path, "faces", "gallery", 0, weights, strangers="other photos")
    assert len({p.row(None) for p in (places, strangers, others)}) == 3
    assert strangers.cell(cells[0]) == places.cell(cells[0])
    surrogate = Places(tmp_path, "faces", "gallery", 0, weights | {"mobileface": "d"})
    assert places.cell(cells[0]) != surrogate.cell(cells[0])
    assert places.row(None) != Places(tmp_path, "other faces", "gallery", 0, weights).row(None)
