"""What a judge says, against a search by hand."""

import numpy as np
import pytest

from tipim_jax import networks
from tipim_jax.identification import (
    FARS,
    FIGURES,
    Judge,
    Roster,
    changes,
    own_threshold,
    psnr,
    quality,
)

SIZE, DIM = 12, 8
NETWORK = networks.get("sface")
GALLERY, TARGETS, PROBES = "AABBCCDDEEFFXXYYGHIJ", "XY", "ABCDEF"


def embeddings(people, seed):
    """Random ones, around one centre per person."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(128, DIM))
    noise = random.normal(size=(len(people), DIM))
    return (centres[[ord(person) for person in people]] + 2 * noise).astype(np.float32)


def made(gallery=GALLERY, targets=TARGETS, probes=PROBES, complete=False, **more):
    roster = Roster.of(gallery, targets, probes, complete=complete)
    people = (*gallery, *targets, *probes)
    return Judge.of(NETWORK, roster, embeddings(people, 3), **{"fars": FARS} | more)


def judged(judge, probes):
    return judge.recognition(judge.standings(probes), held_out=True)


def unit(embeddings):
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


@pytest.fixture
def probes():
    return embeddings(PROBES, 4)


def test_figures_are_those_of_a_search_by_hand(probes):
    judge = made()
    found = judged(judge, probes)
    faces = embeddings((*GALLERY, *TARGETS, *PROBES), 3)
    people = np.array(list(GALLERY))
    cosines = unit(probes) @ unit(faces[: len(people)]).T
    ranked = people[np.argsort(-cosines, axis=1, kind="stable")]
    own = np.array(list(PROBES))[:, None]
    is_own, is_target = ranked == own, np.isin(ranked, [*TARGETS])
    for n in (1, 5):
        assert found.figures[f"rank{n}_ut"].value == np.mean(~is_own[:, :n].any(axis=1))
        assert found.figures[f"rank{n}_t"].value == np.mean(is_target[:, :n].any(axis=1))
    np.testing.assert_allclose(
        found.cmc, [is_own[:, :n].any(axis=1).mean() for n in range(1, len(found.cmc) + 1)]
    )
    assert len(found.cmc) == 20
    best = np.where(people == own, cosines, -2).max(axis=1)
    assert found.figures["own_cosine"].value == pytest.approx(best.mean(), abs=1e-5)
    best_target = cosines[:, np.isin(people, [*TARGETS])].max(axis=1)
    assert found.figures["target_cosine"].value == pytest.approx(best_target.mean(), abs=1e-5)
    assert found.figures["recognised"].value == np.mean(best >= NETWORK.threshold)
    assert 0 < found.figures["recognised"].value < 1

    among = unit(faces[: len(people)]) @ unit(faces[: len(people)]).T
    impostors = np.sort(among[np.triu(people[:, None] != people)])[::-1]
    for far in FARS:
        threshold = impostors[int(far * len(impostors))]
        assert found.figures[f"success_far_{far:g}"].value == np.mean(best <= threshold)


def test_beside_each_threshold_stands_what_chance_gives_among_all_faces():
    judge = made()
    faces = unit(embeddings((*GALLERY, *TARGETS, *PROBES), 3))
    people = np.array([*GALLERY, *TARGETS, *PROBES])
    different = np.triu(people[:, None] != people)
    cosines = (faces @ faces.T)[different]
    assert judge.thresholds["recognised"].cosine == NETWORK.threshold
    for threshold in judge.thresholds.values():
        expected = (cosines >= threshold.cosine).mean()
        assert threshold.false_match_rate == pytest.approx(expected, abs=1e-9)
    assert judge.thresholds["recognised"].false_match_rate > 0
    assert judged(judge, embeddings(PROBES, 4)).thresholds == judge.thresholds


def test_of_one_person_alone_there_is_no_false_match_rate():
    judge = made("AA", "", "A", fars=())
    assert judge.thresholds["recognised"].false_match_rate is None
    with pytest.raises(ValueError, match="one person alone"):
        made("AA", "", "A")


def test_an_interval_holds_its_value_and_rank_5_protects_no_better_than_rank_1(probes):
    found = judged(made(), probes)
    assert found.figures.keys() == FIGURES.keys()
    for figure in found.figures.values():
        assert figure.low <= figure.value <= figure.high
        assert figure.low < figure.high
    assert found.figures["rank5_ut"].value <= found.figures["rank1_ut"].value
    assert found.figures["rank5_t"].value >= found.figures["rank1_t"].value


def test_a_probe_that_is_itself_in_the_gallery_is_found_there():
    probes = embeddings("ABC", 1)
    judge = Judge.of(NETWORK, Roster.of("ABC", "", "ABC"), np.concatenate([probes, probes]))
    found = judged(judge, probes)
    assert found.figures["rank1_ut"].value == 0
    assert found.figures["own_cosine"].value == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("targets", ["", "Z"])
def test_without_targets_in_the_gallery_there_is_no_figure_about_them(targets, probes):
    found = judged(made(targets=targets), probes)
    for name in ("rank1_t", "rank5_t", "target_cosine"):
        assert found.figures[name] is None
    assert found.figures["rank1_ut"] is not None


def test_people_whom_the_gallery_does_not_hold_count_in_no_share_about_themselves():
    probes = embeddings("ABQ", 4)
    found, known = judged(made(probes="ABQ"), probes), judged(made(probes="AB"), probes[:2])
    for name in ("rank1_ut", "rank5_ut", "recognised", "own_cosine"):
        assert found.figures[name] == known.figures[name]
    assert found.cmc == known.cmc
    values = made(probes="ABQ").values(made(probes="ABQ").standings(probes))
    assert np.isnan(values["rank1_ut"]).tolist() == [False, False, True]
    assert not np.isnan(values["rank1_t"]).any()
    nobody = judged(made(probes="Q"), probes[2:])
    assert nobody.figures["rank1_ut"] is None and nobody.cmc == ()


def test_a_lost_face_is_recognised_neither_as_itself_nor_as_a_target(probes):
    judge = made()
    before = judge.standings(probes)
    there = np.array([True, True, False, True, False, True])
    after = before.lost_but(there, judge.standings(probes[there], there))
    found = judge.values(after)
    for name, lost in (("rank5_ut", 1), ("rank5_t", 0), ("recognised", 0), ("success_far_0.01", 1)):
        assert found[name][~there].tolist() == [lost] * 2
        np.testing.assert_array_equal(found[name][there], judge.values(before)[name][there])
    assert np.isnan(found["own_cosine"]).tolist() == (~there).tolist()


def test_drawn_distractors_make_the_gallery_larger_and_are_nobody(probes):
    few, many = judged(made(), probes), judged(made(drawn=500), probes)
    assert sum(map(len, made(drawn=500).strangers)) == 500
    for name in ("own_cosine", "recognised", "success_far_0.01"):
        assert many.figures[name] == few.figures[name]
    assert many.thresholds == few.thresholds
    assert many.cmc[0] <= few.cmc[0]


def test_strangers_are_in_the_way_and_nothing_else(probes):
    """As if they were in the gallery, but for the thresholds."""
    strangers = np.concatenate([embeddings("PQR" * 40, 7), probes[:2]])
    few, many = judged(made(), probes), judged(made(strangers=strangers), probes)
    for name in ("own_cosine", "target_cosine", "success_far_0.01", "success_far_0.001"):
        assert many.figures[name] == few.figures[name]
    assert many.figures["rank1_ut"].value > few.figures["rank1_ut"].value

    everybody = embeddings((*GALLERY, *TARGETS, *PROBES), 3)
    names = [f"stranger {n}" for n in range(len(strangers))]
    roster = Roster.of([*GALLERY, *names], TARGETS, PROBES)
    gallery, rest = np.split(everybody, [len(GALLERY)])
    whole = Judge.of(NETWORK, roster, np.concatenate([gallery, strangers, rest]))
    expected = judged(whole, probes)
    assert many.cmc == expected.cmc
    for name in ("rank1_t", "rank5_t", "rank1_ut", "rank5_ut"):
        assert many.figures[name] == expected.figures[name]


def test_strangers_may_stand_behind_drawn_distractors(probes):
    found = judged(made(drawn=50, strangers=probes), probes)
    assert found.cmc[0] == 0  # each probe finds itself, as nobody
    assert found.figures["rank1_ut"].value == 1


def test_a_gallery_is_completed_by_whom_it_does_not_hold():
    """Z is a target, P and Q are probes, Q with two photos; A is in the gallery."""
    roster = Roster.of("AAB", "BZ", "APQQ", complete=True)
    assert roster.searched.tolist() == [0, 1, 2, 4, 6, 7, 8]
    assert [*"AABBZAPQQ"] == [{0: "A", 1: "B", 2: "Z", 3: "P", 4: "Q"}[n] for n in roster.people]
    assert roster.own.tolist() == [0, 3, 4, 4] and roster.targets.tolist() == [1, 2]
    # P is there with the very photo; each of Q's is searched for among the other one alone.
    assert roster.excluded.tolist() == [-1, -1, 5, 6]
    plain = Roster.of("AAB", "BZ", "APQQ")
    assert plain.searched.tolist() == [0, 1, 2] and (plain.excluded == -1).all()


def test_probes_in_a_completed_gallery_find_another_photo_or_the_very_same():
    faces = embeddings("AABBZAPQQ", 5)
    judge = Judge.of(NETWORK, Roster.of("AAB", "BZ", "APQQ", complete=True), faces)
    found = judge.standings(faces[5:])
    cosines = unit(faces) @ unit(faces).T
    assert found.own_rank[1] == 1 and found.own_cosine[1] == pytest.approx(1, abs=1e-6)
    assert found.own_cosine[2:] == pytest.approx([cosines[7, 8]] * 2, abs=1e-6)
    assert found.own_cosine[0] == pytest.approx(cosines[5, :2].max(), abs=1e-6)
    assert found.target_cosine[1] == pytest.approx(cosines[6, [2, 4]].max(), abs=1e-6)


def test_a_network_without_a_threshold_takes_the_one_that_strangers_give():
    faces = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    threshold = own_threshold(networks.get("insightface-r50"), faces, np.arange(50))
    strangers = (unit(faces) @ unit(faces).T)[np.triu_indices(50, 1)]
    assert 0 < (strangers >= threshold).mean() <= 1e-3
    assert own_threshold(networks.get("arcface"), faces, np.arange(50)) == 0.2840
    assert own_threshold(networks.get("sface"), faces, np.arange(50)) == NETWORK.threshold


def test_quality_leaves_unchanged_faces_out_of_the_mean_psnr():
    clean = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    changed = clean.copy()
    changed[0] = np.where(clean[0] < 128, clean[0] + 3, clean[0] - 3)
    each = changes(clean, changed)
    assert each["difference"].tolist() == [3, 0, 0] and np.isposinf(each["psnr"][1:]).all()
    found = quality(each)
    assert found["psnr"].value == pytest.approx(float(psnr(clean[:1], changed[:1])[0]))
    assert found["difference"].value == 3
    assert found["ssim"].value < 1 and found["mmd"].value > 0
    assert quality(changes(clean, clean))["psnr"] is None
