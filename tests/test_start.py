"""How the commands start."""

import subprocess
import sys

import pytest

# What takes a second to import, and is not needed to answer --help or to refuse a mistake.
HEAVY = ("jax", "flax", "optax", "scipy", "grain", "orbax", "tensorflow_datasets", "matplotlib")


@pytest.mark.parametrize("command", ["attack", "sweep", "evaluate"])
def test_help_comes_before_anything_heavy_is_imported(command):
    code = f"""
import runpy, sys
sys.argv = ["x", "--help"]
try:
    runpy.run_module("tipim_jax.{command}", run_name="__main__")
except SystemExit as stop:
    assert stop.code == 0
print("imported:", *(name for name in {HEAVY} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--output" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["imported:"]
