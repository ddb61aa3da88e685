"""The nearest images against brute force in float64, faiss, and what is known of equal images."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tipim_jax.identification import nearest, search

DIM = 24


@pytest.fixture
def small_blocks(monkeypatch):
    """Galleries of hundreds of images take several blocks, and dozens of probes, too."""
    jax.clear_caches()  # the sizes are not arguments of what has been compiled
    monkeypatch.setattr(search, "_GALLERY_BLOCK", 256)
    monkeypatch.setattr(search, "_SENT_BLOCK", 640)
    monkeypatch.setattr(search, "_PROBE_BLOCK", 8)
    yield
    jax.clear_caches()


def drawn(images, probes, dim=DIM):
    random = np.random.default_rng(images + probes)
    lengths = random.uniform(0.1, 40, (images, 1))
    gallery = (random.normal(size=(images, dim)) * lengths).astype(np.float32)
    return gallery, random.normal(size=(probes, dim)).astype(np.float32)


def with_duplicates(images, probes):
    """Every image is there about five times, at random places."""
    originals, wanted = drawn(images // 5 + 1, probes)
    return originals[np.random.default_rng(images).integers(0, len(originals), images)], wanted


def brute_force(gallery, probes, count):
    """Of each probe the first images by (cosine falling, index rising), and their cosines."""
    units = []
    for rows in (gallery, probes):
        rows = np.asarray(rows, np.float64)
        length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
        units.append(rows / np.where(length > 0, length, 1))
    # One image at a time: a matrix product need not treat all its columns alike.
    cosine = np.stack([(units[1] * image).sum(axis=1) for image in units[0]], axis=1)
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(cosine, order, axis=1)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray], ids=["streamed", "on the device"])
@pytest.mark.parametrize(
    ("images", "probes", "count"), [(1, 1, 1), (255, 3, 60), (601, 9, 200), (1999, 20, 10)]
)
def test_the_nearest_images_are_those_of_brute_force(images, probes, count, kind, small_blocks):
    for make in (drawn, with_duplicates):
        gallery, wanted = make(images, probes)
        expected, cosine = brute_force(gallery, wanted, count)
        found = nearest(kind(gallery), wanted, count)
        np.testing.assert_array_equal(found.index, expected)
        np.testing.assert_allclose(found.cosine, cosine, atol=1e-6)


def test_blocks_of_their_full_size_are_searched_as_well():
    gallery, wanted = with_duplicates(20_001, 5)
    found = nearest(gallery, wanted, 10)
    np.testing.assert_array_equal(found.index, brute_force(gallery, wanted, 10)[0])


def test_ties_at_cosine_zero_are_ordered_by_index_whatever_the_sign_of_zero():
    gallery = np.array([[-1, 0], [0.0, -1], [0, 0], [-0.0, -1], [0, 1], [1, 1]], np.float32)
    found = nearest(gallery, np.array([[2, 0], [-2, 0]], np.float32), 6)
    assert found.index.tolist() == [[5, 1, 2, 3, 4, 0], [0, 1, 2, 3, 4, 5]]


def test_a_gallery_with_fewer_images_than_wanted_leaves_the_last_places_empty():
    gallery, wanted = drawn(3, 4)
    found = nearest(gallery, wanted, 5)
    np.testing.assert_array_equal(found.index[:, :3], brute_force(gallery, wanted, 3)[0])
    assert (found.index[:, 3:] == -1).all()
    assert np.isneginf(found.cosine[:, 3:]).all()


def test_no_probes_find_nothing():
    found = nearest(drawn(9, 1)[0], np.zeros((0, DIM), np.float32), 2)
    assert found.index.shape == found.cosine.shape == (0, 2)


def test_a_memory_map_of_half_precision_is_searched_as_the_numbers_it_holds(tmp_path, small_blocks):
    gallery, wanted = drawn(1300, 6)
    np.save(tmp_path / "gallery.npy", gallery.astype(np.float16))
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    expected, _ = brute_force(gallery.astype(np.float16), wanted, 8)
    np.testing.assert_array_equal(nearest(mapped, wanted, 8).index, expected)


def test_a_streamed_gallery_is_read_once_and_a_block_at_a_time(small_blocks):
    gallery, wanted = drawn(1999, 3)
    read = []

    class Recorded(np.ndarray):
        def __getitem__(self, rows):
            read.append(rows.indices(len(self))[:2])
            return super().__getitem__(rows)

    nearest(gallery.view(Recorded), wanted, 4)
    assert max(last - first for first, last in read) <= 640
    assert [first for first, _ in read[1:]] == [last for _, last in read[:-1]]
    assert (read[0][0], read[-1][1]) == (0, 1999)


def test_memory_does_not_grow_with_the_gallery():
    """What the compiled search needs beside its arguments, for 10⁵ images and for 10⁶."""
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()[:1]), ("gallery",))
    probes = jax.ShapeDtypeStruct((2, 100, DIM), np.float32)
    needed = []
    for images in (100_000, 1_000_000):
        gallery = jax.ShapeDtypeStruct((images, DIM), np.float32)
        best = search._nothing(1, 2, 100, 10)
        compiled = search._search.lower(gallery, 0, images, probes, best, mesh, False).compile()
        needed.append(compiled.memory_analysis().temp_size_in_bytes)
    assert max(needed) < 1_000_000 * DIM * 4 / 2
    assert needed[1] == pytest.approx(needed[0], rel=0.05)


def test_approximate_search_finds_nineteen_of_twenty(small_blocks):
    gallery, wanted = drawn(1999, 40)
    expected, _ = brute_force(gallery, wanted, 10)
    found = nearest(gallery, wanted, 10, approximate=True)
    shared = [len(set(a) & set(b)) for a, b in zip(found.index, expected, strict=True)]
    assert sum(shared) >= 0.95 * expected.size
    assert (np.diff(found.cosine, axis=1) <= 0).all()


def test_faiss_finds_the_same_neighbours():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its bindings' types
        faiss = pytest.importorskip("faiss")
    gallery, wanted = drawn(9000, 50, dim=64)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(64)
    index.add(gallery)
    cosine, neighbours = index.search(wanted, 10)
    found = nearest(gallery, wanted, 10)
    np.testing.assert_array_equal(found.index, neighbours)
    np.testing.assert_allclose(found.cosine, cosine, atol=1e-6)


_ON_FOUR_DEVICES = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from tests.test_search import brute_force, drawn, with_duplicates
from tipim_jax.identification import nearest, search

search._GALLERY_BLOCK, search._SENT_BLOCK = 256, 384
devices = jax.local_devices()
assert len(devices) == 4
for make in (drawn, with_duplicates):
    for images in (3, 1000, 2501):
        gallery, probes = make(images, 9)
        expected, _ = brute_force(gallery, probes, 10)
        for kind in (np.asarray, jax.numpy.asarray):
            found = nearest(kind(gallery), probes, 10, devices=devices).index
            np.testing.assert_array_equal(found[:, :images], expected)
split = NamedSharding(Mesh(np.array(devices), "x"), PartitionSpec("x"))
gallery, probes = drawn(1000, 9)
found = nearest(jax.device_put(gallery, split), probes, 10)
np.testing.assert_array_equal(found.index, brute_force(gallery, probes, 10)[0])
"""


def test_a_gallery_that_is_split_among_devices_is_searched_as_if_it_were_whole():
    """In another process: this one has decided how many devices its processor is."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    done = subprocess.run(
        [sys.executable, "-c", _ON_FOUR_DEVICES],
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_searched_is_refused(small_blocks):
    gallery, wanted = drawn(700, 2)
    with pytest.raises(ValueError, match="gallery holds no image"):
        nearest(gallery[:0], wanted, 1)
    with pytest.raises(ValueError, match="count is 0, expected 1 or more"):
        nearest(gallery, wanted, 0)
    with pytest.raises(ValueError, match=r"\[700, 24\] and the probes are \[2, 5\]"):
        nearest(gallery, wanted[:, :5], 1)
    with pytest.raises(ValueError, match="embedding of a probe holds NaN"):
        nearest(gallery, wanted * np.float32(np.nan), 1)
    gallery[[650, 690], 3] = np.inf, np.nan
    for kind in (np.asarray, jnp.asarray):
        with pytest.raises(ValueError, match="gallery image 650 holds NaN or infinity"):
            nearest(kind(gallery), wanted, 1)
