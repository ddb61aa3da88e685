"""`python -m weights_convert verify`, as people use and misuse it."""

import io
import itertools
import json
import zipfile

import jax
import numpy as np
import pytest
from PIL import Image

from tests.command_errors import assert_error
from tipim_jax import identification as evaluation
from tipim_jax.datasets import bundled as people
from tipim_jax.identification import Recogniser
from tipim_jax.networks import get, names
from tipim_jax.photos import crop, look, read_photo
from weights_convert import load
from weights_convert.__main__ import main

PEOPLE = people.identities()[:8]


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
def no_weights(monkeypatch):
    """Whoever asks for weights fails: a fault has to be found before them."""
    monkeypatch.setattr(
        "tipim_jax.evaluate.verify.variables", lambda *_: pytest.fail("weights were asked for")
    )


@pytest.fixture
def colours(monkeypatch):
    """In place of a network, its input in few pixels: enough where figures do not matter.

    Gives all inputs by the network's name.
    """
    seen = {}

    def embed(recogniser, images, *, many):
        seen.setdefault(recogniser.network.name, []).extend(images)
        pixels = images[:, ::16, ::16].reshape(len(images), -1) - 128
        mixed = np.random.default_rng(0).normal(
            size=(pixels.shape[1], recogniser.network.embedding_size)
        )
        return pixels @ mixed

    monkeypatch.setattr("tipim_jax.evaluate.verify.variables", lambda *_: None)
    monkeypatch.setattr(Recogniser, "__call__", embed)
    return seen


def pairs_file(folder, lines):
    file = folder / "pairs.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def some_pairs():
    """(name, number, name, number): two of each person, and neighbours with one another."""
    pairs = [(person, 1, person, 2) for person in PEOPLE]
    pairs += [(person, 1, person, 3) for person in PEOPLE]
    return pairs + [(a, 1, b, 2) for a, b in itertools.pairwise(PEOPLE)]


@pytest.mark.thorough
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


def test_verify_shows_each_network_what_its_own_window_shows(lfw, detector, colours):
    networks = ("mobileface", "dlib", "facenet", "cosface")
    assert main(["verify", *networks, "--all-pairs", "--lfw", str(lfw)]) == 0
    photos = [photo for photo in sorted(lfw.rglob("Person*.jpg"))]
    for name in networks:
        network = get(name)
        assert len(colours[name]) == 24
        for photo, shown in list(zip(photos, colours[name], strict=True))[::7]:
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
