"""Where the method is worked on, and in what pieces, changes its speed and memory alone."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import weights_convert
from tests.method_toy import SIZE, crops, image_keys, surrogate
from tipim_jax import networks
from tipim_jax.method import (
    Layout,
    Surrogate,
    TipIm,
    advance,
    prepare,
    protect,
    start,
    steps_of,
)
from tipim_jax.method import (
    image_keys as keys_of,
)
from tipim_jax.method.memory import pieces
from tipim_jax.method.programs import Kind, advance_batch
from tipim_jax.pieces import in_pieces, piece

ROOT = Path(__file__).parents[1]


def mobileface():
    return Surrogate(networks.get("mobileface").embed, weights_convert.load("mobileface"))


def real_crops(count):
    with np.load(ROOT / "tests" / "golden" / "method" / "official_loop.npz") as arrays:
        faces = np.concatenate([arrays["crops"], arrays["targets"]]).astype(np.float32)
    return faces[:count], faces[-3:]


def run_on(devices: int, folder: Path) -> dict[str, np.ndarray]:
    """What a process with so many CPU devices gives, by case."""
    path = folder / f"{devices}.npz"
    subprocess.run(
        [sys.executable, "-m", "tests.test_method_layout", str(path)],
        cwd=ROOT,
        check=True,
        env=os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"},
    )
    with np.load(path) as arrays:
        return dict(arrays)


def _cases():
    """Images on all devices, with a toy network and with a real one, without and with MMD."""
    targets = crops(6, seed=2)
    settings = TipIm(iterations=4)
    for name, count, change in (
        ("alone", 8, {"search_every": 2}),
        ("left over", 7, {"search_every": 2}),
        ("mmd", 8, {"gamma": 5.0, "mmd_group_size": 11}),
        ("mmd left over", 7, {"gamma": 5.0, "mmd_group_size": 11}),
    ):
        yield (
            name,
            *protect(
                [surrogate()],
                crops(count),
                targets,
                image_keys(*range(count)),
                dataclasses.replace(settings, **change),
            ),
        )
    images, targets = real_crops(4)
    settings = TipIm(iterations=2, search_every=2)
    yield "real", *protect([mobileface()], images, targets, keys_of(0, images), settings)


@pytest.fixture(scope="module")
def on_one(tmp_path_factory):
    return run_on(1, tmp_path_factory.mktemp("one"))


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(4, marks=pytest.mark.thorough),
        *(pytest.param(count, marks=pytest.mark.slow) for count in (2, 8)),
    ],
)
def test_any_number_of_devices_gives_the_same(on_one, count, tmp_path):
    several = run_on(count, tmp_path)
    assert several["devices"] == count
    for case in ("alone", "left over", "real"):
        assert np.abs(on_one[case]).max() > 1
        np.testing.assert_array_equal(several[case], on_one[case], err_msg=case)
    for mmd, without in (("mmd", "alone"), ("mmd left over", "left over")):
        # Sets of the MMD reach over devices.
        np.testing.assert_allclose(several[mmd], on_one[mmd], atol=0.02)
        assert np.abs(on_one[mmd] - on_one[without]).max() > 1, "the term restrains the mask"


@pytest.mark.thorough
def test_pieces_change_nothing():
    images, targets, keys = crops(4), crops(6, seed=2), image_keys(*range(4))
    device = tuple(jax.local_devices()[:1])
    whole, alike = (
        protect(
            [surrogate()],
            images,
            targets,
            keys,
            TipIm(iterations=4),
            layout=Layout(device, images_at_once, targets_at_once),
        )[0]
        for images_at_once, targets_at_once in ((4, 6), (2, 3))
    )
    np.testing.assert_allclose(alike, whole, atol=1e-3)


def test_a_cpu_takes_one_image_at_a_time_and_targets_that_fit_its_cache():
    for targets, at_once in ((1, 1), (3, 3), (7, 4), (10, 2), (11, 4), (12, 4), (13, 2)):
        layout = Layout.choose([surrogate()], crops(6), targets, jax.local_devices()[:1])
        assert (layout.images, layout.targets) == (1, at_once)
    assert str(layout) == "cpu ×1, 1 images × 2 targets at once"


@pytest.mark.thorough
def test_pieces_are_as_large_as_memory_allows_and_leave_little_to_be_filled_up():
    network, shape = [mobileface()], (112, 112, 3)
    rooms = (100, 3, 0.05, 0.001)
    assert [pieces(network, shape, 64, 10, room * 1e9) for room in rooms] == [
        (64, 10),
        (32, 10),
        (1, 5),
        (1, 1),
    ]
    for count, most, size in ((7, 6, 4), (64, 27, 16), (13, 12, 7), (5, 1, 1), (3, 8, 3)):
        assert piece(count, most) == size


@pytest.mark.parametrize("at_once", [1, 3, 4, 7, 8])
def test_what_is_left_over_is_a_piece_too(at_once):
    rows = np.arange(14.0).reshape(7, 2)
    sizes = []

    def doubled(rows, others):
        sizes.append(len(rows))
        return 2 * rows + others

    found = in_pieces(doubled, at_once, rows, rows[::-1])
    np.testing.assert_array_equal(found, 2 * rows + rows[::-1])
    assert set(sizes) == {min(at_once, 7)}


@pytest.mark.thorough
def test_memory_is_not_underestimated():
    """XLA says what the compiled program needs beside its arguments and results."""
    images, targets = real_crops(2)
    settings = TipIm(iterations=1)
    keys = keys_of(0, images)
    layout = Layout(tuple(jax.local_devices()[:1]), len(images), len(targets))
    problem, state = start([mobileface()], images, targets, keys, settings, layout=layout)
    kind = Kind(searches=True, most=1)
    program = advance_batch.lower(
        (mobileface(),), problem, state, np.int32(1), kind, steps_of(settings), False, layout
    ).compile()
    needed = program.memory_analysis().temp_size_in_bytes
    assert needed > 20e6
    for room, fits in ((needed, False), (2.5 * needed, True)):
        found = pieces([mobileface()], images.shape[1:], len(images), len(targets), room)
        assert (found == (layout.images, layout.targets)) == fits


def test_what_is_prepared_is_not_compiled_again(caplog):
    network, targets = (surrogate(),), crops(3, seed=2)
    # A momentum that no other test has: nothing is compiled yet.
    settings = TipIm(iterations=4, search_every=2, momentum=0.375)
    layout = Layout.choose(network, crops(2), 3, jax.local_devices()[:1])
    network = layout.replicate(network)
    shape = jax.ShapeDtypeStruct((2, *crops(1).shape[1:]), np.float32)
    with jax.log_compiles():
        assert prepare(network, shape, targets, settings, layout=layout) == layout
        before = _compiled(caplog)
        arguments = crops(2), targets, image_keys(1, 2), settings
        found, _ = protect(network, *arguments, layout=layout)
    assert before == _compiled(caplog) == ["advance_batch", "advance_batch", "start_batch"]
    assert np.abs(found - crops(2)).max() > 0.1


def _compiled(caplog):
    programs = [r.getMessage().split()[1] for r in caplog.records if "Compiling" in r.getMessage()]
    names = (name.removeprefix("jit(").removesuffix(")") for name in programs)
    return sorted(name for name in names if name in ("start_batch", "advance_batch"))


class _Accelerator:
    """A device that says how much memory it has."""

    platform = device_kind = "gpu"

    def __init__(self, free):
        self.free = free

    def memory_stats(self):
        return {"bytes_limit": 2 * self.free, "bytes_in_use": self.free}


def test_an_accelerator_is_filled_as_far_as_it_has_room():
    network, shape, settings = [surrogate()], (SIZE, SIZE, 3), TipIm(target_choice="nearest")

    def most(free, settings=settings, devices=1):
        return Layout.most_images(network, shape, settings, 10, [_Accelerator(free)] * devices)

    assert most(1e12) == 256
    assert most(1e12, devices=4) == 4 * most(1e12)
    assert most(1.0) == 1
    some = most(4e6)
    assert 1 < some < 256
    assert 1.8 * some < most(8e6) < 2.2 * some + 2
    # Ten targets are searched for with ten gradients; one is followed with one.
    assert most(4e6, TipIm()) < some
    assert Layout.most_images(network, shape, settings, 10, jax.local_devices()[:1]) == 1


def test_a_program_that_asks_for_more_than_is_free_gets_fewer_images():
    layout = Layout((_Accelerator(1e9),), 64, 10)
    assert layout.with_room_for(0.8e9) == layout
    assert layout.with_room_for(1.7e9).images == 32
    assert layout.with_room_for(0.86e9).images == 32
    assert layout.with_room_for(1e13).images == 1
    alone = Layout((_Accelerator(1e9),), 1, 10)
    assert alone.with_room_for(1e13) == alone


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_as_few_devices_are_taken_as_are_as_fast_as_all(monkeypatch, count):
    devices = jax.local_devices()[:1] * 4
    monkeypatch.setattr(jax, "local_devices", lambda: devices)
    taken = len(Layout.choose([surrogate()], crops(count), 2).devices)
    assert taken == {1: 1, 3: 3, 4: 4, 5: 3, 9: 3}[count]


@pytest.mark.parametrize(
    ("change", "searches"),
    [
        ({"target_choice": "nearest", "views": 2}, False),
        pytest.param({"search_every": 3}, True, marks=pytest.mark.thorough),
        pytest.param({"gamma": 0.02, "mmd_group_size": 3}, True, marks=pytest.mark.thorough),
    ],
)
def test_an_accelerator_does_the_same_and_never_asks_the_host(change, searches, monkeypatch):
    settings = dataclasses.replace(TipIm(iterations=7), **change)
    arguments = [surrogate()], crops(3), crops(4, seed=2), image_keys(*range(3)), settings
    expected, wanted = protect(*arguments)
    monkeypatch.setattr(Layout, "on_cpu", False)
    # At once on one device, and so with a size of its own for what is compiled.
    layout = Layout(tuple(jax.local_devices()[:1]), 3, 4)
    found, choices = protect(*arguments, layout=layout)
    np.testing.assert_allclose(found, expected, atol=1e-2)
    np.testing.assert_array_equal(choices.target, wanted.target)

    problem, state = start(*arguments, layout=layout)
    program = advance_batch.lower(
        (surrogate(),),
        problem,
        state,
        np.int32(1),
        Kind(searches, 5),
        steps_of(settings),
        bool(settings.gamma),
        layout,
    )
    compiled = program.compile().as_text()
    assert "conditional(" not in compiled
    assert compiled.count(" while(") == compiled.count("known_trip_count") > 0


def test_the_images_of_the_caller_outlive_the_run():
    images = jax.numpy.asarray(crops(2))
    problem, state = start([surrogate()], images, crops(2), image_keys(1, 2), TipIm())
    moved, _ = advance([surrogate()], problem, state, TipIm(), 2)
    assert np.abs(moved.protected - images).max() > 0
    np.testing.assert_array_equal(images, problem.original)


if __name__ == "__main__":
    found = {name: protected for name, protected, _ in _cases()}
    np.savez(sys.argv[1], devices=jax.local_device_count(), **found)
