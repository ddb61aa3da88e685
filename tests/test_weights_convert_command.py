"""`python -m weights_convert`: `list`, `export`, `embed` and `verify`, as people (mis)use them."""

import io
import itertools
import json
import re
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from tipim_jax import identification as evaluation
from tipim_jax.datasets import bundled as people
from tipim_jax.networks import get, names
from tipim_jax.photos import crop, look, read_photo
from weights_convert import load, obtain
from weights_convert.__main__ import main

PEOPLE = people.identities()[:8]


@pytest.fixture(scope="module")
def golden():
    """Faces with the embeddings that the original frameworks give them."""
    with np.load(Path(__file__).parent / "golden" / "networks" / "faces.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def lfw(tmp_path_factory):
    """Bundled people, laid out like LFW, and with them a photo of nobody and one that is none."""
    folder = tmp_path_factory.mktemp("photos") / "lfw"

    def put(person, number, content):
        (folder / person).mkdir(parents=True, exist_ok=True)
        (folder / person / f"{person}_{number:04d}.jpg").write_bytes(content)

    for person in PEOPLE:
        for number, photo in enumerate(people.photos(person), start=1):
            put(person, number, photo.read_bytes())
    wall = io.BytesIO()
    Image.new("RGB", (250, 250), "grey").save(wall, "JPEG")
    put("Nobody", 1, wall.getvalue())
    put("Damaged", 1, b"\xff\xd8 no photo")
    return folder


@pytest.fixture
def crops(tmp_path):
    """Writes a file of crops and gives its path."""

    def write(array):
        np.save(tmp_path / "crops.npy", array)
        return tmp_path / "crops.npy"

    return write


@pytest.fixture
def no_weights(monkeypatch):
    """Whoever asks for weights fails: a fault has to be found before them."""

    def fail(*_):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", fail)
    monkeypatch.setattr("tipim_jax.evaluate.verify.variables", fail)
    monkeypatch.setattr("weights_convert.export.variables", fail)


@pytest.fixture
def colours(monkeypatch):
    """In place of a network, the crop itself in few pixels: enough where figures do not matter."""

    def embed(crops):
        pixels = crops[:, ::16, ::16].reshape(len(crops), -1) - 128
        return pixels / np.linalg.norm(pixels, axis=1, keepdims=True)

    monkeypatch.setattr("tipim_jax.evaluate.verify.variables", lambda *_: None)
    monkeypatch.setattr("tipim_jax.evaluate.verify.embedder", lambda *_: embed)


# list


def test_list_has_every_network_and_fits_into_80_columns(capsys):
    load("mobileface")
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    lines = [line.split() for line in said.splitlines()]
    for name in names():
        network, first = get(name), next(n for n, line in enumerate(lines) if line[:1] == [name])
        assert f"{network.embedding_size}," in lines[first]
        assert network.architecture in lines[first + 1]
    of = {name: "\n".join(said.split(f" {name} ")[1].splitlines()[:3]) for name in names()}
    assert "automatic" in of["mobileface"]
    assert "yes" in of["mobileface"].split()
    assert "download" in of["arcface"]
    assert "--from FILE" in of["adaface-ir50"]
    assert "no" in of["adaface-ir50"].split()
    assert "--accept-licence" in of["edgeface"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: NAME"),
        (["list", "mobileface"], "`list` goes alone"),
        (["nobody"], "no network is called 'nobody'; known are mobileface"),
        (["mobileface", "dlib", "--from", "file"], "the name of one network"),
        (["export", "nobody", "--output", "b.safetensors"], "'nobody'; known are"),
        (["export", "mobileface"], "required: --output"),
        (["export", "mobileface", "sface", "--output", "b"], "unrecognized"),
        (["embed", "nobody", "--inputs", "a.npy", "--output", "b.npy"], "'nobody'; known are"),
        (["embed", "mobileface", "--inputs", "a.npy"], "required: --output"),
        (["embed", "mobileface", "sface", "--inputs", "a", "--output", "b"], "unrecognized"),
        (["verify", "nobody", "--all-pairs", "--lfw", "."], "'nobody'; known are"),
        (["verify", "mobileface", "--lfw", "."], "one of the arguments --pairs --all-pairs"),
        (["verify", "mobileface", "--pairs", "a", "--all-pairs", "--lfw", "."], "not allowed"),
        (["verify", "mobileface", "--all-pairs"], "required: --lfw"),
        (["verify", "a", "b", "--from", "c", "--all-pairs", "--lfw", "."], "no network is called"),
        (["verify", "sface", "dlib", "--from", "c", "--all-pairs", "--lfw", "."], "of one network"),
        (["verify", "sface", "--all-pairs", "--lfw", ".", "--json", "no/j.json"], "--json no/j"),
        (["verify", "sface", "--pairs", "p", "--lfw", ".", "--json", "p"], "over what is read"),
    ],
)
def test_wrong_usage_has_exit_status_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "w600k.onnx"],
        ["export", "--output", "b.safetensors"],
        ["embed", "--inputs", "a.npy", "--output", "b.npy"],
        ["verify", "--all-pairs", "--lfw", "."],
    ],
)
def test_weights_of_limited_use_are_obtained_by_nobody_unawares(
    arguments, tmp_path, monkeypatch, capsys, no_weights
):
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path))
    command = [word for word in arguments[:1] if not word.startswith("--")]
    assert main([*command, "w600k", *arguments[len(command) :]]) == 1
    assert_error(capsys, f"w600k .*{re.escape(get('w600k').licence)}.*add --accept-licence")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("command", [[], ["export"], ["embed"], ["verify"]])
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert f"  python -m weights_convert {' '.join(command)}" in said
    assert "--accept-licence" in said


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    for command in ("list", "NAME", "export", "embed", "verify"):
        assert command in said


# embed


def test_embed_writes_what_the_original_framework_gives(golden, crops, tmp_path, capsys):
    """More than a batch of them, and not a whole number of batches."""
    file = crops(np.tile(golden["crops"], (5, 1, 1, 1))[:18])
    output = tmp_path / "embeddings.npy"
    assert main(["embed", "mobileface", "--inputs", str(file), "--output", str(output)]) == 0
    found = np.load(output)
    assert (found.dtype, found.shape) == (np.float32, (18, 512))
    expected = golden["mobileface"] / np.linalg.norm(golden["mobileface"], axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.tile(expected, (5, 1))[:18], atol=2e-5)
    said = capsys.readouterr()
    assert said.out == f"{output}: float32 [18, 512], mobileface\n"
    assert "embedding 18 faces with mobileface" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.npy", "embeddings.npy"]


def test_embed_takes_a_networks_own_size_and_a_file_for_one_run(
    golden, crops, tmp_path, monkeypatch
):
    weights = obtain(get("dlib").weights)
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "cache"))
    output = tmp_path / "embeddings.npy"
    arguments = ["--inputs", str(crops(golden["chips"])), "--output", str(output)]
    assert main(["embed", "dlib", *arguments, "--from", str(weights)]) == 0
    expected = golden["dlib"] / np.linalg.norm(golden["dlib"], axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(output), expected, atol=2e-5)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_embed_of_no_faces_is_an_empty_array(crops, tmp_path, monkeypatch):
    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", lambda *_: None)
    output = tmp_path / "embeddings.npy"
    file = crops(np.zeros((0, 112, 112, 3), np.uint8))
    assert main(["embed", "mobileface", "--inputs", str(file), "--output", str(output)]) == 0
    assert np.load(output).shape == (0, 512)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 112, 112, 3), np.float32), "holds float32 .*rint"),
        (np.zeros((112, 112, 3), np.uint8), r"holds uint8 \[112, 112, 3\].*x\[None\]"),
        (np.zeros((2, 3, 112, 112), np.uint8), "channels come last"),
        (np.zeros((2, 112, 112, 1), np.uint8), r"takes uint8 \[N, 112, 112, 3\] or uint8 \[N, 150"),
        (np.zeros((2, 160, 160, 3), np.uint8), r"holds uint8 \[2, 160, 160, 3\]"),
        (np.array(3, np.uint8), r"holds uint8 \[\]"),
        (np.zeros(3, "U4"), "holds <U4"),
    ],
)
def test_embed_refuses_other_arrays_and_says_what_it_takes(
    array, said, crops, tmp_path, capsys, no_weights
):
    arguments = ["--inputs", str(crops(array)), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "dlib", *arguments]) == 1
    assert_error(capsys, rf"crops\.npy .*{said}")
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read .*: No such file"),
        (b"", "is no whole"),
        (b"no array", "is no whole"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': import}", "is no whole"),
        ("half", "is no whole"),
        ("objects", "is no whole"),
        ("several", "is no whole"),
    ],
)
def test_embed_refuses_files_that_are_no_array(content, said, tmp_path, capsys, no_weights):
    file = tmp_path / "crops.npy"
    if content == "half":
        np.save(file, np.zeros((4, 112, 112, 3), np.uint8))
        file.write_bytes(file.read_bytes()[:50_000])
    elif content == "objects":
        np.save(file, np.array([{}, None]), allow_pickle=True)
    elif content == "several":
        with open(file, "wb") as stream:
            np.savez(stream, crops=np.zeros((4, 112, 112, 3), np.uint8))
    elif content is not None:
        file.write_bytes(content)
    arguments = ["--inputs", str(file), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "mobileface", *arguments]) == 1
    assert_error(capsys, said)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("none/out.npy", "there is no folder"),
        (".", "it is a folder"),
        ("crops.npy", "written over what is read"),
    ],
)
def test_embed_finds_an_impossible_output_before_the_work(
    output, said, crops, tmp_path, capsys, no_weights
):
    file = crops(np.zeros((2, 112, 112, 3), np.uint8))
    before = file.read_bytes()
    arguments = ["--inputs", str(file), "--output", str(tmp_path / output)]
    assert main(["embed", "mobileface", *arguments]) == 1
    assert_error(capsys, said)
    assert file.read_bytes() == before


def test_embed_that_is_stopped_leaves_the_older_output(crops, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tipim_jax.evaluate.embed.variables", lambda *_: None)
    monkeypatch.setattr("tipim_jax.evaluate.embed.embedder", lambda *_: stop)
    (tmp_path / "out.npy").write_bytes(b"older")
    file = crops(np.zeros((2, 112, 112, 3), np.uint8))
    arguments = ["--inputs", str(file), "--output", str(tmp_path / "out.npy")]
    assert main(["embed", "mobileface", *arguments]) == 130
    assert "stopped" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops.npy", "out.npy"]
    assert (tmp_path / "out.npy").read_bytes() == b"older"


# verify


def pairs_file(folder, lines):
    file = folder / "pairs.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def some_pairs():
    """(name, number, name, number): two of each person, and neighbours with one another."""
    pairs = [(person, 1, person, 2) for person in PEOPLE]
    pairs += [(person, 1, person, 3) for person in PEOPLE]
    return pairs + [(a, 1, b, 2) for a, b in itertools.pairwise(PEOPLE)]


def test_verify_measures_what_a_list_of_pairs_shows(lfw, detector, tmp_path, capsys):
    pairs = some_pairs()
    left_out = [("Nobody", 1, PEOPLE[0], 1), ("Damaged", 1, PEOPLE[0], 1)]
    file = pairs_file(tmp_path, ["\t".join(map(str, pair)) for pair in pairs + left_out])
    output = tmp_path / "figures.json"
    arguments = ["--pairs", str(file), "--lfw", str(lfw), "--json", str(output)]
    assert main(["verify", "mobileface", *arguments]) == 0
    said = capsys.readouterr().out
    assert "24 photos, 16 pairs of the same person, 7 of different people" in said
    assert "Nobody_0001: no face found" in said
    assert "cannot read Damaged_0001" in said
    assert "FAR 0.001 takes 1,000 pairs of different people" in said
    assert "Adv-Makeup" in said

    crops = {}
    for person in PEOPLE:
        for number in (1, 2, 3):
            photo = read_photo(lfw / person / f"{person}_{number:04d}.jpg")
            face = detector.detect(photo.pixels)[0]
            crops[person, number] = crop(photo.pixels, face.matrix)
    raw = jax.jit(get("mobileface").embed)(load("mobileface"), np.stack(list(crops.values())))
    unit = dict(zip(crops, np.asarray(evaluation.normalise(raw), np.float64), strict=True))
    cosines = np.array([unit[a, i] @ unit[b, j] for a, i, b, j in pairs])
    same = np.arange(23) < 16
    figures = json.loads(output.read_text())
    assert set(figures["left_out"]) == {"Nobody_0001", "Damaged_0001"}
    found = figures["networks"]["mobileface"]
    assert (found["same"], found["different"]) == (16, 7)
    assert found["points"][1]["threshold"] == pytest.approx(cosines[~same].max(), abs=1e-5)
    assert found["points"][1]["tar"] == (cosines[same] > cosines[~same].max()).mean()
    assert found["rates"][0]["tar"] == (cosines[same] >= get("mobileface").threshold).mean()
    assert found["cross_validated"]["accuracy"] > 0.8
    assert f"{found['points'][1]['tar']:.4f} ({found['points'][1]['threshold']:.3f})" in said


def test_verify_uses_the_folds_of_the_list(lfw, tmp_path, capsys, colours):
    fold = [f"{PEOPLE[0]} 1 2", f"{PEOPLE[1]} 1 2", f"{PEOPLE[0]} 1 {PEOPLE[1]} 1"]
    fold.append(f"{PEOPLE[2]} 1 {PEOPLE[1]} 1")
    file = pairs_file(tmp_path, ["3\t2", *fold, *fold, *fold])
    assert main(["verify", "sface", "--pairs", str(file), "--lfw", str(lfw)]) == 0
    assert "mean over 3 folds" in capsys.readouterr().out


def test_verify_compares_every_photo_in_an_archive_for_several_networks(
    lfw, tmp_path, capsys, colours
):
    archive = tmp_path / "lfw.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for photo in sorted(lfw.rglob("*.jpg")):
            stream.write(photo, photo.relative_to(lfw.parent))
    assert main(["verify", "sface", "lightcnn", "--all-pairs", "--lfw", str(archive)]) == 0
    said = capsys.readouterr().out
    # 24 photos in threes: 8 · 3 pairs of one person, 276 in all.
    assert "24 photos, 24 pairs of the same person, 252 of different people" in said
    assert "sface" in said
    assert "lightcnn" in said
    assert "accuracy" not in said


def test_verify_shows_each_network_what_its_own_window_shows(lfw, detector, capsys, monkeypatch):
    seen = {}

    def embedder(network, _):
        def embed(images):
            seen.setdefault(network.name, []).extend(images)
            return np.random.default_rng(0).normal(size=(len(images), 8))

        return embed

    monkeypatch.setattr("tipim_jax.evaluate.verify.variables", lambda *_: None)
    monkeypatch.setattr("tipim_jax.evaluate.verify.embedder", embedder)
    networks = ("mobileface", "dlib", "facenet", "cosface")
    assert main(["verify", *networks, "--all-pairs", "--lfw", str(lfw)]) == 0
    photos = [photo for photo in sorted(lfw.rglob("Person*.jpg"))]
    for name in networks:
        network = get(name)
        assert len(seen[name]) == 24
        for photo, shown in list(zip(photos, seen[name], strict=True))[::7]:
            pixels = read_photo(photo).pixels
            (face,) = detector.detect(pixels)
            expected = look(pixels, face, network.window, network.input_size)
            np.testing.assert_array_equal(shown, expected)


def test_verify_table_fits_into_80_columns_whatever_the_name(lfw, tmp_path, capsys, colours):
    file = pairs_file(tmp_path, ["\t".join(map(str, pair)) for pair in some_pairs()])
    longest = max(names(), key=len)
    assert main(["verify", longest, "--pairs", str(file), "--lfw", str(lfw)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if longest in line)
    assert "±" in row
    assert row.count("(") == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["Person_001 1 2", "Person_001 1 77"],
            "names 1 photos .* is Person_001_0077",
        ),
        (["../../etc/passwd 1 2"], "names 2 photos that"),
        ([], "holds no pairs"),
        (["Person_001 1"], "line 1: found 'Person_001 1', expected"),
        (["\x00\x01"], "line 1: found"),
    ],
)
def test_verify_refuses_a_list_that_does_not_fit(lines, said, lfw, tmp_path, capsys, no_weights):
    file = pairs_file(tmp_path, lines)
    assert main(["verify", "mobileface", "--pairs", str(file), "--lfw", str(lfw)]) == 1
    assert_error(capsys, rf"pairs\.txt.*{said}")


@pytest.mark.parametrize("place", ["none", "pairs.txt", "."])
def test_verify_refuses_a_place_without_photos(place, tmp_path, capsys, no_weights):
    file = pairs_file(tmp_path, ["Person_001 1 2"])
    arguments = ["--pairs", str(file), "--lfw", str(tmp_path / place)]
    assert main(["verify", "mobileface", *arguments]) == 1
    assert_error(capsys, "No such file|is neither a folder|holds no photo")


def test_verify_says_when_too_little_is_left_to_measure(lfw, tmp_path, capsys, colours):
    lines = [f"{PEOPLE[0]} 1 2", f"{PEOPLE[0]} 1 3", f"Nobody 1 {PEOPLE[0]} 1"]
    file = pairs_file(tmp_path, lines)
    assert main(["verify", "mobileface", "--pairs", str(file), "--lfw", str(lfw)]) == 1
    assert_error(capsys, r"found 2 pairs of the same person and 0 .* photos without a face: 1")
    file = pairs_file(tmp_path, ["Nobody 1 Damaged 1"])
    assert main(["verify", "mobileface", "--pairs", str(file), "--lfw", str(lfw)]) == 1
    assert_error(capsys, "none of 2 photos shows a face")


def assert_error(capsys, said):
    """One line, no traceback, and nothing on stdout that could be taken for a result."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.endswith("…")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert re.search(said, lines[0]), lines[0]
