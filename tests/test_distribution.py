"""What wheel and source distribution hold, and that the wheel works where nothing else is."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tipim_jax.datasets import bundled

ROOT = Path(__file__).parents[1]
_PACKAGES = ("tipim_jax", "weights_convert")
_LARGEST = 8e6  # bytes
_BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # which they put something else into
build_meta.build_wheel(folder)
build_meta.build_sdist(folder)
"""


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A copy of what is built from, and of what is not to be in it."""
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.glob("[!.]*.*"):
        if path.is_file():
            shutil.copy(path, folder)
    shutil.copy(ROOT / "LICENSE", folder)
    for name in ("tests", "benchmarks"):
        (folder / name).mkdir()
        for file in ("__init__.py", "test_things.py"):
            (folder / name / file).write_text("")
    return folder


@pytest.fixture(scope="session")
def built(source, tmp_path_factory):
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-c", _BUILD, folder], cwd=source, check=True, capture_output=True
    )
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def _packaged(source):
    """All files of the packages; a bare one that nobody packs is found by this."""
    return {
        str(path.relative_to(source).as_posix())
        for name in _PACKAGES
        for path in (source / name).rglob("*")
        if path.is_file()
    }


def test_the_wheel_holds_the_packages_and_nothing_else(source, built):
    wheel = built[0]
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(metadata))
        scripts = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    info = metadata.split("/")[0]
    assert {name for name in names if not name.startswith(f"{info}/")} == _packaged(source)
    assert f"{info}/licenses/LICENSE" in names
    assert wheel.stat().st_size < _LARGEST
    assert said["License-Expression"] == "Apache-2.0" and said["Requires-Python"]
    assert "tipim = tipim_jax.command:main" in scripts


def test_the_source_distribution_can_be_built_from_and_holds_no_tests(source, built):
    sdist = built[1]
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    names = {name for name in names if ".egg-info/" not in name}
    beside = {"pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "setup.cfg"}
    assert names == _packaged(source) | beside | {"CHANGELOG.md", "CITATION.cff"}
    assert sdist.stat().st_size < _LARGEST


@pytest.mark.slow
def test_the_wheel_protects_a_photo_in_a_fresh_environment_and_an_empty_folder(built, tmp_path):
    """Weights come from the cache of whoever runs this."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=True)
    bin_ = place / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([bin_ / "python", "-m", "pip", "install", "--quiet", built[0]], check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(bundled.photos("Person_005")[0], empty / "me.jpg")
    few = ["--surrogate", "mobileface", "--recogniser", "sface", "--iterations", "2"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [bin_ / "tipim", "me.jpg", *few], cwd=empty, capture_output=True, text=True, env=clean
    )
    assert done.returncode == 0, done.stderr
    assert "protected: one face in one photo" in done.stdout
    protected = empty / "protected" / "me.jpg"
    assert protected.read_bytes() != (empty / "me.jpg").read_bytes()
    assert {path.name for path in empty.iterdir()} == {"me.jpg", "protected"}
    assert "<html" in (empty / "protected" / "report.html").read_text("utf-8")
