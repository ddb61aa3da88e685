"""How faces come into batches."""

import itertools
import math

import numpy as np
import pytest

from tipim_jax.engine.loop import _dealt, size_of_batch


@pytest.mark.parametrize("group", [1, 4, 50])
def test_a_batch_is_hardly_larger_than_wanted_and_of_whole_groups(group):
    counts = (1, 2, 7, 50, 200), (1, 8, 47, 50, 100), (1, 2, 7, 8), (False, True)
    for faces, most, devices, free in itertools.product(*counts):
        size = size_of_batch(faces, most, devices=devices, group=group, padding_is_free=free)
        assert size <= group or size % group == 0
        wanted = min(faces, most)
        unit = max(devices, group if size > group else 1)
        assert wanted <= size < (most if free else wanted) + unit


@pytest.mark.parametrize(("size", "devices"), [(8, 2), (50, 8), (9, 4), (1, 1)])
def test_faces_are_dealt_out_evenly_to_the_shares_of_the_devices(size, devices):
    share = math.ceil(size / devices)
    for faces in range(1, size + 1):
        rows = _dealt(faces, size, devices)
        assert len(set(rows)) == faces and min(rows) >= 0 and max(rows) < size
        held = np.bincount(rows // share)
        if faces <= (size - (devices - 1) * share) * devices:  # the last one has room too
            assert max(held) == math.ceil(faces / devices)
