"""What the real commands print of files whose names somebody else chose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tipim_jax.attack.__main__ import main as attack
from tipim_jax.datasets import bundled
from tipim_jax.evaluate.__main__ import main as evaluate
from tipim_jax.report import Results
from tipim_jax.sweep.__main__ import main as sweep
from weights_convert.__main__ import main as weights_convert

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="which knows no such names")
# By what they are shown as.
NAMES = {
    "trip[old].jpg": "trip[old].jpg",
    "[red]a[.jpg": "[red]a[.jpg",
    r"C\[b].jpg": r"C\[b].jpg",
    ":smile:.jpg": ":smile:.jpg",
    "a\\nerror: b.jpg": "a\nerror: b.jpg",
    r"a\r\x1b[31m\x1b]0;title\x07.jpg": "a\r\x1b[31m\x1b]0;title\x07.jpg",
    r"a\u202egpj.exe.jpg": "a\u202egpj.exe.jpg",
    r"\u200frtl\u2066.jpg": "\u200frtl\u2066.jpg",
    r"\udcff.jpg": os.fsdecode(b"\xff.jpg"),
    "José 王.jpg": "José 王.jpg",
}
FOLDER = "a[/x]\x1b[2J\nnot protected"


@pytest.fixture
def folder(tmp_path):
    """One photo without a face and files that are no photos, by names of all kinds."""
    place = tmp_path / FOLDER
    place.mkdir(parents=True)
    for name in NAMES.values():
        (place / name).write_bytes(b"\xff\xd8\xff no photo")
    Image.new("RGB", (60, 60), "green").save(place / NAMES["trip[old].jpg"])
    return place


def _obeyed(text):
    """What a terminal would obey."""
    return [sign for sign in text if not (sign.isprintable() or sign == "\n")]


@pytest.mark.parametrize("encoding", [pytest.param("utf-8", marks=pytest.mark.thorough), "cp1252"])
def test_the_summary_names_every_file_as_it_is_called(encoding, folder, tmp_path):
    output = tmp_path / "out[/y]"
    command = [sys.executable, "-m", "tipim_jax.attack", folder, "--output", output]
    networks = ["--surrogate", "mobileface", "--recogniser", "mobileface"]
    gallery = ["--gallery", tmp_path / "gallery"]
    (tmp_path / "gallery" / "Ann [x]").mkdir(parents=True)
    face = bundled.photos("Person_005")[0]
    (tmp_path / "gallery" / "Ann [x]" / "a.jpg").write_bytes(face.read_bytes())
    done = subprocess.run(
        [*command, *networks, *gallery],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    said, errors = (text.decode(encoding) for text in (done.stdout, done.stderr))
    assert done.returncode == 1, errors
    assert "Traceback" not in errors
    assert not _obeyed(said), "a terminal obeys something"
    for shown in NAMES:
        shown = shown if encoding == "utf-8" else shown.replace("王", r"\u738b")
        assert sum(line.startswith(f"  {shown}: ") for line in said.splitlines()) == 1, shown
    assert not any(line.startswith("error:") for line in said.splitlines())
    assert said.splitlines()[-1] == f"report: {output / 'report.html'}"
    results = Results.from_json((output / "results.json").read_text())
    assert {missed.input for missed in results.not_protected} == set(NAMES.values())
    page = (output / "report.html").read_text("utf-8")
    assert "\x1b" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (attack, ["PLACE/x"]),
        (attack, ["--config", "PLACE"]),
        (attack, ["--output", "PLACE/x", "--targets", "PLACE"]),
        (evaluate, ["PLACE", "--clean", "PLACE", "--gallery", "PLACE"]),
        (sweep, ["PLACE"]),
        (weights_convert, ["mobileface", "--from", "PLACE"]),
        (weights_convert, ["embed", "mobileface", "--inputs", "PLACE", "--output", "x.npy"]),
        (weights_convert, ["export", "mobileface", "--output", "PLACE/x/y"]),
        (weights_convert, ["verify", "mobileface", "--all-pairs", "--lfw", "PLACE"]),
    ],
    ids=lambda part: part if not callable(part) else part.__module__,
)
@pytest.mark.parametrize("kind", ["missing", "empty folder", "file"])
def test_what_is_refused_is_named_as_it_is_called(command, arguments, kind, tmp_path, capsys):
    place = tmp_path / FOLDER
    place.parent.mkdir()
    if kind == "empty folder":
        place.mkdir()
    elif kind == "file":
        place.write_bytes(b"nothing of use")
    status = command([argument.replace("PLACE", str(place)) for argument in arguments])
    said = capsys.readouterr()
    assert status == 1
    assert said.out == ""
    assert not _obeyed(said.err)
    assert "Traceback" not in said.err
    assert sum(line.startswith("error: ") for line in said.err.splitlines()) == 1
    text = " ".join(said.err.replace("\n  ", r"\n").split())
    assert "a[/x]\\x1b[2J\\nnot protected" in text
