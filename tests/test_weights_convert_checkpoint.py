"""Converted weights in the cache: which code and which files they belong to, and for how long."""

import ast
import dataclasses
import os
import shutil
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import tipim_jax.networks
import weights_convert
from tipim_jax.networks import get, layers, mobilefacenet, names
from weights_convert import ConversionError, checkpoint

MOBILEFACE = get("mobileface")
SOURCE = "4f3bbd745247" + 52 * "0"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "home"))


def variables(value):
    """Arrays of several sizes, one of them neither contiguous nor of whole cache lines."""
    ramp = np.arange(15, dtype=np.float32).reshape(3, 5).T
    return {"params": {"b": {"kernel": ramp}, "a": np.full((2, 1, 7), value, np.float32)}}


def assert_loaded(value):
    found = checkpoint.load(MOBILEFACE, SOURCE)
    jax.tree.map(np.testing.assert_array_equal, found, variables(value))


def of_version(monkeypatch, version):
    """As if the code were another."""
    monkeypatch.setattr(checkpoint, "_version", lambda _: version)


def test_checkouts_of_different_code_keep_their_weights_side_by_side(monkeypatch):
    for number, version in enumerate(("ours", "theirs")):
        of_version(monkeypatch, version)
        with pytest.raises(ConversionError, match="cannot read"):
            checkpoint.load(MOBILEFACE, SOURCE)
        checkpoint.save(MOBILEFACE, SOURCE, variables(number))
    for number, version in enumerate(("ours", "theirs")):
        of_version(monkeypatch, version)
        assert_loaded(number)


def test_weights_that_nobody_used_for_a_month_go_when_others_come(monkeypatch):
    def place(name, days):
        """Something in the cache, last used so many days ago."""
        path = checkpoint.path(MOBILEFACE, SOURCE).with_name(name)
        if name == "mobileface-4f3bbd745247-folder":
            path.mkdir()
            (path / "weights").touch()
        path.touch()
        os.utime(path, (time.time() - days * 24 * 3600,) * 2)
        return path

    checkpoint.save(MOBILEFACE, SOURCE, variables(1))
    used = place(checkpoint.path(MOBILEFACE, SOURCE).name, days=31)
    place("mobileface-4f3bbd745247-unused.safetensors", days=31)
    place("mobileface-4f3bbd745247-folder", days=31)
    fresh = place("mobileface-4f3bbd745247-fresh.safetensors", days=29)
    other = place("mobileface-mv-4f3bbd745247-unused.safetensors", days=31)
    assert_loaded(1)  # counts as use
    of_version(monkeypatch, "newest")
    checkpoint.save(MOBILEFACE, SOURCE, variables(2))
    newest = checkpoint.path(MOBILEFACE, SOURCE)
    assert set(newest.parent.iterdir()) == {used, fresh, other, newest}


def _path(network=MOBILEFACE):
    return checkpoint.path(network, SOURCE)


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of the code that decides converted weights, to be changed; gives a file's new path.

    What computes stays as it is: `checkpoint` alone reads the copy.
    """
    for package in (tipim_jax.networks, weights_convert):
        shutil.copytree(Path(package.__file__).parent, tmp_path / package.__name__)
    monkeypatch.setattr(weights_convert, "__file__", str(tmp_path / "weights_convert/__init__.py"))
    for module in (layers, mobilefacenet):
        copied = tmp_path / "tipim_jax.networks" / Path(module.__file__).name
        monkeypatch.setattr(module, "__file__", str(copied))
    checkpoint._version.cache_clear()
    yield lambda name: tmp_path / name
    checkpoint._version.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("tipim_jax.networks/mobilefacenet.py", '"""', '"""Told anew. ', True),
        ("tipim_jax.networks/mobilefacenet.py", "\n_EPSILON = ", "\n\n# why\n_EPSILON = ", True),
        ("tipim_jax.networks/sface.py", "EPSILON = ", "EPSILON = 2 * ", True),  # another network's
        ("tipim_jax.networks/mobilefacenet.py", '"stem"', '"first"', False),
        ("tipim_jax.networks/layers.py", '"kernel"', '"weight"', False),
        ("tipim_jax.networks/layers.py", '"""Dense convolution;', '"""Convolution;', True),
        ("weights_convert/export.py", "import argparse", "import argparse\nimport sys", True),
        ("weights_convert/fill.py", "Transform = ", "Other = Transform = ", False),
        ("weights_convert/tables/layouts.py", "(2, 3, 1, 0)", "(3, 2, 1, 0)", False),
        ("weights_convert/readers/torch_pickle.py", '"<f8"', '">f8"', False),
    ],
)
def test_weights_are_converted_again_where_the_code_that_decides_them_changed(
    file, old, new, same, code
):
    before = _path()
    text = code(file).read_text()
    assert old in text
    code(file).write_text(text.replace(old, new, 1))
    checkpoint._version.cache_clear()
    assert (_path() == before) is same


def test_code_is_the_same_to_each_version_of_python(tmp_path):
    """Python 3.12 gave functions and classes a field, 3.13 leaves empty ones out of `ast.dump`."""
    file = tmp_path / "module.py"
    file.write_text('def f(x):  # why\n    """What."""\n    return -x\n')
    arguments = ("arguments", ("args", [("arg", ("arg", "x"))]))
    negative = (
        "UnaryOp",
        ("op", ("USub",)),
        ("operand", ("Name", ("id", "x"), ("ctx", ("Load",)))),
    )
    function = (("name", "f"), ("args", arguments), ("body", [("Return", ("value", negative))]))
    expected = ("Module", ("body", [("FunctionDef", *function)]))
    assert checkpoint._without_prose(file) == repr(expected)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"threshold": 0.5, "licence": "another", "published_thresholds": ()}, True),
        ({"embedding_size": 128}, False),
        ({"channel_order": "grey"}, False),
        ({"options": (("width", 4),)}, False),
        ({"mean": (0.0, 0.0, 0.0)}, False),  # files may state it too
    ],
)
def test_weights_are_converted_again_where_the_network_is_built_otherwise(change, same):
    assert (_path(dataclasses.replace(MOBILEFACE, **change)) == _path()) is same


@pytest.mark.parametrize("name", names())
def test_architecture_declares_its_variables_by_itself_and_by_layers(name):
    """Else a change elsewhere would leave older weights to newer code."""
    path, modules = type(get(name).module()).__module__, set()
    for node in ast.walk(ast.parse(Path(sys.modules[path].__file__).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tipim_jax"):
            modules.add(node.module)
    modules = {m for m in modules if not m.startswith("tipim_jax.networks.ops.")}
    assert modules == {"tipim_jax.networks.layers"}
