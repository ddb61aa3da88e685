"""What arrives in a folder is protected when it is whole."""

from types import SimpleNamespace

import pytest

from tests.report_cases import photo, results
from tipim_jax import report
from tipim_jax.attack import run, watch
from tipim_jax.attack.__main__ import main
from tipim_jax.attack.watch import arrivals
from tipim_jax.photos import PhotoError

JPEG = b"\xff\xd8\xff\xe0 as a photo begins"


class Folder:
    """Something is done to it between looks; then Ctrl-C is pressed."""

    def __init__(self, path, *done):
        self.path, self._done = path, iter(done)

    def wait(self):
        step = next(self._done, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    def write(self, name, content):
        return lambda: (self.path / name).write_bytes(content)

    def arrivals(self):
        """Names of the photos that arrive, and of what else does, each time."""
        return [
            (
                [file.source.name for file in found.photos],
                [file.source.name for file, _ in found.others],
            )
            for found, _ in arrivals(self.path, self.path / "protected", wait=self.wait)
        ]


def nothing():
    pass


def test_a_photo_arrives_once_when_its_size_is_still(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "there.jpg").write_bytes(JPEG)
    steps = [
        folder.write("new.jpg", JPEG[:9]),  # and there.jpg was still since the look before
        folder.write("new.jpg", JPEG[:12]),
        folder.write("new.jpg", JPEG),
        nothing,
        nothing,
    ]
    assert Folder(tmp_path, *steps).arrivals() == [(["there.jpg"], []), (["new.jpg"], [])]


def test_one_that_is_changed_arrives_again_and_one_that_goes_costs_nothing(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "gone.jpg").write_bytes(JPEG)
    steps = [
        (tmp_path / "gone.jpg").unlink,
        nothing,
        folder.write("a.jpg", JPEG + b"edited"),
        nothing,
        nothing,
    ]
    assert Folder(tmp_path, *steps).arrivals() == [(["a.jpg"], [])] * 2


def test_the_output_within_the_folder_is_no_arrival_and_other_files_are_named_once(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / "protected").mkdir()
    (tmp_path / "earlier" / ".tipim_jax").mkdir(parents=True)
    (tmp_path / "film.mov").write_bytes(b"a video")
    steps = [
        folder.write("protected/a.jpg", JPEG),
        nothing,
        folder.write("earlier/b.jpg", JPEG),
        nothing,
        nothing,
    ]
    assert Folder(tmp_path, *steps).arrivals() == [([], ["earlier", "film.mov"])]


def test_one_that_somebody_holds_open_waits_and_in_the_end_is_named(tmp_path, monkeypatch):
    """As on Windows while a file is copied, whose size is the whole file's from the beginning."""
    (tmp_path / "held.jpg").write_bytes(JPEG)
    held = [False] * 3 + [True]
    monkeypatch.setattr(watch, "_is_whole", lambda path: held.pop(0))
    assert Folder(tmp_path, *[nothing] * 6).arrivals() == [(["held.jpg"], [])]
    assert not held
    (tmp_path / "held.jpg").write_bytes(b"")  # one that stays empty
    monkeypatch.undo()
    few = Folder(tmp_path, *[nothing] * 5).arrivals()
    many = Folder(tmp_path, *[nothing] * (watch._PATIENCE + 5)).arrivals()
    assert (few, many) == ([], [(["held.jpg"], [])])


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(PhotoError, match="does not exist"):
        Folder(tmp_path / "none").arrivals()


def test_each_arrival_is_summed_up_and_the_worst_decides_the_status(tmp_path, monkeypatch, capsys):
    missed = [report.NotProtected("c.mov", "a video", failed=False)]
    batches = [results([photo(0)]), results([photo(1)], missed), results([photo(2)])]
    seen = []

    def begin(settings, command, console, process, files):
        seen.append((settings.watch, files))
        return SimpleNamespace(photos=lambda given, among: (given, {}))

    monkeypatch.setattr(run.Run, "begin", begin)
    monkeypatch.setattr(run, "arrivals", lambda *places: ((one, []) for one in batches))
    assert main(["--watch", str(tmp_path), "--output", str(tmp_path / "out"), "--seed", "1"]) == 3
    said = capsys.readouterr()
    assert said.out.count("protected: one face in one photo") == 3
    assert "not protected (1):\n  c.mov: a video\n" in said.out
    assert "report" not in said.out, "none is written"
    assert said.err.count("Ctrl-C ends it") == 4
    assert seen == [(tmp_path, None)]


def test_a_folder_cannot_be_watched_that_is_written_to(tmp_path, capsys):
    assert main(["--watch", str(tmp_path), "--output", str(tmp_path)]) == 1
    assert "expected another folder" in capsys.readouterr().err
