"""What people get is the same whatever the number of devices, with real networks, too."""

import dataclasses

import jax
import numpy as np
import pytest

from tests.method_toy import image_keys
from tipim_jax.datasets import bundled
from tipim_jax.engine import defaults
from tipim_jax.engine.protector import as_surrogate
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.method import Layout, TipIm, protect
from tipim_jax.photos import read_photo


@pytest.mark.slow
@pytest.mark.parametrize("name", defaults.SURROGATES)
def test_the_default_networks_round_the_same_on_one_device_and_on_two(name):
    devices = jax.local_devices()[:2]
    if len(devices) < 2:
        pytest.skip("one device")
    network = [as_surrogate(Recogniser.load(name))]
    photos = [bundled.photos(f"Person_00{number}")[0] for number in (2, 5)]
    faces = np.array([read_photo(photo).pixels[:112, :112] for photo in photos], np.float32)
    settings = dataclasses.replace(TipIm.strong(), iterations=3)
    layouts = [Layout.choose(network, faces, 1, devices[:count]) for count in (1, 2)]
    arguments = network, faces, faces, image_keys(0, 1), settings
    one, two = (protect(*arguments, layout=layout)[0] for layout in layouts)
    assert np.abs(one - faces).max() > 1
    np.testing.assert_array_equal(two, one)
