"""The command, used as its users use it: files in, files out, real networks and weights."""

import json
import shutil
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from tests.attack_cases import FAST, attack, results_in
from tipim_jax.attack import measure
from tipim_jax.datasets import bundled as people
from tipim_jax.identification import seen
from tipim_jax.photos import read_photo


@pytest.fixture(scope="module")
def first_run(album, small_gallery, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "protected"
    arguments = [album, "--output", output, "--gallery", small_gallery, *FAST]
    arguments += ["--recogniser", "sface", "--format", "png"]  # pixels are compared with masks
    return attack(*arguments)[0], output, arguments


def test_every_photo_with_a_face_is_protected_and_the_others_are_listed(first_run):
    status, output, _ = first_run
    assert status == 1, "a file could not be read"
    written = {str(p.relative_to(output)) for p in output.rglob("*.png")}
    assert written == {"holiday/beach.png", "portrait.png", "both.png"}
    reasons = {missed.input: missed.reason for missed in results_in(output).not_protected}
    assert reasons.keys() == {"meadow.png", "broken.jpg", "notes.txt"}
    assert reasons["meadow.png"] == "no face found" and reasons["notes.txt"] == "no photo"
    assert "broken.jpg" in reasons["broken.jpg"]
    assert not list(output.rglob("*.part"))


def test_written_photos_keep_the_budget_the_size_and_what_is_not_face(first_run, album, detector):
    _, output, _ = first_run
    for source, target in (
        ("holiday/beach.jpg", "holiday/beach.png"),
        ("portrait.png", "portrait.png"),
        ("both.png", "both.png"),
    ):
        before, after = read_photo(album / source).pixels, read_photo(output / target).pixels
        change = np.abs(after.astype(int) - before)
        assert 6 <= change.max() <= 24
        costs = [seen(before, after, face.box)["dssim"] for face in detector.detect(before)]
        assert all(0.02 < cost <= 0.03 for cost in costs)  # of two faces each costs the other's box
        rows, columns = np.mgrid[: before.shape[0], : before.shape[1]]
        inside = np.zeros(before.shape[:2], bool)
        for face in detector.detect(before):
            x = face.matrix @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
            inside |= ((x >= -1) & (x <= 112)).all(axis=0).reshape(rows.shape)
        assert change[~inside].max() == 0


def test_metadata_is_dropped_unless_asked_for(first_run, album, small_gallery, tmp_path):
    _, output, _ = first_run
    with Image.open(output / "holiday" / "beach.png") as dropped:
        assert not dropped.getexif()
    photo = album / "holiday" / "beach.jpg"
    with Image.open(photo) as original:
        assert original.getexif().get_ifd(0x8825), "the original tells where it was taken"
    keeping = ["--metadata", "all", "--gallery", small_gallery]
    assert attack(photo, "--output", tmp_path, *keeping, *FAST)[0] == 0
    with Image.open(tmp_path / "beach.jpg") as kept:
        assert kept.getexif()[0x010F] == "a camera" and kept.getexif().get_ifd(0x8825)
        assert kept.format == "JPEG"
    before, after = (read_photo(path).pixels for path in (photo, tmp_path / "beach.jpg"))
    change = np.abs(after.astype(int) - before).max()
    assert results_in(tmp_path).quality.max_difference == change, "JPEG's own changes count"


def test_results_say_what_was_measured_on_the_saved_files(first_run, album):
    _, output, _ = first_run
    results = results_in(output)
    assert results.settings["iterations"] == 4 and results.settings["dssim"] == 0.027
    assert results.surrogates == ("mobileface",)
    assert [(r.name, r.held_out) for r in results.recognisers] == [
        ("mobileface", False),
        ("sface", True),
    ]
    photos = {photo.input: photo for photo in results.photos}
    assert [len(photos[name].faces) for name in ("holiday/beach.jpg", "both.png")] == [1, 2]
    assert results.quality.max_difference <= 24
    for photo in results.photos:
        for face in photo.faces:
            assert face.psnr > 26.55 and 0 < face.ssim < 1
            assert 0.02 < face.dssim <= results.quality.worst_dssim <= 0.03
            assert face.target in people.TARGETS
            score = face.recognisers["mobileface"]
            assert score.protected.own_cosine < score.clean.own_cosine - 0.2
            # Leaving oneself weighs thrice: the target is ahead, but hardly nearer yet.
            assert score.protected.target_rank < score.clean.target_rank
            assert score.protected.own_rank > score.protected.target_rank


def test_faces_nobody_named_are_told_by_the_gallery_or_by_the_other_photos(first_run):
    """portrait.png is somebody of the gallery; beach.jpg is the left half of both.png, unnamed."""
    _, output, _ = first_run
    photos = {photo.input: photo for photo in results_in(output).photos}
    (known,), (unknown,) = photos["portrait.png"].faces, photos["holiday/beach.jpg"].faces
    assert known.identity == "Person_005" and unknown.identity is None
    for face in (known, unknown):
        clean = face.recognisers["sface"].clean
        assert clean.own_cosine > 0.9 and clean.own_rank == 1
    assert sorted(str(face.identity) for face in photos["both.png"].faces) == ["None", "Person_005"]


def test_the_report_is_there_and_names_the_photos(first_run):
    _, output, _ = first_run
    page = (output / "report.html").read_text()
    assert "beach.jpg" in page and "meadow.png" in page and "data:image/" in page


def test_a_rerun_does_nothing_twice(first_run, capsys):
    _, output, arguments = first_run
    before = {path: path.stat().st_ctime_ns for path in output.rglob("*.png")}
    results = results_in(output)
    status, _ = attack(*arguments, capsys=capsys)
    assert status == 1, "the broken file is still broken"
    assert {path: path.stat().st_ctime_ns for path in output.rglob("*.png")} == before
    assert results_in(output).photos == results.photos


@pytest.mark.thorough
def test_photos_of_any_size_and_number_of_faces_share_one_program(
    album, small_gallery, tmp_path, caplog
):
    """Three photos with four faces in two batches, a size of batch that no other test has."""
    arguments = [album, "--output", tmp_path, "--gallery", small_gallery, *FAST]
    with jax.log_compiles():
        attack(*arguments, "--iterations", "3", "--batch-size", "2")
    compiled = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Compiling")]
    assert sum("advance" in message for message in compiled) == 1
    seconds = results_in(tmp_path).seconds
    assert 0 <= seconds["waiting"] < seconds["attack"] < seconds["total"]


@pytest.mark.thorough
def test_one_person_alone_is_masked_in_a_photo_of_two(album, small_gallery, tmp_path, capsys):
    """By another photo of the second; the networks are real."""
    me = people.photos("Person_005")[1]
    for flag, masked in (("--only", 1), ("--except", 0)):
        output = tmp_path / flag
        arguments = [album / "both.png", "--output", output, "--gallery", small_gallery, *FAST]
        status, said = attack(*arguments, flag, me, capsys=capsys)
        assert status == 0, said.err
        change = np.abs(
            read_photo(output / "both.png").pixels.astype(int)
            - read_photo(album / "both.png").pixels
        )
        halves = change[:, :250].max(), change[:, 250:].max()
        assert halves[masked] >= 6 and halves[1 - masked] == 0
        (left,) = results_in(output).left_alone
        assert left.input == "both.png" and me.name in left.reason
        assert f"left alone as you chose, or in doubt (1):\n  both.png: {left.reason}\n" in said.out
    small = [*arguments[:1], "--output", tmp_path / "small", "--gallery", small_gallery, *FAST]
    status, said = attack(*small, "--smallest", "240", capsys=capsys)
    assert status == 0 and not (tmp_path / "small" / "both.png").exists()
    assert "protected: nothing; not copied, as nobody was to be masked: one file" in said.out
    assert "smaller than 240 pixels" in said.out


@pytest.mark.slow
def test_two_processes_write_the_bytes_that_one_writes(album, small_gallery, tmp_path):
    """Each has full batches: what a program of another size rounds otherwise is not asked here."""
    copy = tmp_path / "album"
    shutil.copytree(album, copy)
    shutil.copy(copy / "portrait.png", copy / "another.png")
    (copy / "both.png").unlink()
    shutil.copy(copy / "portrait.png", copy / "third.png")
    arguments = [copy, "--gallery", small_gallery, "--batch-size", "2", "--format", "png", *FAST]
    assert attack(*arguments, "--output", tmp_path / "one")[0] == 1, "a file is broken"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = ["--output", tmp_path / "two", "--coordinator", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "tipim_jax.attack", *arguments, *shared]
    processes = [
        subprocess.Popen(
            [*map(str, command), "--num-processes", "2", "--process-id", str(number)],
            stderr=subprocess.PIPE,
        )
        for number in (0, 1)
    ]
    said = [process.communicate(timeout=600)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [1, 0], said
    pictures = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png")}
    assert len(pictures) == 4
    for path in pictures:
        assert (tmp_path / "two" / path).read_bytes() == (tmp_path / "one" / path).read_bytes()
    one, two = results_in(tmp_path / "one"), results_in(tmp_path / "two")
    assert two.photos == one.photos and two.not_protected == one.not_protected
    assert two.recognisers == one.recognisers and two.quality == one.quality


@pytest.mark.slow
def test_the_demonstration_protects_from_its_surrogates(tmp_path):
    """What `make demo` shows: the networks know every clean face, the surrogates none after."""
    assert attack("--output", tmp_path)[0] == 0
    results = results_in(tmp_path)
    assert len(results.photos) == 20
    assert any(recogniser.held_out for recogniser in results.recognisers)
    for recogniser in results.recognisers:
        assert recogniser.clean.rank1_ut.value <= 0.05
        if not recogniser.held_out:
            assert recogniser.protected.rank1_ut.value >= 0.95
            assert recogniser.protected.rank1_t.value >= 0.9
    json.loads((tmp_path / "results.json").read_text())


def test_results_need_no_installed_package():
    assert measure._version("tipim-jax-of-nobody") == "not installed"
    assert measure._version("jax") == jax.__version__


@pytest.mark.thorough
def test_a_rerun_redoes_what_is_missing_or_was_made_otherwise(first_run, tmp_path):
    _, output, arguments = first_run
    copy = tmp_path / "protected"
    shutil.copytree(output, copy)
    arguments = [copy if argument == output else argument for argument in arguments]
    (copy / "portrait.png").unlink()
    attack(*arguments)
    for path in output.rglob("*.png"):
        first, second = (read_photo(p).pixels for p in (path, copy / path.relative_to(output)))
        parted = np.abs(first.astype(int) - second)
        # Another batch is another program, whose sums XLA rounds in another order.
        assert parted.max() <= 1 and parted.mean() < 1e-3
    attack(*arguments, "--epsilon", "5")
    assert results_in(copy).quality.max_difference == 5
