"""The restorer learns from pairs, goes on where it was stopped, and changes faces alone."""

import sys

import numpy as np
import pytest

from benchmarks import restorer
from benchmarks.restoring import Training, restored, train
from tipim_jax.datasets import bundled as people
from tipim_jax.photos import read_photo, region

SMALL = Training(steps=80, batch=4, part=16, features=8, rate=5e-3)


@pytest.fixture(scope="module")
def pairs():
    """Smooth faces, and the same with a pattern that is the same in all."""
    random = np.random.default_rng(0)
    colours = random.integers(40, 200, (12, 1, 1, 3))
    clean = colours + np.linspace(0, 30, 24, dtype=int)[:, None, None] + np.zeros((24, 24, 3), int)
    pattern = 8 * (-1) ** np.add.outer(np.arange(24), np.arange(24))[..., None]
    return (clean + pattern).astype(np.uint8), clean.astype(np.uint8)


@pytest.mark.thorough
def test_it_takes_a_pattern_off_and_goes_on_where_it_was_stopped(pairs, tmp_path):
    protected, clean = pairs
    restore = train(*pairs, SMALL, tmp_path / "whole")
    found = restore(protected[-2:])
    assert np.abs(found - clean[-2:]).mean() < 3 < np.abs(protected[-2:] - 1.0 * clean[-2:]).mean()

    done = []

    def stop(steps):
        done.append(steps)
        if len(done) == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*pairs, SMALL, tmp_path / "stopped", save_every=10, progress=stop)
    rest = []
    again = train(*pairs, SMALL, tmp_path / "stopped", save_every=10, progress=rest.append)
    assert rest == [20] + [1] * 60
    np.testing.assert_array_equal(again(protected[-2:]), found)
    ready = []
    train(*pairs, SMALL, tmp_path / "whole", progress=ready.append)
    assert ready == [80]


def test_it_is_shown_faces_and_the_rest_of_the_photo_stays(detector):
    portrait = read_photo(people.photos("Person_001")[0]).pixels
    photo = np.zeros((300, 700, 3), np.uint8)
    photo[20:270, 20:270] = photo[20:270, 320:570] = portrait
    found = restored(photo, detector, lambda pixels: pixels + 3)
    moved = np.abs(found.astype(int) - photo).max(axis=2)
    expected = np.zeros(moved.shape, int)
    for face in detector.detect(photo):
        place = region(photo, face.matrix)
        (row, column), side = place.corner, place.side
        expected[max(0, row) : row + side, max(0, column) : column + side] += 3
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(moved, np.minimum(expected, 255 - photo.min(axis=2)))
    empty = np.full((100, 100, 3), 90, np.uint8)
    np.testing.assert_array_equal(restored(empty, detector, lambda pixels: pixels + 3), empty)


def test_people_whom_it_trains_on_are_not_judged(tmp_path, monkeypatch, capsys):
    for folder, name in (("protected", "A"), ("clean", "A"), ("others", "B"), ("others", "A")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / f"{name}_0001.jpg").touch()
    places = {"protected": "protected", "clean": "clean", "gallery": "clean"}
    places |= {"others-protected": "others", "others-clean": "others"}
    arguments = [f"--{flag}={tmp_path / folder}" for flag, folder in places.items()]
    monkeypatch.setattr(sys, "argv", ["restorer", *arguments])
    monkeypatch.setattr(restorer.Recogniser, "load", lambda name: None)
    with pytest.raises(SystemExit):
        restorer.main()
    assert "both hold photos of A: a restorer" in " ".join(capsys.readouterr().err.split())
