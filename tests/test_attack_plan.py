"""What the attack command says before it starts."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from tipim_jax.attack import plan, run, settings
from tipim_jax.attack.plan import FacesFound, roughly
from tipim_jax.console import Console
from tipim_jax.datasets import bundled
from tipim_jax.method import TipIm
from tipim_jax.photos import PhotoFile


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(plan, "cores", lambda: 2)


def test_it_says_what_it_will_do_and_how_long_that_takes(two_cores):
    fast = dataclasses.replace(settings.parse(["--preset", "fast"]), paths=())
    assert plan.plan(fast, 12, 0, "cpu") == [
        "12 photos, masks of preset fast, on 2 cores of the CPU",
        "about 6 s a face, 70 s with one in each photo; the first time up to two minutes more",
    ]
    assert plan.plan(fast, 1, 0, "cpu") == [
        "one photo, masks of preset fast, on 2 cores of the CPU",
        "about 10 s a face; the first time up to two minutes more",
    ]
    assert plan.plan(fast, 1000, 988, "cpu") == [
        "1,000 photos, 988 of them masked before, masks of preset fast, on 2 cores of the CPU",
        "about 6 s a face, 70 s with one in each photo; the first time up to two minutes more",
    ]
    strong = settings.parse(["--strength", "strong"])
    what, time = plan.plan(strong, None, 0, "gpu")
    assert what == "photos that arrive, masks of strength strong, on the GPU"
    assert "in each photo" not in time


def test_it_is_said_before_anything_is_loaded(two_cores, tmp_path, monkeypatch, capsys):
    def load_protector(given):
        said.append(capsys.readouterr().err)
        return SimpleNamespace(targets=SimpleNamespace(left_out={"a.jpg": "no face found"}))

    said = []
    monkeypatch.setattr(run, "backend", lambda: "cpu")
    monkeypatch.setattr(run, "load_protector", load_protector)
    given = settings.parse(["--preset", "fast", "--output", str(tmp_path)])
    files = bundled.demonstration_photos()[:3]
    files = [PhotoFile(path, Path(path.name)) for path in files]
    (tmp_path / files[1].source.name).write_bytes(b"protected")
    for index in (0, 1):
        process = SimpleNamespace(index=index, count=2)
        run.Run.begin(given, "tipim", Console(stderr=True), process, files)
    first, second = said
    assert first.splitlines() == plan.plan(given, 3, 1, "cpu")
    assert "photos" not in second, "of several processes one says it"


def test_what_takes_longer_is_said_to_take_longer(two_cores, monkeypatch):
    base = settings.parse(["--preset", "fast"])
    seconds = plan.seconds_for(base, "cpu", 8)
    assert 8 * 2.5 < seconds < 8 * 10, "measured: 5.2 s a face on 2 cores, docs/protection.md"
    assert 0.05 < plan.seconds_for(base, "gpu", 60) / 60 < 0.4, "0.13 s, docs/protection.md"
    assert plan.seconds_for(base, "cpu", 1) == plan.seconds_for(base, "cpu", 2), "a core a face"

    def with_method(**changes):
        method = dataclasses.replace(base.method, **changes)
        return plan.seconds_for(dataclasses.replace(base, method=method), "cpu", 8)

    assert with_method(iterations=80) == pytest.approx(2 * seconds)
    assert with_method(target_choice="search") > 5 * seconds
    fewer = dataclasses.replace(base, surrogate=("sface",))
    assert plan.seconds_for(fewer, "cpu", 8) == pytest.approx(seconds / 5)
    monkeypatch.setattr(plan, "cores", lambda: 8)
    assert plan.seconds_for(base, "cpu", 8) == pytest.approx(seconds / 4)
    assert plan.seconds_for(dataclasses.replace(base, method=TipIm.paper()), "cpu", 8) > 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (1.2, "1 s"),
        (7.4, "7 s"),
        (22.4, "20 s"),
        (47, "45 s"),
        (130, "2 min"),
        (3000, "50 min"),
        (7000, "2 h"),
        (360_000, "100 h"),
    ],
)
def test_a_guess_has_no_more_digits_than_it_deserves(seconds, said):
    assert roughly(seconds) == said


def test_the_time_grows_with_the_faces_that_are_found():
    said = []
    found = FacesFound(said.append, lambda faces: 10 * faces)
    for faces in (0, 2, 1):
        found(faces)
    assert said == [
        "2 faces to mask, found so far: about 20 s",
        "3 faces to mask, found so far: about 30 s",
    ]
