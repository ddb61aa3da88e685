"""What is done around the device: by how many threads, for how many faces, in which order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cv2
import jax
import numpy as np
import pytest

from tipim_jax.attack import measure
from tipim_jax.backend import on_the_cpu
from tipim_jax.engine import batches, protector
from tipim_jax.engine.files import Outcome, _Writing
from tipim_jax.engine.found import FoundPhoto, MaskedPhoto
from tipim_jax.engine.stream import PhotoStream
from tipim_jax.engine.threads import Crew, threads
from tipim_jax.method import TipIm
from tipim_jax.photos import PhotoError

PATIENCE = 20  # seconds after which a test fails that else would wait for ever


@pytest.mark.parametrize("faces", [[1, 1, 1], [3, 0, 2, 1, 5], [12]])
def test_work_on_faces_adds_up_to_their_photos(faces):
    done = []
    photos = [FoundPhoto(None, None, "", (None,) * n, (None,) * n) for n in faces]
    stream = PhotoStream(photos, (), done.append)
    assert len(list(stream.regions())) == sum(faces)
    for _ in range(7):
        stream.advance(sum(faces) / 7)
    assert sum(done) == pytest.approx(len(faces)) and min(done) >= 0


@pytest.mark.parametrize(
    ("kind", "cores", "crew"),
    [
        ("cpu", 1, (1, 1, 1, False)),
        ("cpu", 2, (1, 1, 1, False)),
        ("cpu", 64, (8, 1, 1, False)),
        ("gpu", 1, (1, 1, 1, True)),
        ("gpu", 16, (10, 4, 16, True)),
        ("tpu", 96, (60, 24, 96, True)),
    ],
)
def test_cores_that_are_no_device_work_beside_it(kind, cores, crew):
    assert Crew.of(kind, cores) == crew


def made_up(monkeypatch, on_cpu):
    """A protector that makes no masks, and a list of how it would have."""
    asked, one = [], object.__new__(protector.Protector)
    one._on_cpu, one._surrogates, one.method, one.seed = on_cpu, (), TipIm.fast(), 0
    one.targets = SimpleNamespace(names=(), crops=np.zeros((10, 112, 112, 3)))
    one.batch_size, one._several = 8 if on_cpu else 256, not on_cpu

    def masks(_, regions, *__, size, compiled, **___):
        asked.append((size, compiled is not None))
        if compiled:
            compiled("a layout")
        yield from regions

    monkeypatch.setattr(protector, "masks", masks)
    monkeypatch.setattr(batches.Layout, "choose", lambda *_: "another")
    return one, asked


@pytest.mark.parametrize(("on_cpu", "taken", "size"), [(False, 0, 32), (True, 2, 8)])
def test_a_run_of_known_length_does_not_wait_for_faces_to_begin(on_cpu, taken, size, monkeypatch):
    photos, (one, asked) = iter(range(100)), made_up(monkeypatch, on_cpu)
    monkeypatch.setattr(PhotoStream, "regions", lambda _: ())
    found = (SimpleNamespace(faces=(1,), number=number) for number in photos)
    list(one.masked(found, expected=20))
    assert asked == [(size, not on_cpu)] and next(photos) == taken
    assert one.layout(size) == ("another" if on_cpu else "a layout")


@pytest.mark.parametrize("given", [list, iter])
def test_of_photos_without_faces_nothing_is_compiled(given, monkeypatch):
    one, asked = made_up(monkeypatch, on_cpu=False)
    photos = [FoundPhoto(None, None, "", (), ()) for _ in range(3)]
    masked = list(one.masked(given(photos), expected=3))
    assert asked == [(1, False)] and [one.photo for one in masked] == photos


def test_an_accelerator_takes_all_faces_of_a_few_photos_together():
    sizes = batches.Sizes(256, several=True, devices=1, group=1, on_cpu=False)
    for many, expected in (([30], 32), ([20, 0, 1], 32), ([1], 1), ([40, 40, 40], 64)):
        photos = [SimpleNamespace(faces=(None,) * faces) for faces in many]
        again, size = sizes.begin(iter(photos), len(photos), one_size=False)
        assert list(again) == photos and size == expected


@pytest.mark.parametrize(("on_cpu", "size"), [(False, 32), (True, 8)])
def test_a_batch_of_one_size_is_laid_out_once_and_results_say_how(on_cpu, size, monkeypatch):
    chosen = []
    monkeypatch.setattr(
        batches.Layout, "choose", lambda _, crops, count: chosen.append(crops) or f"of {crops}"
    )
    one = object.__new__(protector.Protector)
    one._on_cpu, one._surrogates, one.dtype, one.method = on_cpu, (), "bfloat16", TipIm.fast()
    one.targets = SimpleNamespace(crops=np.zeros((10, 112, 112, 3)))
    one.batch_size = 8 if on_cpu else 256
    for _ in range(3):  # as what is free in its memory differs, others would be other programs
        assert one.layout(32) == one.layout(32)
    assert len(chosen) == 1
    layout = f"of {jax.ShapeDtypeStruct((size, 112, 112, 3), np.float32)}"
    assert one.work == {"batch_size": size, "dtype": "bfloat16", "layout": layout}


def test_after_ctrl_c_a_few_photos_are_written_and_no_more():
    writing, last, outcome = threading.Event(), threading.Event(), Outcome()

    def write(masked):
        writing.set()
        assert last.wait(PATIENCE)
        return masked.photo.source

    with ThreadPoolExecutor(1) as pool:
        one = _Writing(pool, write, outcome, most=100)
        for number in range(60):
            one.add(MaskedPhoto(SimpleNamespace(source=number), (), ()))
        assert writing.wait(PATIENCE)
        one._under_way[-1][1].add_done_callback(lambda _: last.set())  # when it is cancelled
        one.stop()
    assert list(outcome.photos) == list(range(16))


def test_small_things_are_computed_on_the_host(monkeypatch):
    host = jax.local_devices(backend="cpu")[0]
    with on_the_cpu():
        assert jax.config.jax_default_device is None
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with on_the_cpu():
        assert jax.config.jax_default_device == host
    monkeypatch.setattr(jax, "local_devices", lambda **_: (_ for _ in ()).throw(RuntimeError))
    with on_the_cpu():
        assert jax.config.jax_default_device is None


@pytest.mark.parametrize("readers", [1, 5])
def test_saved_photos_are_shown_in_their_order_however_many_are_read_at_once(readers, monkeypatch):
    together = threading.Barrier(readers)

    def read_back(photo, detector, *, with_pictures):
        if photo.number < readers:  # no more are begun before the first is done
            together.wait(PATIENCE)
        if photo.number == 3:
            raise PhotoError("it is gone")
        return photo, [("before", photo.number)], [("after", photo.number), None]

    crew = Crew(1, 1, readers, one_core_each=False)
    monkeypatch.setattr(measure.Crew, "here", lambda: crew)
    monkeypatch.setattr(measure, "read_back", read_back)
    photos = [SimpleNamespace(number=n, file=SimpleNamespace(relative=n)) for n in range(9)]
    album = measure._Album(photos, None, SimpleNamespace(add=lambda *_: lambda _: None))
    others = [0, 1, 2, 4, 5, 6, 7, 8]
    assert list(album.faces()) == [(when, n) for n in others for when in ("before", "after")]
    assert album.saved == [photos[n] for n in others]
    assert album.is_protected == [False, True] * 8
    assert [one.reason for one in album.failed] == ["it is gone"]


def test_opencv_takes_one_core_a_call_where_threads_have_the_others():
    before = cv2.getNumThreads()
    with threads(2, one_core_each=True) as pool:
        assert pool.submit(cv2.getNumThreads).result() == 1
    assert cv2.getNumThreads() == before
    with threads(2) as pool:
        assert pool.submit(cv2.getNumThreads).result() == before
