"""How faces come into batches."""

import itertools
import math

import numpy as np
import pytest

from tipim_jax.engine.batches import dealt, most_of_run, size_of_batch


@pytest.mark.parametrize("group", [1, 4, 50])
def test_a_batch_is_hardly_larger_than_wanted_and_of_whole_groups(group):
    counts = (1, 2, 7, 50, 200), (1, 8, 47, 50, 100), (1, 2, 7, 8), (False, True)
    for faces, most, devices, free in itertools.product(*counts):
        size = size_of_batch(faces, most, devices=devices, group=group, padding_is_free=free)
        assert size <= group or size % group == 0
        wanted = min(faces, most)
        unit = max(devices, group if size > group else 1)
        assert wanted <= size < (most if free else min(most, 2 * wanted)) + unit


def test_a_cpu_has_one_size_for_all_that_is_more_than_a_face():
    sizes = [
        size_of_batch(faces, 8, devices=2, group=1, padding_is_free=True) for faces in range(99)
    ]
    assert sizes == [1, 1] + 97 * [8]


@pytest.mark.parametrize("devices", [1, 8])
def test_an_accelerator_has_few_sizes_and_several_batches_where_that_is_worth_it(devices):
    most = 256 * devices

    def of(faces):
        wanted = min(most, most_of_run(faces, devices))
        return size_of_batch(faces, wanted, devices=devices, group=1, padding_is_free=False)

    sizes = {faces: of(faces) for faces in range(1, 10_001)}
    assert len(set(sizes.values())) <= 2 + math.log2(most)
    for faces, size in sizes.items():
        if faces <= 64 * devices:
            assert faces <= size <= 2 * max(faces, devices)
        else:
            assert 64 * devices <= size <= max(64 * devices, faces / 4)
    assert sizes[20] == 32 and sizes[10_000] == most
    assert most_of_run(None, devices) == 64 * devices


@pytest.mark.parametrize(("size", "devices"), [(8, 2), (50, 8), (9, 4), (1, 1)])
def test_faces_are_dealt_out_evenly_to_the_shares_of_the_devices(size, devices):
    share = math.ceil(size / devices)
    for faces in range(1, size + 1):
        rows = dealt(faces, size, devices)
        assert len(set(rows)) == faces and min(rows) >= 0 and max(rows) < size
        held = np.bincount(rows // share)
        if faces <= (size - (devices - 1) * share) * devices:  # the last one has room too
            assert max(held) == math.ceil(faces / devices)
