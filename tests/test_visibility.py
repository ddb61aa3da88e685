"""Visibility of masks, and who is the same person, against float64 and closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import correlate1d, gaussian_filter

from tipim_jax import identification
from tipim_jax.identification.visibility import in_box


def test_embeddings_are_normalised_to_length_one_and_zeros_stay_zeros():
    unit = identification.normalise(jnp.array([[3.0, 4.0], [0.0, 0.0], [1e-9, 0.0]]))
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0], [1, 0]], atol=1e-7)


def test_people_are_grouped_by_what_the_recognisers_say_together():
    """Two recognisers; faces 0-1-2 are linked one by one, 3 is alone, 4 shares a photo with 0."""
    first = np.array(
        [
            [1.0, 0.8, 0.0, 0.1, 0.9],
            [0.8, 1.0, 0.7, 0.0, 0.0],
            [0.0, 0.7, 1.0, 0.2, 0.0],
            [0.1, 0.0, 0.2, 1.0, 0.0],
            [0.9, 0.0, 0.0, 0.0, 1.0],
        ]
    )
    second = first.copy()
    second[0, 3] = second[3, 0] = 0.7  # one is sure enough alone, both together are not
    says = identification.agreement([first, second], [0.5, 0.6])
    np.testing.assert_allclose(says[0, 1], ((0.8 - 0.5) / 0.5 + (0.8 - 0.6) / 0.4) / 2)
    different = np.zeros((5, 5), bool)
    assert identification.group_people(says, different).tolist() == [0, 0, 0, 1, 0]
    different[0, 4] = different[4, 0] = True
    assert identification.group_people(says, different).tolist() == [0, 0, 0, 1, 2]


@pytest.fixture(scope="module")
def photos():
    """Smooth pictures with edges and clipped areas, and the same with masks of at most 12."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:48, :64]
    waves = [np.sin(x / a + c) * np.cos(y / b) for a, b, c in ((7, 9, 0), (4, 13, 1), (19, 5, 2))]
    picture = 128 + 140 * np.stack(waves, axis=-1)
    picture[10:30, 20:40] -= 60
    original = np.clip(np.stack([picture, picture[::-1]]), 0, 255).astype(np.uint8)
    mask = random.integers(-12, 13, original.shape)
    return original, np.clip(original + mask, 0, 255).astype(np.uint8)


def wang_ssim(original, protected):
    """SSIM in float64 straight from Wang et al. 2004, eq. 13, with their window and constants."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()

    def local_mean(channel):
        blurred = correlate1d(correlate1d(channel, window, axis=0), window, axis=1)
        return blurred[5:-5, 5:-5]  # only windows that lie inside the image

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for a, b in zip(
        np.moveaxis(original, -1, 0).astype(np.float64),
        np.moveaxis(protected, -1, 0).astype(np.float64),
        strict=True,
    ):
        mean_a, mean_b = local_mean(a), local_mean(b)
        variances = local_mean(a * a) - mean_a**2 + local_mean(b * b) - mean_b**2
        covariance = local_mean(a * b) - mean_a * mean_b
        values.append(
            (2 * mean_a * mean_b + c1)
            * (2 * covariance + c2)
            / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
        )
    return np.mean(values)


def test_ssim_is_that_of_wang_2004(photos):
    expected = [wang_ssim(*pair) for pair in zip(*photos, strict=True)]
    np.testing.assert_allclose(identification.ssim(*photos), expected, atol=2e-5)


def test_psnr_and_ssim_are_those_of_scikit_image(photos):
    metrics = pytest.importorskip("skimage.metrics")
    for number, (original, protected) in enumerate(zip(*photos, strict=True)):
        psnr = metrics.peak_signal_noise_ratio(original, protected, data_range=255)
        ssim = metrics.structural_similarity(
            original,
            protected,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,  # with these three it is the definition of Wang et al.
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert identification.psnr(*photos)[number] == pytest.approx(psnr, abs=1e-4)
        assert identification.ssim(*photos)[number] == pytest.approx(ssim, abs=2e-5)


def test_published_mmd_is_the_official_sum_of_kernels_at_batch_size_1(photos):
    """In float64: k(p, p) + k(r, r) - 2 k(p, r), and k(p, p) is 1 for each of 19 widths."""
    original, protected = (p.astype(np.float64).reshape(len(p), -1) for p in photos)
    widths = [*(10.0**n for n in range(-6, 1)), 5, 10, 15, 20, 25, 30, 35, 100]
    widths += [1e3, 1e4, 1e5, 1e6]
    squared = ((original - protected) ** 2).sum(axis=1)
    expected = sum(2 - 2 * np.exp(-squared / (2 * width)) for width in widths)
    assert len(widths) == 19
    assert (expected < 2 * 19 - 0.1).all()  # some kernel is wide enough to see both images
    np.testing.assert_allclose(identification.published_mmd(*photos), expected, rtol=1e-5)
    np.testing.assert_array_equal(identification.published_mmd(photos[0], photos[0]), 0)


def test_psnr_is_that_of_the_mean_squared_difference(photos):
    original, protected = (p.astype(np.float64) for p in photos)
    expected = 10 * np.log10(255**2 / np.mean((original - protected) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(identification.psnr(*photos), expected, atol=1e-4)


def test_a_difference_of_at_most_twelve_forces_psnr_of_26_55_db(photos):
    bound = 20 * np.log10(255 / 12)
    assert (identification.psnr(*photos) >= bound).all()
    worst = np.full((1, 12, 12, 3), 100, np.uint8)
    np.testing.assert_allclose(identification.psnr(worst, worst + np.uint8(12)), bound, atol=1e-4)


def test_an_image_that_did_not_change_has_infinite_psnr_and_ssim_one(photos):
    original, protected = photos
    half_changed = np.stack([original[0], protected[1]])
    assert np.isposinf(identification.psnr(original, half_changed)).tolist() == [True, False]
    np.testing.assert_allclose(identification.ssim(original, original), 1, atol=1e-6)


def test_the_greatest_difference_counts_both_directions():
    original = np.array([[0, 250, 30]], np.uint8)
    assert identification.greatest_difference(original, np.array([[3, 239, 30]], np.uint8)) == 11
    assert identification.greatest_difference(original, np.array([[255, 250, 30]], np.uint8)) == 255


def test_quality_is_measured_on_saved_pixels_of_one_shape(photos):
    original, protected = photos
    with pytest.raises(ValueError, match=r"float64\[2, 48, 64, 3\], expected uint8"):
        identification.psnr(original / 255, protected)
    with pytest.raises(ValueError, match="must be one shape"):
        identification.psnr(original, protected[:1])
    with pytest.raises(ValueError, match="expected uint8"):
        identification.published_mmd(original / 255, protected)
    with pytest.raises(ValueError, match="at least 11x11 pixels, found 10x64"):
        identification.ssim(original[:, :10], protected[:, :10])


BOX = np.array([5.4, -6, 40, 41])  # of the pictures above columns 5 to 44 and rows 0 to 34


def test_what_is_seen_is_seen_in_the_box_alone(photos):
    original, protected = photos[0][0], photos[1][0]
    inside = original.copy()
    inside[:35, 5:45] = protected[:35, 5:45]
    found = identification.seen(original, inside, BOX)
    assert found == identification.seen(original, protected, BOX)
    error = np.mean((protected[:35, 5:45].astype(float) - original[:35, 5:45]) ** 2)
    assert found["box_psnr"] == pytest.approx(10 * np.log10(255**2 / error))


def test_dssim_is_that_of_wang_2004_in_the_box_to_the_last_digits(photos):
    for original, protected in zip(*photos, strict=True):
        expected = (1 - wang_ssim(in_box(original, BOX), in_box(protected, BOX))) / 2
        found = identification.seen(original, protected, BOX)
        assert found["dssim"] == pytest.approx(expected, abs=1e-12)


def test_patches_are_what_a_blur_leaves_of_colour_and_brightness():
    """Grain of one pixel is no patch; a grey cast is brightness alone, and a red one both."""
    original = np.full((100, 100, 3), 120, np.uint8)
    box = np.array([0, 0, 100, 100])
    grey = identification.seen(original, original + np.uint8(4), box)
    assert grey["brightness"] == pytest.approx(4) and grey["colour"] == pytest.approx(0, abs=1e-5)
    red = identification.seen(original, original + np.array([4, 0, 0], np.uint8), box)
    assert red["brightness"] == pytest.approx(4 * 0.299)
    assert red["colour"] == pytest.approx(4 * np.sqrt((0.168736**2 + 0.5**2) / 2), rel=1e-5)
    noise = np.random.default_rng(0).integers(-12, 13, (100, 100, 1))
    grain = identification.seen(original, (original + noise).astype(np.uint8), box)
    assert grain["brightness"] < 0.2 * np.std(noise)
    blurred = gaussian_filter(noise[..., 0].astype(float), 2, mode="mirror")
    assert grain["brightness"] == pytest.approx(np.sqrt(np.mean(blurred**2)), rel=0.01)


def test_nothing_is_seen_of_no_change_and_nothing_known_of_too_little(photos):
    original = photos[0][0]
    same = identification.seen(original, original, BOX)
    assert same == {"dssim": 0, "box_psnr": np.inf, "colour": 0, "brightness": 0}
    corner = identification.seen(original, photos[1][0], np.array([-50, -50, 60, 60]))
    assert np.isnan([*corner.values()]).all() and list(corner) == list(identification.SEEN)


def test_quality_has_the_mean_and_the_worst_face():
    each = {"dssim": np.array([0.01, 0.03, np.nan]), "box_psnr": np.array([30, np.inf, 40])}
    found = identification.quality(each)
    assert found["dssim"].value == pytest.approx(0.02) and found["worst_dssim"].value == 0.03
    assert found["box_psnr"].value == pytest.approx(35)
