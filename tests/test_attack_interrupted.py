"""The attack command where something comes between: Ctrl-C, files that go, files of others."""

import pytest
from PIL import Image

from tests.attack_cases import FAST, attack, results_in
from tipim_jax.attack import run
from tipim_jax.engine import files
from tipim_jax.engine.journal import Journal
from tipim_jax.photos import UNSURE, FaceDetector
from tipim_jax.photos.detection import Found


@pytest.mark.thorough
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


@pytest.mark.thorough
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
