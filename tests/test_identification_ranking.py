"""Where probes stand in a gallery, against their definitions and brute force in float64."""

import numpy as np
import pytest

from tipim_jax.identification import Standings, nearest, ranking, standings

TARGETS = np.array([2, 9])
DIM = 24


@pytest.fixture(scope="module")
def people():
    """Embeddings around one centre per identity; lengths far from 1, as networks give them."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(12, DIM))
    identities = [random.integers(0, 12, number) for number in (900, 40)]

    def around(identities):
        noisy = centres[identities] + 2 * random.normal(size=(len(identities), DIM))
        return (noisy * random.uniform(0.1, 40, (len(identities), 1))).astype(np.float32)

    gallery, probes = map(around, identities)
    return gallery, identities[0], probes, identities[1]


@pytest.fixture
def small_blocks(monkeypatch):
    """Galleries of hundreds of images take several blocks, and dozens of probes, too."""
    monkeypatch.setattr(ranking, "_GALLERY_BLOCK", 256)
    monkeypatch.setattr(ranking, "_PROBE_BLOCK", 16)
    monkeypatch.setattr(ranking, "_ALIGNMENT", 16)


def unit(embeddings):
    embeddings = embeddings.astype(np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def ranked(gallery, probe, excluded=()):
    """All gallery images, nearest first: one at a time, in float64, by the paper's distance."""
    one = unit(probe[None])[0]
    cosines = [float(np.dot(one, image)) for image in unit(gallery)]
    order = sorted(range(len(gallery)), key=lambda i: (2 - 2 * cosines[i], i))
    return [index for index in order if index not in excluded], cosines


def test_ranks_of_three_probes_worked_out_by_hand():
    """At angles of 0, 30, 60 and 90 degrees four images; the probes at 5, 50 and 85."""
    at = [[np.cos(np.radians(a)), np.sin(np.radians(a))] for a in (0, 30, 60, 90, 5, 50, 85)]
    gallery, probes = np.array(at[:4], np.float32), np.array(at[4:], np.float32)
    found = standings(
        gallery, np.array([7, 3, 4, 5]), probes, np.array([7, 5, 8]), np.array([3, 5])
    )
    assert found.own_rank.tolist()[:2] == [1, 3] and np.isnan(found.own_rank[2])
    assert found.target_rank.tolist() == [2, 2, 1]
    degrees = np.degrees(np.arccos(found.own_cosine[:2]))
    np.testing.assert_allclose(degrees, [5, 40], atol=0.01)
    assert np.isnan(found.own_cosine[2])
    np.testing.assert_allclose(np.degrees(np.arccos(found.target_cosine)), [25, 20, 5], atol=0.01)


@pytest.mark.parametrize("blocks", ["one", "several"])
def test_ranks_and_cosines_are_those_of_brute_force(people, blocks, request):
    if blocks == "several":
        request.getfixturevalue("small_blocks")
    gallery, identities, probes, own = people
    found = standings(gallery, identities, probes, own, TARGETS)
    for p, probe in enumerate(probes):
        order, cosines = ranked(gallery, probe)
        for wanted, rank, cosine in (
            ({int(own[p])}, found.own_rank[p], found.own_cosine[p]),
            (set(TARGETS.tolist()), found.target_rank[p], found.target_cosine[p]),
        ):
            first = next(n for n, i in enumerate(order) if int(identities[i]) in wanted)
            assert rank == first + 1
            assert cosine == pytest.approx(cosines[order[first]], abs=1e-6)
    assert (found.own_rank > 1).any() and (found.target_rank > 5).any()  # or nothing was tested


@pytest.mark.parametrize("count", [1, 5])
def test_ranks_tell_rank_n_as_it_is_defined(people, count):
    """Rank-N-T: a target is among the first N; Rank-N-UT: the true identity is not."""
    gallery, identities, probes, own = people
    gallery, identities = gallery[:83], identities[:83]
    found = standings(gallery, identities, probes, own, TARGETS)
    targeted, untargeted = found.target_rank <= count, found.own_rank > count
    for p, probe in enumerate(probes):
        top = {int(identities[i]) for i in ranked(gallery, probe)[0][:count]}
        assert bool(targeted[p]) == bool(top & set(TARGETS.tolist()))
        assert bool(untargeted[p]) == (int(own[p]) not in top)
    assert 0 < targeted.sum() < len(probes)  # both outcomes occur, or nothing was tested
    assert 0 < untargeted.sum() < len(probes)


def test_an_image_that_is_excluded_for_a_probe_is_not_there_for_it(people, small_blocks):
    """Its nearest image, say, of whomever; another probe finds it."""
    gallery, identities, probes, own = people
    excluded = np.array([ranked(gallery, probe)[0][0] for probe in probes])
    excluded[::3] = -1
    found = standings(gallery, identities, probes, own, TARGETS, excluded=excluded)
    for p, probe in enumerate(probes):
        order, cosines = ranked(gallery, probe, {excluded[p]})
        first = next(n for n, i in enumerate(order) if identities[i] == own[p])
        assert found.own_rank[p] == first + 1
        assert found.own_cosine[p] == pytest.approx(cosines[order[first]], abs=1e-6)
    everything = standings(gallery, identities, probes, own, TARGETS)
    assert (found.own_rank < everything.own_rank).any()
    assert (found.own_rank > everything.own_rank).any()


def test_whom_the_gallery_does_not_hold_has_no_rank(people):
    gallery, identities, probes, own = people
    found = standings(gallery, identities, probes, np.where(own < 6, 99, own), np.array([98]))
    np.testing.assert_array_equal(np.isnan(found.own_rank), own < 6)
    np.testing.assert_array_equal(np.isnan(found.own_cosine), own < 6)
    assert np.isnan(found.target_rank).all() and np.isnan(found.target_cosine).all()
    alone = standings(gallery, identities, probes, own, np.array([], int))
    assert np.isnan(alone.target_rank).all()


def test_excluding_the_only_image_of_a_person_leaves_none():
    gallery = np.eye(3, dtype=np.float32)
    found = standings(
        gallery, np.arange(3), gallery[:1], np.array([0]), np.array([1]), excluded=np.array([0])
    )
    assert np.isnan(found.own_rank[0]) and found.target_rank[0] == 1


def test_equally_near_images_are_ranked_by_index():
    gallery = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    probe = np.array([[3, 0]], np.float32)
    for who in range(4):
        found = standings(gallery, np.arange(4), probe, np.array([who]), np.array([3 - who]))
        assert (found.own_rank[0], found.target_rank[0]) == (who + 1, 4 - who)


@pytest.mark.parametrize("images", [300, 5000])
def test_of_duplicates_each_is_ranked_by_its_place(images):
    """Every image is there about five times, at random places, in several blocks."""
    random = np.random.default_rng(images)
    originals = random.normal(size=(images // 5, 64)).astype(np.float32)
    gallery = originals[random.integers(0, len(originals), images)]
    probes = random.normal(size=(7, 64)).astype(np.float32)
    for probe in probes:
        order, _ = ranked(gallery, probe)
        wanted = np.array(order)[random.integers(0, images, 5)]
        several = np.repeat(probe[None], 5, axis=0)
        found = standings(gallery, np.arange(images), several, wanted, np.array([-1]))
        assert found.own_rank.tolist() == [order.index(place) + 1 for place in wanted]


@pytest.mark.parametrize("first", [1, 83, 899])
def test_strangers_stand_behind_the_gallery_and_are_nobody(people, first, small_blocks):
    """As if they were in the gallery, under names that nobody asks for."""
    gallery, identities, probes, own = people
    names = identities.copy()
    names[first:] = -1
    expected = standings(gallery, names, probes, own, TARGETS)
    parts = gallery[first : first + 3], gallery[first + 3 :]
    found = standings(gallery[:first], identities[:first], probes, own, TARGETS, strangers=parts)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_nearest_images_have_the_ranks_that_a_search_gives_them(people):
    gallery, _, probes, _ = people
    found = nearest(gallery, probes, 3)
    for place in range(3):
        stand = standings(
            gallery, np.arange(len(gallery)), probes, found.index[:, place], np.array([-1])
        )
        np.testing.assert_array_equal(stand.own_rank, place + 1)
        np.testing.assert_allclose(stand.own_cosine, found.cosine[:, place], atol=1e-6)


def test_a_memory_map_of_half_precision_is_searched_as_the_numbers_it_holds(
    people, tmp_path, small_blocks
):
    gallery, identities, probes, own = people
    unit_gallery = unit(gallery).astype(np.float16)
    np.save(tmp_path / "gallery.npy", unit_gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    found = standings(mapped, identities, probes, own, TARGETS)
    expected = standings(unit_gallery.astype(np.float32), identities, probes, own, TARGETS)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gallery_is_read_a_block_at_a_time(people, small_blocks):
    gallery, identities, probes, own = people
    read = []

    class Recorded(np.ndarray):
        def __getitem__(self, rows):
            if isinstance(rows, slice):
                read.append(rows.indices(len(self))[:2])
            return super().__getitem__(rows)

    standings(gallery.view(Recorded), identities, probes[:9], own[:9], TARGETS)
    assert max(last - first for first, last in read) <= 256
    assert {last for _, last in read} >= {256, 512, 768, 900}


def test_no_probes_have_no_standings(people):
    gallery, identities, probes, own = people
    found = standings(gallery, identities, probes[:0], own[:0], TARGETS)
    assert all(values.shape == (0,) for values in found)


def test_lost_probes_stand_behind_everybody_who_is_known():
    before = Standings(*map(np.array, ([0.9, np.nan, 0.8], [1, np.nan, 2], [0.3] * 3, [4, 5, 6])))
    one = Standings(*(np.array([value]) for value in (0.5, 3.0, 0.4, 2.0)))
    after = before.lost_but(np.array([False, False, True]), one)
    np.testing.assert_array_equal(after.own_cosine, [-np.inf, np.nan, 0.5])
    np.testing.assert_array_equal(after.own_rank, [np.inf, np.nan, 3])
    np.testing.assert_array_equal(after.target_rank, [np.inf, np.inf, 2])


def test_what_cannot_be_searched_is_refused(people, small_blocks):
    gallery, identities, probes, own = people

    def search(gallery, probes):
        return standings(gallery, identities, probes, own, TARGETS)

    with pytest.raises(ValueError, match="gallery holds no image"):
        search(gallery[:0], probes)
    with pytest.raises(ValueError, match=r"\[900, 24\] and the probes are \[40, 5\]"):
        search(gallery, probes[:, :5])
    with pytest.raises(ValueError, match="embedding of a probe holds NaN"):
        search(gallery, probes * np.float32(np.nan))
    broken = gallery.copy()
    broken[[650, 690], 3] = np.inf, np.nan
    with pytest.raises(ValueError, match="gallery image 650 holds NaN or infinity"):
        search(broken, probes)
