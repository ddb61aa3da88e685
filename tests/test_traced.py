"""Programs that are kept for the next process of a command."""

import hashlib
import os
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from method_toy import crops, image_keys, small_network, surrogate

from tipim_jax import source, traced
from tipim_jax.command import main as tipim
from tipim_jax.method import PRESETS, Surrogate, TipIm, advance, start
from tipim_jax.method.devices import Layout
from tipim_jax.method.steps import steps_of
from tipim_jax.networks import PRECISIONS, get, names
from tipim_jax.traced import Traced

# One program of iterations; a momentum that no other test has.
SETTINGS = TipIm(iterations=2, target_choice="nearest", views=0, momentum=0.6875)
TRACED = []


def network(variables, images):
    """As the toy's, and counts how often JAX looks what it does."""
    TRACED.append(images.shape)
    return small_network(variables, images)


@partial(Traced, arrays=3, donated=1)
def moved(weights, places, keys, function, count):
    """A program of everything that the method's have in it, of what is compiled in no time."""
    TRACED.append(count)
    draws = jax.vmap(jax.random.normal)(keys)[:, None]
    by = count * function(weights["w"]) * weights["share"]
    return places + draws * by, {"keys": keys, "none": None}


@pytest.fixture
def command(monkeypatch, tmp_path):
    """A process that began as a command with the code "one"; the folder that it keeps things in."""
    begun_with(monkeypatch, "one")
    monkeypatch.setattr(traced, "_KNOWN", traced._KNOWN | {__name__, "method_toy"})
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path / "traced"
    jax.config.update("jax_compilation_cache_dir", before)


def begun_with(monkeypatch, code):
    monkeypatch.setattr(source, "_begun", (code, []))
    monkeypatch.setattr(source, "_files", list)


def another_process():
    """Has forgotten what this one traced."""
    traced.forget()
    TRACED.clear()


def move(function=jax.lax.sin, count=2, share=0.5, rows=3):
    """What a new process makes of it, and whether it traced."""
    another_process()
    weights = {"w": np.float32([1, 2]), "share": share}
    places = jnp.arange(2.0 * rows).reshape(rows, 2)
    found = moved(weights, places, image_keys(*range(rows)), function, count)
    assert places.is_deleted()
    return of_bytes(found), bool(TRACED)


def of_bytes(tree):
    """Its structure, and of each array all that there is."""

    def of(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        return leaf.dtype, leaf.shape, np.asarray(leaf).tobytes()

    return jax.tree.structure(tree), list(map(of, jax.tree.leaves(tree)))


def test_what_is_kept_is_not_traced_again_and_gives_the_same(monkeypatch, command):
    kept, again = move(), move()
    monkeypatch.setattr(source, "_begun", None)
    assert [kept[1], again[1]] == [True, False]
    assert kept[0] == again[0] == move()[0]


@pytest.mark.thorough
def test_masks_are_the_same_to_the_last_byte(monkeypatch, command):
    batch, targets = crops(3), crops(4, seed=2)
    layout = Layout.choose((surrogate(),), batch, 1)
    networks = layout.replicate((Surrogate(network, surrogate().variables),))

    def masks():
        another_process()
        problem, state = start(
            networks, batch, targets, image_keys(1, 2, 3), SETTINGS, layout=layout
        )
        state, choices = advance(networks, problem, state, SETTINGS, 2, layout=layout)
        return of_bytes((problem, state, choices)), bool(TRACED)

    kept, again = masks(), masks()
    monkeypatch.setattr(source, "_begun", None)
    expected = masks()
    assert [kept[1], again[1], expected[1]] == [True, False, True]
    assert kept[0] == again[0] == expected[0]


def test_what_is_kept_of_anything_else_is_not_taken(monkeypatch, command):
    (expected, _), (other, traced_other) = move(), move(function=jax.lax.cos)
    assert traced_other and other != expected
    assert move(count=3)[1] and move(rows=4)[1]
    assert not move(share=0.25)[1] and move(share=0.25)[0] != expected  # one of the arrays
    precision = jax.config.jax_default_matmul_precision
    jax.config.update("jax_default_matmul_precision", "highest")
    assert move()[1]
    jax.config.update("jax_default_matmul_precision", precision)
    with monkeypatch.context() as patched:
        patched.setattr(traced.importlib.metadata, "version", lambda name: f"another {name}")
        assert move()[1]
    begun_with(monkeypatch, "two")
    assert move()[1]
    begun_with(monkeypatch, "one")
    assert not move()[1]


@pytest.mark.parametrize("harm", ["cut", "another bit", "empty", "no program"])
def test_a_damaged_file_costs_time_alone(command, harm):
    expected, _ = move()
    (file,) = command.iterdir()
    whole, noise = file.read_bytes(), b"no program"
    content = {
        "cut": whole[: len(whole) // 2],
        "another bit": whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:],
        "empty": b"",
        "no program": hashlib.sha256(noise).digest() + noise,
    }[harm]
    file.write_bytes(content)
    assert move() == (expected, True)
    assert move() == (expected, False)  # it is written anew


def test_of_many_files_the_last_used_ones_are_kept(monkeypatch, command):
    monkeypatch.setattr(traced, "_MOST", 2)
    move(count=2), move(count=3)
    for age, file in enumerate(sorted(command.iterdir(), key=lambda one: one.stat().st_mtime)):
        os.utime(file, (age, age))
    assert not move(count=2)[1]  # it is the one that was used last now
    assert move(count=4)[1] and not move(count=2)[1] and move(count=3)[1]
    assert len(list(command.iterdir())) == 2


def test_where_nothing_can_be_kept_it_costs_time_alone(command):
    command.write_bytes(b"in the folder's place")
    assert move() == move() and move()[1]


def test_what_has_no_name_is_traced(monkeypatch, command):
    weight = 2.0  # what a function holds is in no name
    assert move(lambda w: w * weight)[1] and not command.exists()
    with monkeypatch.context() as patched:  # nor has what stands in the place of what has one
        cosine = jax.lax.cos
        patched.setattr(sys.modules[cosine.__module__], "cos", jax.lax.sin)
        assert move(cosine)[1] and not command.exists()
    monkeypatch.setattr(
        traced, "_KNOWN", traced._KNOWN - {"jax"}
    )  # of no package whose code counts
    assert move()[1] and not command.exists()


def test_where_functions_may_be_replaced_nothing_is_kept(monkeypatch, command):
    monkeypatch.setattr(source, "_begun", None)  # no command: a script or a test
    assert move()[1] and not command.exists()
    begun_with(monkeypatch, "one")
    monkeypatch.setattr(source, "_files", lambda: ["another"])
    assert move()[1] and not command.exists()


def test_every_preset_and_every_network_has_a_name_of_its_own():
    presets = {preset().without_numbers: steps_of(preset()) for preset in PRESETS.values()}
    assert len({traced._named(steps) for steps in presets.values()}) == len(presets)
    networks = [
        traced._named(partial(get(name).embed, precision=precision))
        for name in names()
        for precision in PRECISIONS.values()
    ]
    assert len(set(networks)) == len(networks) > 0


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A package of two files that were there long ago."""
    monkeypatch.setattr(source, "_PACKAGE", tmp_path)
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    monkeypatch.setattr(source, "_JUST_NOW", -1)
    for name in ("source", "other"):
        (tmp_path / f"{name}.py").write_text(f"{name} = 1\n")
    return tmp_path


def test_code_is_unchanged_until_a_file_is_another(monkeypatch, package):
    monkeypatch.setattr(source, "_begun", None)
    assert source.unchanged() is None
    source.begin()
    first = source.unchanged()
    assert first and source.begun()
    (package / "other.py").write_text("other = 2\n")
    assert source.unchanged() is None
    (package / "other.py").write_text("other = 1\n")  # what was imported meanwhile?
    assert source.unchanged() is None
    (package / "other.py").write_text("other = 2\n")
    source.begin()
    assert source.unchanged() not in (None, first)


def test_code_that_changed_just_now_may_not_be_what_was_imported(monkeypatch, package):
    monkeypatch.setattr(source, "_begun", None)
    monkeypatch.setattr(source, "_JUST_NOW", 3600)
    source.begin()
    assert not source.begun()


def test_a_command_begins_and_a_call_of_it_from_python_does_not(monkeypatch):
    monkeypatch.setattr(source, "_begun", None)
    monkeypatch.setattr(source, "_hashed", lambda: "one")
    tipim(["--version"])
    assert not source.begun()
    monkeypatch.setattr(sys, "argv", ["tipim", "--version"])
    tipim()
    assert source.begun()
