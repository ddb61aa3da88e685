"""Identification trials against a search by hand."""

import dataclasses

import numpy as np
import pytest

from tipim_jax.identification import FARS, Faces, Judge, Strangers, Trial, nearest, psnr, quality
from tipim_jax.identification import judge as judge_module

SIZE = 12


def faces(people, seed):
    random = np.random.default_rng(seed)
    names = tuple(f"{person}_{n:04d}" for n, person in enumerate(people))
    crops = random.integers(0, 256, (len(people), SIZE, SIZE, 3), np.uint8)
    return Faces(names, tuple(people), crops)


def recogniser(crops, progress=None):
    """A linear map of the pixels, as good as any to search with."""
    matrix = np.random.default_rng(9).normal(size=(SIZE * SIZE * 3, 8)).astype(np.float32)
    return (crops.reshape(len(crops), -1).astype(np.float32) - 127.5) @ matrix


@pytest.fixture
def trial():
    probes, targets = faces("ABCDEF", 1), faces("XY", 2)
    return Trial(probes, targets, faces("AABBCCDDEEFFXXYYGHIJ", 3))


def unit(embeddings):
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def test_figures_are_those_of_a_search_by_hand(trial):
    crops = faces("ABCDEF", 4).crops
    seen = Judge.of(recogniser, trial)(crops, held_out=True)
    people = np.array(trial.gallery.people)
    cosines = unit(recogniser(crops)) @ unit(recogniser(trial.gallery.crops)).T
    ranked = people[np.argsort(-cosines, axis=1, kind="stable")]
    own = np.array(trial.probes.people)[:, None]
    is_own, is_target = ranked == own, np.isin(ranked, ["X", "Y"])
    for n in (1, 5):
        assert seen.figures[f"rank{n}_ut"][0] == np.mean(~is_own[:, :n].any(axis=1))
        assert seen.figures[f"rank{n}_t"][0] == np.mean(is_target[:, :n].any(axis=1))
    np.testing.assert_allclose(
        seen.cmc, [is_own[:, :n].any(axis=1).mean() for n in range(1, len(seen.cmc) + 1)]
    )
    best = np.where(people == own, cosines, -2).max(axis=1)
    assert seen.figures["own_cosine"][0] == pytest.approx(best.mean(), abs=1e-5)
    best_target = cosines[:, np.isin(people, ["X", "Y"])].max(axis=1)
    assert seen.figures["target_cosine"][0] == pytest.approx(best_target.mean(), abs=1e-5)

    among = unit(recogniser(trial.gallery.crops)) @ unit(recogniser(trial.gallery.crops)).T
    impostors = np.sort(among[np.triu(people[:, None] != people)])[::-1]
    for far in FARS:
        threshold = impostors[int(far * len(impostors))]
        assert seen.figures[f"success_far_{far:g}"][0] == np.mean(best <= threshold)


def test_an_interval_holds_its_mean_and_rank_5_protects_no_better_than_rank_1(trial):
    seen = Judge.of(recogniser, trial)(trial.probes.crops, held_out=False)
    for mean, low, high in seen.figures.values():
        assert low <= mean <= high
    assert seen.figures["rank5_ut"][0] <= seen.figures["rank1_ut"][0]
    assert seen.figures["rank5_t"][0] >= seen.figures["rank1_t"][0]


def test_a_probe_that_is_itself_in_the_gallery_is_found_there():
    probes = faces("ABC", 1)
    gallery = Faces(probes.names, probes.people, probes.crops)
    seen = Judge.of(recogniser, Trial(probes, faces("X", 2), gallery))(probes.crops, held_out=False)
    assert seen.figures["rank1_ut"][0] == 0
    assert seen.figures["own_cosine"][0] == pytest.approx(1, abs=1e-5)
    assert seen.figures["target_cosine"] == (None, None, None)


def test_without_targets_there_is_no_figure_about_them(trial):
    alone = Trial(trial.probes, Faces((), (), trial.targets.crops[:0]), trial.gallery)
    seen = Judge.of(recogniser, alone)(trial.probes.crops, held_out=False)
    for name in ("rank1_t", "rank5_t", "target_cosine"):
        assert seen.figures[name] == (None, None, None)
    assert seen.figures["rank1_ut"][0] is not None


def test_drawn_distractors_make_the_gallery_larger_and_are_nobody(trial):
    crowded = Trial(trial.probes, trial.targets, trial.gallery, drawn=500)
    judge = Judge.of(recogniser, crowded)
    assert len(judge.gallery) == len(trial.gallery) + 500
    few, many = (
        Judge.of(recogniser, t)(trial.probes.crops, held_out=False) for t in (trial, crowded)
    )
    assert many.figures["own_cosine"] == few.figures["own_cosine"]
    assert many.figures["success_far_0.01"] == few.figures["success_far_0.01"]
    assert many.cmc[0] <= few.cmc[0]


def test_strangers_are_in_the_way_and_nothing_else(trial):
    """As if they were in the gallery, but for the thresholds."""
    crops = [faces("PQR" * 40, 7).crops, trial.probes.crops[:2]]
    crowded = dataclasses.replace(trial, strangers=Strangers.of(crops))
    few, many = (
        Judge.of(recogniser, t)(trial.probes.crops, held_out=False) for t in (trial, crowded)
    )
    for name in ("own_cosine", "target_cosine", "success_far_0.01", "success_far_0.001"):
        assert many.figures[name] == few.figures[name]
    assert many.figures["rank1_ut"][0] >= few.figures["rank1_ut"][0]

    names = tuple(f"stranger {n}" for n in range(122))
    gallery = Faces(
        trial.gallery.names + names,
        trial.gallery.people + names,
        np.concatenate([trial.gallery.crops, *crops]),
    )
    whole = Judge.of(recogniser, dataclasses.replace(trial, gallery=gallery))
    expected = whole(trial.probes.crops, held_out=False)
    assert many.cmc == expected.cmc
    for name in ("rank1_t", "rank5_t", "rank1_ut", "rank5_ut"):
        assert many.figures[name] == expected.figures[name]


def test_strangers_may_stand_behind_drawn_distractors(trial):
    strangers = Strangers.of([trial.probes.crops])
    crowded = dataclasses.replace(trial, drawn=50, strangers=strangers)
    seen = Judge.of(recogniser, crowded)(trial.probes.crops, held_out=False)
    assert seen.cmc[0] == 0  # each probe finds itself, as nobody
    assert seen.figures["rank1_ut"][0] == 1


def test_strangers_differ_by_what_they_look_like():
    whole = faces("PQR", 7).crops
    assert Strangers.of([whole]).digest == Strangers.of([whole[:1], whole[1:]]).digest
    assert Strangers.of([whole]).digest != Strangers.of([whole[::-1]]).digest


def test_a_row_says_what_is_unusual_about_the_search(trial):
    assert trial.about == {}
    strangers = Strangers.of([faces("PQ", 7).crops, faces("R", 8).crops])
    unusual = dataclasses.replace(trial, drawn=7, approximate=True, strangers=strangers)
    assert unusual.about == {
        "distractor_photos": 3,
        "drawn_distractors": 7,
        "search": "approximate",
    }


def test_an_approximate_search_is_passed_on(trial, monkeypatch):
    """Where it misses nothing, as here, what tells is how it was asked."""
    asked = []

    def search(*arguments, approximate):
        asked.append(approximate)
        return nearest(*arguments, approximate=approximate)

    monkeypatch.setattr(judge_module, "nearest", search)
    seen = [
        Judge.of(recogniser, dataclasses.replace(trial, approximate=approximate))(
            trial.probes.crops, held_out=True
        )
        for approximate in (False, True)
    ]
    assert asked == [False, True]
    assert seen[0] == seen[1]


def test_quality_leaves_unchanged_faces_out_of_the_mean_psnr():
    clean = faces("ABC", 1).crops
    changed = clean.copy()
    changed[0] = np.where(clean[0] < 128, clean[0] + 3, clean[0] - 3)
    found = quality(clean, changed)
    assert found["psnr"][0] == pytest.approx(float(psnr(clean[:1], changed[:1])[0]))
    assert found["difference"][0] == 3
    assert found["ssim"][0] < 1 and found["mmd"][0] > 0
    assert quality(clean, clean)["psnr"] == (None, None, None)
