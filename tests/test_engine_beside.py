"""What the host does beside an accelerator, with a made-up device that works when it is told to."""

import dataclasses
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from tests.method_toy import crops, surrogate
from tipim_jax.engine import loop
from tipim_jax.engine.unfinished import Unfinished
from tipim_jax.method import Layout, TipIm

PATIENCE = 20  # seconds after which a test fails that else would wait for ever
SETTINGS = SimpleNamespace(iterations=12)


class Array:
    """Is there when the device has made it."""

    def __init__(self, made: Future):
        self.made = made

    def block_until_ready(self):
        self.made.result(PATIENCE)
        return self

    def is_ready(self):
        return self.made.done()

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.made.result(PATIENCE), dtype)


class Device:
    """Adds 1 to all images in each iteration, one call after the other.

    Attributes:
      calls: Of each the number of valid images and of iterations.
      before: Called with the number of each call before it is made.
    """

    platform = "gpu"

    def __init__(self, monkeypatch, before=lambda number: None):
        self.calls, self.before = [], before
        self._pool = ThreadPoolExecutor(1)
        monkeypatch.setattr(loop, "start", self.start)
        monkeypatch.setattr(loop, "advance", self.advance)

    def start(self, surrogates, images, targets, keys, settings, *, alignments, valid, layout):
        images = np.asarray(images)
        target = Array(self._pool.submit(np.zeros, len(images), int))
        return valid, SimpleNamespace(
            protected=Array(self._pool.submit(lambda: images)), target=target, begun=0
        )

    def advance(self, surrogates, valid, state, *, settings, count, layout, begun):
        assert begun == state.begun, "as it counts them itself"
        number = len(self.calls)
        self.calls.append((int(valid.sum()), count))

        def call():
            self.before(number)
            return np.asarray(state.protected) + count

        protected = Array(self._pool.submit(call))
        begun += count
        return SimpleNamespace(protected=protected, target=state.target, begun=begun), protected

    def masks(self, regions, *, size=2, **how):
        layout = SimpleNamespace(
            devices=(self,), replicate=lambda tree: tree, on_cpu=self.platform == "cpu"
        )
        targets, how = np.zeros((1, 2, 2, 3)), {"progress": lambda _: None, **how}
        return loop.masks([], regions, targets, SETTINGS, size=size, seed=0, layout=layout, **how)


class Cpu(Device):
    platform = "cpu"


def regions(count):
    for number in range(count):
        yield SimpleNamespace(pixels=np.full((4, 4, 3), number, np.uint8), matrix=np.eye(2, 3))


@pytest.mark.parametrize("kind", [Device, Cpu])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_masks_are_the_same_in_their_order_beside_whatever_device(kind, size, monkeypatch):
    device, done = kind(monkeypatch), []
    found = list(device.masks(regions(7), size=size, progress=done.append))
    assert len(found) == 7
    assert all((mask.values == SETTINGS.iterations).all() for mask in found)
    assert sum(done) == pytest.approx(7)
    batches = -(-7 // size)
    assert [count for _, count in device.calls] == [5, 5, 2] * batches


@pytest.mark.thorough
def test_masks_of_the_method_itself_are_the_same_to_the_last_byte_beside_a_device(monkeypatch):
    """A CPU that is taken for an accelerator, with two batches and one that is not full."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
    matrix = np.array([[2.8, 0, 0], [0, 2.8, 0]])
    settings = dataclasses.replace(TipIm(), iterations=7)
    surrogates = [surrogate(size=112)]
    layout = Layout(tuple(jax.local_devices()[:1]), 1, 2)

    def found(**how):
        return list(
            loop.masks(
                surrogates,
                [SimpleNamespace(pixels=pixels, matrix=matrix) for pixels in noise],
                crops(2, size=112),
                settings,
                size=2,
                seed=3,
                layout=layout,
                progress=lambda _: None,
                **how,
            )
        )

    one_after_the_other = found()
    monkeypatch.setattr(Layout, "on_cpu", False)
    beside = found(compiled=lambda fitting: None)
    assert len(beside) == 5 and all(np.abs(mask.values).max() > 1 for mask in beside)
    for mask, same in zip(beside, one_after_the_other, strict=True):
        np.testing.assert_array_equal(mask.values, same.values)
        assert mask.target == same.target


def test_while_a_batch_is_worked_on_the_next_one_is_prepared_and_the_last_one_is_taken(monkeypatch):
    asked, taken = threading.Event(), threading.Event()

    def before(call):
        if call == 2:  # the last one of the first batch
            assert asked.wait(PATIENCE), "the next faces were not asked for meanwhile"
        if call == 3:  # the first one of the second
            assert taken.wait(PATIENCE), "the masks of the first batch were not given meanwhile"

    def noted():
        for number, region in enumerate(regions(4)):
            if number == 3:
                asked.set()
            yield region

    device = Device(monkeypatch, before)
    for number, _ in enumerate(device.masks(noted())):
        if number == 1:
            taken.set()
    assert number == 3 and device.calls == [(2, 5), (2, 5), (2, 2)] * 2


def test_masks_do_not_wait_for_faces_that_are_not_found_yet(monkeypatch):
    found, taken = threading.Event(), 0

    def slowly():
        yield from regions(2)
        assert found.wait(PATIENCE), "the first masks were kept back"
        yield from regions(2)

    for _ in Device(monkeypatch).masks(slowly()):
        taken += 1
        if taken == 2:
            found.set()
    assert taken == 4


def test_a_device_has_a_call_queued_behind_the_one_that_it_works_on(monkeypatch):
    queued = []
    device = Device(monkeypatch, lambda number: two.wait(PATIENCE))
    two = threading.Event()
    advance = device.advance

    def noting(*arguments, **how):
        made = advance(*arguments, **how)
        queued.append(len(device.calls))
        if len(device.calls) == 2:
            two.set()
        return made

    monkeypatch.setattr(loop, "advance", noting)
    assert len(list(device.masks(regions(2)))) == 2
    assert queued == [1, 2, 3] and two.is_set()


def test_masks_that_are_made_are_given_before_the_error_of_the_next_faces(monkeypatch):
    broken, taken = threading.Event(), []

    def breaking():
        yield from regions(2)
        broken.set()
        raise RuntimeError("these faces are broken")

    def before(call):
        if call == 2:  # the last one of the first batch
            assert broken.wait(PATIENCE)
            time.sleep(0.02)  # for the error to be there when the batch is done

    masks = Device(monkeypatch, before).masks(breaking())
    with pytest.raises(RuntimeError, match="these faces are broken"):
        taken.extend(masks)
    assert len(taken) == 2


def test_of_a_batch_that_is_done_its_masks_alone_are_kept(monkeypatch):
    device, problems, alive = Device(monkeypatch), [], []
    begin = device.start

    def noting(*some, **how):
        alive.extend(problem() is not None for problem in problems)
        problem, state = begin(*some, **how)
        problems.append(weakref.ref(problem))
        return problem, state

    monkeypatch.setattr(loop, "start", noting)
    assert len(list(device.masks(regions(6)))) == 6
    assert alive == [False] * 3  # one of the first batch at the second's start, two at the third's


def test_who_stops_does_not_wait_for_faces(monkeypatch):
    stopped, waited_for = threading.Event(), []

    def endless():
        yield from regions(2)
        waited_for.append(not stopped.wait(PATIENCE))

    masks = Device(monkeypatch).masks(endless())
    next(masks)
    masks.close()
    assert not waited_for
    stopped.set()


def test_programs_are_made_while_the_first_faces_are_looked_for_and_fit(monkeypatch):
    began, layouts = threading.Event(), []

    def late():
        assert began.wait(PATIENCE), "nothing was compiled meanwhile"
        yield from regions(3)

    def prepare(surrogates, images, targets, settings, *, layout, alignments):
        assert (images.shape, alignments.shape) == ((2, 224, 224, 3), (2, 2, 3))
        began.set()
        return SimpleNamespace(**vars(layout), fewer=True)

    device = Device(monkeypatch)
    monkeypatch.setattr(loop, "prepare", prepare)
    monkeypatch.setattr(
        loop,
        "start",
        lambda *some, layout, **how: (
            layouts.append(layout) or device.start(*some, layout=layout, **how)
        ),
    )
    assert len(list(device.masks(late(), compiled=layouts.append))) == 3
    assert len(layouts) == 3 and all(layout.fewer for layout in layouts)


def test_a_device_waits_for_faces_and_for_who_takes_its_masks(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])

    def passing(seconds):
        now[0] += seconds

    def slowly():
        passing(1000)  # before there is a face
        for number, region in enumerate(regions(4)):
            passing(number)
            yield region

    waited = []
    for _ in Cpu(monkeypatch, lambda _: passing(50)).masks(slowly(), waited=waited.append):
        passing(10)
    assert waited == [1, 20 + 2 + 3]  # what comes after the last batch is not waited for


def test_a_batch_of_which_nothing_was_kept_is_begun_without_waiting_for_its_state(tmp_path):
    class Never:
        def __array__(self, dtype=None, copy=None):
            raise AssertionError("it was waited for")

    state = [Never()]
    assert Unfinished(tmp_path / "nothing").restore(state) == (state, 0)
