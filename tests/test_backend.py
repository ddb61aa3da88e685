"""Devices that are not there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PLUGIN = """
def initialize():
    raise RuntimeError("operation cuInit(0) failed: CUDA_ERROR_NO_DEVICE")
"""


def _said(*arguments, **environment):
    """Status and stderr of a command."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return done.returncode, done.stderr


@pytest.fixture
def faces(tmp_path):
    np.save(tmp_path / "faces.npy", np.zeros((1, 112, 112, 3), np.uint8))
    return tmp_path / "faces.npy"


@pytest.mark.parametrize(
    ("platforms", "command"),
    [
        ("tpu", ["tipim_jax.attack", "--output", "OUT"]),
        ("nonsense", ["tipim_jax.attack", "--output", "OUT"]),
        (
            "nonsense",
            ["tipim_jax.evaluate", "FOLDER", "--clean", "FOLDER", "--gallery", "FOLDER"],
        ),
        ("nonsense", ["tipim_jax.sweep", "configs/sweeps/reproduction.toml", "--output", "OUT"]),
        ("nonsense", ["weights_convert", "mobileface"]),
        (
            "nonsense",
            ["weights_convert", "embed", "mobileface", "--inputs", "FACES", "--output", "OUT"],
        ),
    ],
)
def test_devices_that_are_not_there_cost_a_line(platforms, command, faces, tmp_path):
    places = {"OUT": tmp_path / "out", "FOLDER": tmp_path, "FACES": faces}
    command = [places.get(argument, argument) for argument in command]
    status, said = _said(*command, JAX_PLATFORMS=platforms)
    assert status == 1, said
    assert said.startswith(f"error: JAX_PLATFORMS={platforms}: ")
    assert "JAX_PLATFORMS=cpu" in said and len(said.splitlines()) == 1, said
    assert not (tmp_path / "out").exists()


def test_a_plugin_without_its_device_costs_a_line_and_the_cpu_is_taken(tmp_path):
    (tmp_path / "jax_plugins" / "broken").mkdir(parents=True)
    (tmp_path / "jax_plugins" / "broken" / "__init__.py").write_text(PLUGIN)
    code = "from tipim_jax.backend import backend; print(backend())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": ""},
    )
    assert done.stdout == "cpu\n"
    (line,) = done.stderr.splitlines()
    assert "CUDA_ERROR_NO_DEVICE" in line and "broken" in line
