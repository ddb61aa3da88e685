"""The record of what an output folder holds: nothing of ours is foreign, nothing of theirs ours."""

import hashlib

import numpy as np
import pytest

from tipim_jax.engine.found import FaceOutcome
from tipim_jax.engine.journal import Journal
from tipim_jax.photos import Face, write_whole

OUTCOME = FaceOutcome(
    Face(np.arange(4, dtype=np.float32), np.ones((5, 2), np.float32), 0.9), "Person_061", True
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "me.jpg"
    path.write_bytes(b"a photo")
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out" / "me.png"


def journal(tmp_path, decides="settings"):
    return Journal(tmp_path / "out", decides)


def written(journal, source, target, content=b"protected", *, kill=None):
    """As the engine writes; `kill` names the step before which the process dies."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if kill == "journal":
        return
    journal.announce(target, source, digest, content, [OUTCOME])
    if kill == "photo":
        return
    with write_whole(target) as stream:
        stream.write(content)


def test_what_is_written_whole_is_done_and_its_faces_are_known(tmp_path, source, target):
    assert journal(tmp_path).state(source, target) == "to do"
    written(journal(tmp_path), source, target)
    assert journal(tmp_path).state(source, target) == "done"
    (face,) = journal(tmp_path).read(target).faces
    assert face.target == "Person_061" and face.protected and face.face.score == 0.9
    np.testing.assert_array_equal(face.box, OUTCOME.box)
    np.testing.assert_array_equal(face.face.landmarks, OUTCOME.face.landmarks)


@pytest.mark.parametrize("kill", ["journal", "photo"])
def test_killed_at_any_step_a_photo_is_to_be_done_again(tmp_path, source, target, kill):
    written(journal(tmp_path), source, target, kill=kill)
    assert journal(tmp_path).state(source, target) == "to do"


@pytest.mark.parametrize("kill", ["journal", "photo"])
def test_killed_while_it_is_made_anew_the_older_one_stays_ours(tmp_path, source, target, kill):
    written(journal(tmp_path), source, target)
    other = journal(tmp_path, "other settings")
    written(other, source, target, b"protected otherwise", kill=kill)
    assert other.state(source, target) == "to do"
    written(other, source, target, b"protected otherwise", kill=kill)
    assert other.state(source, target) == "to do"
    written(other, source, target, b"protected otherwise")
    assert other.state(source, target) == "done"


def test_what_was_changed_since_is_not_ours_any_more(tmp_path, source, target):
    written(journal(tmp_path), source, target)
    target.write_bytes(b"edited by its owner")
    assert journal(tmp_path).state(source, target) == "foreign"


def test_what_somebody_else_wrote_is_foreign(tmp_path, source, target):
    target.parent.mkdir()
    target.write_bytes(b"a picture of theirs")
    assert journal(tmp_path).state(source, target) == "foreign"


def test_another_source_or_other_settings_are_to_be_done(tmp_path, source, target):
    written(journal(tmp_path), source, target)
    assert journal(tmp_path, "other settings").state(source, target) == "to do"
    source.write_bytes(b"another photo")
    assert journal(tmp_path).state(source, target) == "to do"


def test_a_damaged_record_makes_a_file_foreign_rather_than_lost(tmp_path, source, target):
    written(journal(tmp_path), source, target)
    (place,) = (tmp_path / "out" / ".tipim_jax").rglob("*.json")
    place.write_text("{")
    assert journal(tmp_path).state(source, target) == "foreign"


def test_the_copy_of_another_photo_is_not_replaced(tmp_path, source, target):
    written(journal(tmp_path), source, target)
    elsewhere = tmp_path / "album" / "me.jpg"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"another photo")
    assert journal(tmp_path).state(elsewhere, target) == "another's"
    assert journal(tmp_path, "other settings").state(elsewhere, target) == "another's"
    elsewhere.write_bytes(source.read_bytes())  # moved
    assert journal(tmp_path).state(elsewhere, target) == "done"
    source.write_bytes(b"a photo, edited")
    assert journal(tmp_path).state(source, target) == "to do"
    record = target.parent / ".tipim_jax" / "me.png.json"
    assert str(tmp_path) not in record.read_text(), "it may be posted"
