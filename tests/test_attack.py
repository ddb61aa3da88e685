"""The command, used as its users use it: files in, files out, real networks and weights."""

import dataclasses
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from tipim_jax.attack import measure, run, settings
from tipim_jax.attack.__main__ import main
from tipim_jax.datasets import bundled as people
from tipim_jax.engine import files
from tipim_jax.engine.journal import Journal
from tipim_jax.engine.threads import ahead, threads
from tipim_jax.method import TipIm
from tipim_jax.photos import UNSURE, FaceDetector, read_photo
from tipim_jax.photos.detection import Found
from tipim_jax.report import Results

CONFIGS = Path(__file__).parents[1] / "configs"
# Few people and iterations: what is tested is the command, not how well it protects.
FAST = ["--surrogate", "mobileface", "--recogniser", "mobileface", "--iterations", "4"]


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Two single portraits of different people, two of them in one picture, and three bad files."""
    folder = tmp_path_factory.mktemp("album")
    first, second = (
        Image.fromarray(read_photo(people.photos(name)[0]).pixels)
        for name in ("Person_002", "Person_005")
    )
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    (folder / "holiday").mkdir()
    first.save(folder / "holiday" / "beach.jpg", exif=exif, quality=95)
    second.save(folder / "portrait.png")
    both = Image.new("RGB", (500, 250))
    both.paste(first, (0, 0))
    both.paste(second, (250, 0))
    both.save(folder / "both.png")
    Image.new("RGB", (200, 200), "green").save(folder / "meadow.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    (folder / "notes.txt").write_text("not a photo either")
    return folder


@pytest.fixture(scope="module")
def small_gallery(tmp_path_factory):
    """Four people: one of the album's, three others."""
    folder = tmp_path_factory.mktemp("gallery")
    for name in ("Person_005", "Person_010", "Person_020", "Person_063"):
        shutil.copytree(people.FOLDER / name, folder / name)
    return folder


def attack(*arguments, capsys=None):
    """Exit status, and what was printed."""
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr() if capsys else None


@pytest.fixture(scope="module")
def first_run(album, small_gallery, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "protected"
    arguments = [album, "--output", output, "--gallery", small_gallery, *FAST]
    arguments += ["--recogniser", "sface", "--format", "png"]  # pixels are compared with masks
    return attack(*arguments)[0], output, arguments


def results_in(output) -> Results:
    return Results.from_json((output / "results.json").read_text())


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
        assert 6 <= change.max() <= 12
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
    assert results.settings["iterations"] == 4 and results.settings["epsilon"] == 12.0
    assert results.surrogates == ("mobileface",)
    assert [(r.name, r.held_out) for r in results.recognisers] == [
        ("mobileface", False),
        ("sface", True),
    ]
    photos = {photo.input: photo for photo in results.photos}
    assert [len(photos[name].faces) for name in ("holiday/beach.jpg", "both.png")] == [1, 2]
    assert results.quality.max_difference <= 12
    for photo in results.photos:
        for face in photo.faces:
            assert face.psnr > 26.55 and 0 < face.ssim < 1
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


def test_a_file_of_somebody_else_is_not_overwritten_unless_asked(album, small_gallery, tmp_path):
    mine = tmp_path / "portrait.png"
    Image.new("RGB", (10, 10)).save(mine)
    content = mine.read_bytes()
    arguments = [album / "portrait.png", "--output", tmp_path, "--gallery", small_gallery, *FAST]
    assert attack(*arguments)[0] == 1
    assert mine.read_bytes() == content
    (missed,) = results_in(tmp_path).not_protected
    assert "--overwrite replaces it" in missed.reason
    assert attack(*arguments, "--overwrite")[0] == 0
    assert mine.read_bytes() != content


def test_after_ctrl_c_what_is_done_stays_and_the_next_run_goes_on(
    album, small_gallery, tmp_path, monkeypatch, capsys
):
    arguments = [album, "--output", tmp_path, "--gallery", small_gallery, *FAST]
    arguments += ["--batch-size", "1"]
    written = []

    def interrupted(journal, target, *rest):
        if written:
            raise KeyboardInterrupt
        written.append(target)
        announce(journal, target, *rest)

    announce = Journal.announce
    monkeypatch.setattr(Journal, "announce", interrupted)
    status, said = attack(*arguments, capsys=capsys)
    assert status == 130
    assert "1 of 3 photos are done" in " ".join(said.err.split())
    monkeypatch.undo()
    first = written[0].stat().st_ctime_ns
    assert attack(*arguments)[0] == 1
    assert written[0].stat().st_ctime_ns == first
    assert len(results_in(tmp_path).photos) == 3


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


def test_what_is_computed_ahead_comes_in_order_and_is_never_more_than_asked_for():
    begun, taken = [], 0
    most = 3

    def work(item):
        begun.append(item)
        assert len(begun) - taken <= most + 1  # the one that is handed over has been taken
        time.sleep(0.01 * (item % 3))
        return -item

    with threads(2) as pool:
        for result in ahead(work, range(12), pool, most):
            taken += 1
            assert result == 1 - taken
            time.sleep(0.005)
    assert taken == 12 and sorted(begun) == list(range(12))


def test_an_error_leaves_what_has_not_begun_undone():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.05)
        if item == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), threads(1) as pool:
        list(ahead(work, range(50), pool, 50))
    assert len(begun) < 10


@pytest.mark.thorough
def test_a_photo_that_is_gone_when_it_is_read_back_costs_one_line(
    album, small_gallery, tmp_path, monkeypatch
):
    def deleting(*arguments):
        written = write(*arguments)
        if written.saved.name == "portrait.png":
            written.saved.unlink()
        return written

    write = files._write
    monkeypatch.setattr(files, "_write", deleting)
    assert attack(album, "--output", tmp_path, "--gallery", small_gallery, *FAST)[0] == 1
    results = results_in(tmp_path)
    assert [photo.output for photo in results.photos] == ["both.png", "holiday/beach.jpg"]
    assert any("portrait.png" in missed.reason for missed in results.not_protected)


@pytest.mark.thorough
def test_a_photo_some_of_whose_faces_are_left_alone_does_not_count_as_protected(
    album, small_gallery, tmp_path, monkeypatch, capsys
):
    def half_sure(self, pixels):
        sure, unsure = find(self, pixels)
        return Found(sure[:1], unsure + sure[1:])

    find = FaceDetector.find
    monkeypatch.setattr(FaceDetector, "find", half_sure)
    photo = album / "both.png"
    status, said = attack(
        photo, "--output", tmp_path, "--gallery", small_gallery, *FAST, capsys=capsys
    )
    assert status == 1
    (written,), (missed,) = (getattr(results_in(tmp_path), n) for n in ("photos", "not_protected"))
    assert len(written.faces) == 1 and missed.input == written.input
    assert missed.reason == f"1 of its 2 faces: {UNSURE}"
    assert missed.reason in " ".join(said.out.split())


def test_ctrl_c_at_any_other_time_is_no_traceback_either(
    album, small_gallery, tmp_path, monkeypatch, capsys
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "measure", interrupted)
    arguments = [album, "--output", tmp_path, "--gallery", small_gallery, *FAST]
    status, said = attack(*arguments, capsys=capsys)
    assert status == 130
    assert "goes on from there" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["--epsilon", "300"], "epsilon is 300.0; expected a value in [0, 255]"),
        (["--batch-size", "0"], "--batch-size is 0; expected at least 1"),
        (["--config", "missing.toml"], "--config missing.toml cannot be read"),
        (["--targets", "EMPTY"], "holds no photos"),
        (["--gallery", "EMPTY"], "one folder for each person"),
        (["EMPTY"], "no photos in"),
        (["EMPTY"], "/trip[old] [/red]; expected JPEG"),
        (["--num-processes", "2"], "--coordinator, --num-processes and --process-id go together"),
        (["--output", "FILE"], "is no folder that can be written to"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(arguments, message, tmp_path, capsys):
    empty = tmp_path / "trip[old] [" / "red]"  # what Rich would read as markup
    empty.mkdir(parents=True)
    file = tmp_path / "file"
    file.touch()
    stands_for = {"EMPTY": empty, "FILE": file}
    arguments = [stands_for.get(argument, argument) for argument in arguments]
    status, said = attack("--output", tmp_path / "out", *arguments, capsys=capsys)
    assert status == 1
    assert message in " ".join(said.err.split())
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [["--surrogate", "facenoet"], ["--iterations", "many"]])
def test_an_unknown_network_or_no_number_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("examples:", "--surrogate", "--gamma", "--config", "mobileface, sface, dlib"):
        assert word in text


@pytest.mark.parametrize("name", settings.PRESETS)
def test_each_preset_has_a_configuration_file_that_says_the_same(name):
    by_file = settings.parse(["--config", str(CONFIGS / f"{name}.toml")])
    by_name = settings.parse(["--preset", name])
    assert by_file.method == by_name.method == settings.PRESETS[name]()
    assert by_file.surrogates == by_name.surrogates
    assert by_file.recognisers == by_name.recognisers
    assert dataclasses.replace(by_file, surrogate=(), config=None) == by_name


def test_published_variants_are_of_fewer_networks_unless_others_are_named():
    assert settings.parse(["--preset", "paper"]).surrogates == ("mobileface", "sface")
    assert len(settings.parse([]).surrogates) == 5
    named = settings.parse(["--preset", "paper", "--surrogate", "dlib"])
    assert named.surrogates == ("dlib",)


@pytest.mark.parametrize(
    ("kind", "expected"), [("cpu", "fast"), ("gpu", "strong"), ("tpu", "strong")]
)
def test_the_devices_decide_the_preset_where_nobody_names_one(
    kind, expected, monkeypatch, tmp_path
):
    """Once JAX has them: wheels that are installed say nothing of devices."""
    (tmp_path / "jax_cuda12_plugin").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tipim_jax.attack.__main__.backend", lambda: kind)
    given = []
    monkeypatch.setattr(
        "tipim_jax.attack.run.run", lambda settings, *others: given.append(settings)
    )
    file = tmp_path / "mine.toml"
    file.write_text("[method]\nepsilon = 7\n")
    method = settings.PRESETS[expected]()
    for arguments, wanted in (
        ([], method),
        (["--iterations", "3"], dataclasses.replace(method, iterations=3)),
        (["--config", str(file)], dataclasses.replace(method, epsilon=7.0)),
        (["--preset", "auto"], method),
        (["--preset", "official"], TipIm.official()),
        (["--config", str(CONFIGS / "fast.toml")], TipIm.fast()),
    ):
        assert main(arguments) == 0
        assert given[-1].method == wanted
    assert [one.preset for one in given] == [expected] * 4 + ["official", "fast"]


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "paper"\nsurrogate = ["dlib"]\nseed = 5\n[method]\nepsilon = 7\n')
    found = settings.parse(["--config", str(path), "--iterations", "3"])
    assert found.method == dataclasses.replace(TipIm.paper(), epsilon=7.0, iterations=3)
    assert found.surrogates == ("dlib",) and found.seed == 5
    assert settings.parse([f"--config={path}", "--surrogate", "sface"]).surrogates == ("sface",)
    assert settings.parse(["--preset", "paper"]).method == TipIm.paper()
    path.write_text('coordinator = "host:1"\nnum_processes = 2\nprocess_id = 0\noutput = "here"\n')
    found = settings.parse(["--config", str(path)])
    assert (found.coordinator, found.num_processes, found.process_id) == ("host:1", 2, 0)
    assert found.output == Path("here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epsilon = 8", "epsilon is no setting"),
        ("[method]\nepsilon = 'much'", r"epsilon is 'much'; expected a value of type float"),
        ("preset = 'best'", "preset is 'best'; expected one of fast, strong, economical"),
        ("= 3", "is no TOML"),
        ("[method]\nnorm = 'l7'", "norm is 'l7'"),
        ("surrogate = ['facenoet']", "facenoet"),
    ],
)
def test_a_mistake_in_a_configuration_file_is_named(text, message, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(settings.SettingsError, match=message):
        settings.parse(["--config", str(path)])


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
