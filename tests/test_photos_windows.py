"""Windows: how recognisers look at a face in a photo."""

import dataclasses
import math

import cv2
import numpy as np
import pytest

from tests.test_photos_alignment import placed, sampled
from tipim_jax import networks
from tipim_jax.datasets import bundled as people
from tipim_jax.networks.window import WINDOWS, Box, Chips, FivePoints
from tipim_jax.photos import TEMPLATE, Face, crop, look, read_photo, similarity, window_matrix

PHOTO = people.photos("Person_001")[0]


def face_of(matrix, box=(60.0, 70.0, 90.0, 120.0)):
    """The face whose five points a matrix takes to the template."""
    landmarks = (TEMPLATE - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return Face(np.array(box), landmarks, 1.0)


def through(matrix, *points):
    return np.array(points) @ matrix[:, :2].T + matrix[:, 2]


def smooth(height=250, width=250):
    y, x = np.mgrid[:height, :width]
    waves = [120 + 100 * np.sin(x / a + y / b) for a, b in ((31, 47), (-40, 25), (53, 60))]
    return np.stack(waves, -1).astype(np.uint8)


def test_five_points_are_the_canonical_crop():
    photo = read_photo(PHOTO).pixels
    matrix = placed(1.3, 20, (120, 110))
    seen = look(photo, face_of(matrix), FivePoints(), (112, 112))
    np.testing.assert_array_equal(seen, crop(photo, similarity(face_of(matrix).landmarks)))
    in_place = face_of(np.array([[1, 0, -40], [0, 1, -30.0]]))
    seen = look(photo, in_place, WINDOWS["five-points"], (112, 112))
    np.testing.assert_allclose(seen, photo[30:142, 40:152], atol=1e-3)


@pytest.mark.parametrize("size", [(50, 75), (100, 150)])
def test_the_region_of_five_points_fills_the_input(size):
    """Its corners, half a pixel outside the outermost centres, become the input's."""
    window = FivePoints(region=(20.0, 10.0, 70.0, 110.0))
    face = face_of(placed(1.7, -35, (140, 90)))
    top_left, bottom_right = ((10 - 0.5, 20 - 0.5), (110 - 0.5, 70 - 0.5))
    to_crop, to_input = similarity(face.landmarks), window_matrix(face, window, size)
    back = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))[:2]
    found = through(to_input, *through(back, top_left, bottom_right))
    np.testing.assert_allclose(found, [(-0.5, -0.5), (size[1] - 0.5, size[0] - 0.5)], atol=1e-9)


def test_a_box_is_what_is_cut_out_of_the_photo_and_resized():
    photo = smooth()
    face = Face(np.array([50.0, 40.0, 80.0, 120.0]), TEMPLATE, 1.0)
    expected = cv2.resize(photo[40:160, 50:130], (160, 160)).astype(float)
    seen = look(photo, face, Box(), (160, 160))
    assert np.abs(seen - expected)[2:-2, 2:-2].max() < 1.5
    # A margin of a half is a quarter on each side.
    expected = cv2.resize(photo[10:190, 30:150], (160, 160)).astype(float)
    seen = look(photo, face, Box(margin=0.5), (160, 160))
    assert np.abs(seen - expected)[2:-2, 2:-2].max() < 1.5


@pytest.mark.parametrize("size", [(112, 96), (96, 128)])
def test_a_letterboxed_box_keeps_its_shape_between_black_bars(size):
    photo = np.full((250, 250, 3), 200, np.uint8)
    face = Face(np.array([50.0, 40.0, 80.0, 120.0]), TEMPLATE, 1.0)
    seen = look(photo, face, Box(letterbox=True), size)
    scale = min(size[0] / 120, size[1] / 80)
    bars = [(side - scale * of_box) / 2 for side, of_box in zip(size, (120, 80), strict=True)]
    rows, columns = (seen.any(axis=(2, other)) for other in (1, 0))
    for shown, bar, side in zip((rows, columns), bars, size, strict=True):
        assert not shown[: math.floor(bar)].any() and not shown[side - math.floor(bar) :].any()
        assert shown[math.ceil(bar) : side - math.ceil(bar)].all()
    linear = window_matrix(face, Box(letterbox=True), size)[:, :2]
    np.testing.assert_allclose(linear, np.eye(2) * scale)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("degrees", [0, 17, -90, 180])
def test_windows_go_with_the_face(name, degrees):
    """When the photo is scaled and turned; a box that stays upright turns by quarters alone."""
    face = face_of(placed(1.1, 4, (120, 130)))
    moved = placed(0.6, degrees, (200, 80))
    middle, sides = face.box[:2] + face.box[2:] / 2 - 0.5, face.box[2:] / 0.6
    sides = sides[::-1] if degrees == -90 else sides
    box = np.concatenate([through(moved, middle)[0] + 0.5 - sides / 2, sides])
    after_face = Face(box, through(moved, *face.landmarks), 1.0)
    before, after = (window_matrix(one, WINDOWS[name], (112, 96)) for one in (face, after_face))
    turned_with_it = name in ("five-points", "eyes", "chips") or degrees != 17
    (photo_middle,) = through(np.linalg.inv(np.vstack([before, [0, 0, 1]]))[:2], (47.5, 55.5))
    points = [photo_middle, (10.0, 20.0), (200.0, 30.0)][: 3 if turned_with_it else 1]
    expected = through(before, *points)
    np.testing.assert_allclose(through(after, *through(moved, *points)), expected, atol=1e-9)
    if not turned_with_it:
        np.testing.assert_allclose(after[:, :2], before[:, :2] * 0.6)


def test_the_line_of_the_eyes_is_level_where_the_box_is_turned():
    landmarks = TEMPLATE + np.random.default_rng(0).normal(scale=3, size=(5, 2)) + 60
    matrix = window_matrix(Face(np.zeros(4), landmarks, 1.0), WINDOWS["eyes"], (112, 112))
    left, right = through(matrix, *landmarks[:2])
    assert right[0] > left[0] and left[1] == pytest.approx(right[1])
    # The five points as a whole are level in the canonical crop instead.
    left, right = through(similarity(landmarks), *landmarks[:2])
    assert abs(left[1] - right[1]) > 0.1


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_sampled_bilinearly_and_black_outside_the_photo(name):
    photo = smooth(90, 80)
    face = face_of(placed(0.9, 30, (20, 70)), box=(-30.0, 20.0, 70.0, 90.0))
    seen = look(photo, face, WINDOWS[name], (112, 112))
    assert seen.dtype == np.float32 and seen.shape == (112, 112, 3)
    expected = sampled(photo, window_matrix(face, WINDOWS[name], (112, 112)))
    assert (expected == 0).all(axis=-1).mean() > 0.05
    np.testing.assert_allclose(seen, expected, atol=0.1)


def test_a_face_outside_the_photo_is_black():
    face = face_of(placed(1, 0, (900, -900)))
    for window in (FivePoints(), Chips(), Box(place=(0.0, 0.0, 112.0, 112.0))):
        assert not look(smooth(), face, window, (96, 96)).any()


def test_chips_show_the_template_of_dlib():
    """What dlib's mean shape says of eyes, nose and mouth (interpolation.h), within its spread.

    With a padding of 0.25 a chip is 1.5 times the template's unit square.
    """
    # The means of points 36 to 41 and 42 to 47, and points 30, 48 and 54 of mean_face_shape.
    mean_shape = [(0.2255, 0.216), (0.7548, 0.216), (0.4901, 0.5156), (0.2541, 0.7802)]
    mean_shape.append((0.7261, 0.7802))
    expected = (np.array(mean_shape) + 0.25) / 1.5 * 150 - 0.5
    face = face_of(placed(1.2, 11, (130, 120)))
    found = through(window_matrix(face, Chips(), (150, 150)), *face.landmarks)
    assert np.abs(found - expected).max() < 4
    # Without padding only the template's square is left.
    close = through(window_matrix(face, Chips(padding=0.0), (150, 150)), *face.landmarks)
    np.testing.assert_allclose((close + 0.5) / 150, (found + 0.5) / 150 * 1.5 - 0.25, atol=1e-9)


@pytest.mark.parametrize("name", networks.names())
def test_every_network_looks_at_a_photo_in_the_size_that_it_takes(name):
    network = networks.get(name)
    face = face_of(placed(1.2, 5, (125, 125)))
    seen = look(read_photo(PHOTO).pixels, face, network.window, network.input_size)
    assert seen.shape == (*network.input_size, 3)
    eyes_and_mouth = through(
        window_matrix(face, network.window, network.input_size), *face.landmarks
    )
    assert (eyes_and_mouth > 0).all() and (eyes_and_mouth < network.input_size[::-1]).all()
    # A crop of 112 x 112 is taken as a canonical crop: where the input has that size too, both are
    # the same.
    if network.input_size == (112, 112):
        assert network.window.region == (0, 0, 112, 112)


def test_landmarks_that_are_one_point_are_refused():
    face = Face(np.array([1.0, 1.0, 5.0, 5.0]), np.ones((5, 2)), 1.0)
    for window in (FivePoints(), Chips(), WINDOWS["eyes"]):
        with pytest.raises(ValueError, match="cannot align landmarks"):
            window_matrix(face, window, (112, 112))


def test_windows_are_values():
    assert Box(margin=0.25) == WINDOWS["box"] and hash(Box(margin=0.25)) == hash(WINDOWS["box"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        WINDOWS["box"].margin = 1.0
