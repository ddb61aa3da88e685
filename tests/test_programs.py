"""Whole programs as judges: how they are asked."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from benchmarks import programs as benchmark
from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import bundled as people
from tipim_jax.evaluate.__main__ import main
from tipim_jax.evaluate.programs import environment, judging, runner
from tipim_jax.evaluate.programs.environment import PROGRAMS, Program, ProgramError, ask
from tipim_jax.evaluate.programs.judging import People, judge_by_programs
from tipim_jax.evaluate.programs.table import by_programs
from tipim_jax.evaluate.settings import parse
from tipim_jax.photos import YUNET, read_photo
from tipim_jax.photos import crop as shown_crop
from tipim_jax.report import Measurement
from weights_convert import ConversionError, obtain

# What the tests' own environment has: OpenCV. Where its other network lies, a file of theirs does.
TOY = dataclasses.replace(YUNET, sha256="0")
ZOO = Program("opencv-zoo", "sface", {"yunet": YUNET, "sface": TOY})
PYTHON = Path(sys.executable)


def no_bar(*_):
    return lambda _: None


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """In SFace's place: what it says of a crop are the means of squares of 8 pixels, about grey."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Sub", ["x", "grey"], ["about"]),
            onnx.helper.make_node(
                "AveragePool", ["about"], ["y"], kernel_shape=[8, 8], strides=[8, 8]
            ),
        ],
        "toy",
        [value("x", onnx.TensorProto.FLOAT, [1, 3, 112, 112])],
        [value("y", onnx.TensorProto.FLOAT, [1, 3, 14, 14])],
        [onnx.numpy_helper.from_array(np.float32(127.5), "grey")],
    )
    file = tmp_path_factory.mktemp("toy") / "toy.onnx"
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), file)
    return file


@pytest.fixture
def kept(monkeypatch, tmp_path, toy):
    """A cache of nobody else's for what programs see."""
    monkeypatch.setattr(environment, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(environment, "obtain", lambda file: toy if file is TOY else obtain(file))
    return tmp_path / "home"


@pytest.fixture
def here(monkeypatch, kept):
    """The tests' own Python stands for the programs'."""
    monkeypatch.setattr(judging, "interpreter", lambda: PYTHON)


@pytest.fixture
def grey(tmp_path):
    """A photo without a face."""
    Image.new("RGB", (250, 250), (90, 90, 90)).save(tmp_path / "grey.png")
    return tmp_path / "grey.png"


def test_programs_are_asked_one_by_one_and_a_missing_one_takes_no_other_with_it(here, grey):
    first, second = (people.photos(name) for name in people.identities()[:2])
    judged = judge_by_programs(
        People([first[0], second[0]], "AB"),
        [first[0], grey],
        People([first[1], second[1]], "AB"),
        People([], ""),
        ("sface",),
        no_bar,
        (Program("face_recognition", "dlib"), ZOO),
    )
    assert list(judged.missing) == ["face_recognition"]
    assert "No module named 'face_recognition'" in judged.missing["face_recognition"]
    before, after = judged.clean["opencv-zoo"], judged.protected["opencv-zoo"]
    for name, values in (("detected", (1, 0.5)), ("recognised", (1, 0.5)), ("rank1_ut", (0, 0.5))):
        assert (before.figures[name].value, after.figures[name].value) == values, name
    assert before.thresholds["recognised"].cosine == pytest.approx(0.363)
    said = by_programs(
        Measurement({"method": "clean"}, 2, {}, judged.clean),
        Measurement({"surrogates": ["sface"], **judged.told}, 2, {}, judged.protected),
    )
    line = next(line for line in said.splitlines() if line.startswith("[opencv-zoo]"))
    assert "1.00 → 0.50" in line and "cosine ≤ 0.637" in line
    assert "face_recognition did not judge: it ended with status 1: ModuleNotFoundError" in said


def test_a_program_looks_at_what_it_can_read(kept, grey, tmp_path, detector):
    (tmp_path / "text.jpg").write_text("no photo")
    first, second = (people.photos(name) for name in people.identities()[:2])
    done = []
    photos = [first[0], tmp_path / "text.jpg", grey, first[1], second[0]]
    found = ask(ZOO, photos, PYTHON, done.append)
    assert sum(done) == 5
    assert found.detected.tolist() == [True, False, False, True, True]
    assert found.failed.tolist() == ["", "OpenCV cannot read it", "", "", ""]
    assert np.isnan(found.embeddings[[1, 2]]).all()
    for row, photo in ((0, first[0]), (3, first[1]), (4, second[0])):
        pixels = read_photo(photo).pixels
        crop = shown_crop(pixels, detector.detect(pixels)[0].matrix)
        squares = (crop - 127.5).reshape(14, 8, 14, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        likeness = [np.corrcoef(squares.ravel(), one)[0, 1] for one in found.embeddings]
        assert np.nanargmax(likeness) == row and likeness[row] > 0.9
    assert found.distance == "cosine" and found.threshold == pytest.approx(1 - 0.363)
    assert "opencv-python-headless" in found.versions


def test_what_a_program_saw_is_kept_and_a_photo_that_changes_is_looked_at_again(
    kept, grey, monkeypatch
):
    asked = []

    def run(program, photos, python, folder, progress):
        asked.append(program.name)
        np.savez(
            folder / "found.npz",
            detected=np.ones(len(photos), bool),
            embeddings=np.ones((len(photos), 2)),
            failed=np.full(len(photos), ""),
            about=json.dumps({"versions": {}, "distance": "cosine", "threshold": 0.5}),
        )
        return folder / "found.npz"

    monkeypatch.setattr(environment, "_run", run)
    for _ in range(2):
        ask(ZOO, [grey], PYTHON)
    assert asked == ["opencv-zoo"]
    Image.new("RGB", (250, 250), (91, 90, 90)).save(grey)
    ask(ZOO, [grey], PYTHON)
    assert len(asked) == 2
    next(kept.rglob("*.npz")).write_bytes(b"damaged")
    assert ask(ZOO, [grey], PYTHON).threshold == 0.5
    ask(dataclasses.replace(ZOO, name="other"), [grey], PYTHON)
    assert asked[-1] == "other"


def test_a_licence_is_accepted_before_a_program_is_asked(grey, monkeypatch, tmp_path):
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIPIM_JAX_ACCEPT_LICENCES", raising=False)
    insightface = next(program for program in PROGRAMS if program.name == "insightface")
    with pytest.raises(ConversionError, match="tipim weights w600k --accept-licence"):
        ask(insightface, [grey], PYTHON)


def test_a_program_that_does_not_start_says_its_last_line(kept, grey, monkeypatch, tmp_path):
    (tmp_path / "falls.py").write_text("import os, sys; print('why', file=sys.stderr); os._exit(3)")
    monkeypatch.setattr(environment, "_RUNNER", tmp_path / "falls.py")
    with pytest.raises(ProgramError, match="status 3: why"):
        ask(Program("face_recognition", "dlib"), [grey], PYTHON)


def test_the_runner_knows_every_program_and_nothing_of_the_product():
    assert set(runner.PROGRAMS) == {program.name for program in PROGRAMS}
    assert "tipim_jax" not in Path(runner.__file__).read_text()


def test_without_programs_one_line_says_how_to_get_them(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environment, "FOLDER", ".venv-of-nobody")
    (tmp_path / "photos").mkdir()
    folder = str(tmp_path / "photos")
    arguments = [folder, "--clean", folder, "--gallery", folder, "--output", str(tmp_path / "out")]
    assert main([*arguments, "--programs"]) == 1
    said = capsys.readouterr()
    assert "make programs" in said.err and not said.out
    assert not (tmp_path / "out").exists()
    with pytest.raises(SettingsError, match="--aligned"):
        parse([*arguments, "--programs", "--aligned"])


@pytest.mark.thorough
def test_programs_stand_beside_the_networks(here, grey, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("tipim_jax.evaluate.run.interpreter", lambda: PYTHON)
    monkeypatch.setattr("tipim_jax.evaluate.programs.photos.judge_by_programs",
                        lambda *given: judge_by_programs(*given, programs=(ZOO,)))  # fmt: skip
    names = people.identities()[:3]
    for name in names:
        photos = people.photos(name)
        for folder, file in (("clean", photos[0]), ("protected", photos[0]), ("all", photos[1])):
            (tmp_path / folder / name).mkdir(parents=True)
            shutil.copy(file, tmp_path / folder / name)
    lost = tmp_path / "protected" / names[2] / people.photos(names[2])[0].name
    Image.open(grey).save(lost)
    arguments = [str(tmp_path / "protected"), "--clean", str(tmp_path / "clean")]
    arguments += ["--gallery", str(tmp_path / "all"), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--recogniser", "mobileface", "--programs"]) == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(found["recognisers"]) == ["mobileface", "opencv-zoo"]
    figures = found["recognisers"]["opencv-zoo"]["figures"]
    assert figures["detected"]["value"] == figures["recognised"]["value"] == pytest.approx(2 / 3)
    assert found["about"]["programs"]["opencv-zoo"]["no_face_in_protected"] == 1
    said = capsys.readouterr().out
    assert "1.00 → 0.67" in said and "mobileface  opencv-zoo" in said


def test_the_demonstration_is_laid_out_as_it_is_searched(tmp_path):
    folders = benchmark.demonstration(tmp_path)
    files = {
        name: {file.name for file in folder.rglob("*.jpg")} for name, folder in folders.items()
    }
    assert {name: len(some) for name, some in files.items()} == {
        "clean": 20,
        "gallery": 140,
        "targets": 10,
    }
    assert not files["gallery"] & (files["clean"] | files["targets"])
