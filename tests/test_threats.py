"""Who is found or known in which way: made-up embeddings, against counts by plain loops."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tipim_jax import networks
from tipim_jax.identification import FARS, Judge, Roster, classifier_threats, threats

DIM = 16
NETWORK = networks.get("sface")
# F has a single photo and nothing in the gallery, E a single one and two there.
PHOTOS, GALLERY = "AAABBCCCCDDEF", "AEEGGHHIJKLM"


def centres():
    return np.random.default_rng(99).normal(size=(128, DIM))


def embeddings(people, seed, noise=0.7):
    """Random ones, around one centre per person."""
    random = np.random.default_rng(seed)
    places = centres()[[ord(person) for person in people]]
    return (places + noise * random.normal(size=places.shape)).astype(np.float32)


def case():
    gallery, clean = embeddings(GALLERY, 1), embeddings(PHOTOS, 2)
    # Half of the way to somebody else.
    protected = clean + 0.8 * centres()[ord("Z")].astype(np.float32) + embeddings(PHOTOS, 3) - clean
    roster = Roster.of(GALLERY, (), PHOTOS)
    judge = Judge.of(NETWORK, roster, np.concatenate([gallery, clean]), fars=FARS)
    return judge, clean, protected, gallery


def cosine(a, b):
    a, b = a.astype(float), b.astype(float)
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def looked_for(probe, person, gallery):
    """Found first, among five, recognised; None where the gallery has no photo of the person.

    Args:
      gallery: (person, embedding) of each image.
    """
    if all(who != person for who, _ in gallery):
        return None
    ranked = sorted(gallery, key=lambda image: -cosine(probe, image[1]))
    first = [who for who, _ in ranked]
    best = max(cosine(probe, image) for who, image in gallery if who == person)
    return first[0] == person, person in first[:5], best >= NETWORK.threshold


def shares(outcomes):
    outcomes = [one for one in outcomes if one is not None]
    return [len(outcomes), *(sum(c) / len(outcomes) for c in zip(*outcomes, strict=True))]


def found(threat, when):
    figures = getattr(threat, when)
    names = ("found_first", "found_in_five", "recognised")
    return [threat.photos, *(figures[name].value for name in names)]


@pytest.fixture(scope="module")
def made():
    judge, clean, protected, gallery = case()
    return threats(judge, clean, protected), clean, protected, gallery


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_photo_is_searched_for_among_clean_ones(made, when):
    """People of whom there is none are searched for among their own other photos."""
    seen, clean, protected, gallery = made
    probes = clean if when == "before" else protected
    outcomes = []
    for number, (person, probe) in enumerate(zip(PHOTOS, probes, strict=True)):
        images = list(zip(GALLERY, gallery, strict=True))
        for other, (who, photo) in enumerate(zip(PHOTOS, clean, strict=True)):
            if who not in GALLERY and other != number:
                images.append((who, photo))
        outcomes.append(looked_for(probe, person, images))
    assert found(seen["search"], when) == pytest.approx(shares(outcomes))
    assert seen["search"].photos == 12 and seen["search"].people == 5  # not F


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_clean_photo_is_searched_for_among_protected_ones(made, when):
    """As are the clean ones of the gallery: of these E's two, whose only protected one is another.

    Its own copy in the gallery is passed over.
    """
    seen, clean, protected, gallery = made
    enrolled = clean if when == "before" else protected
    others = [one for one in zip(GALLERY, gallery, strict=True) if one[0] not in PHOTOS]
    outcomes = []
    for number, (person, probe) in enumerate(zip(PHOTOS, clean, strict=True)):
        rest = [one for n, one in enumerate(zip(PHOTOS, enrolled, strict=True)) if n != number]
        outcomes.append(looked_for(probe, person, others + rest))
    everybody = others + list(zip(PHOTOS, enrolled, strict=True))
    for person, probe in zip(GALLERY, gallery, strict=True):
        if person in PHOTOS:
            outcomes.append(looked_for(probe, person, everybody))
    assert found(seen["enrolment"], when) == pytest.approx(shares(outcomes))
    assert seen["enrolment"].photos == 3 + 2 + 4 + 2 + 3 and seen["enrolment"].people == 5


def test_protected_photos_are_searched_for_among_protected_ones(made):
    seen, clean, protected, gallery = made
    others = [one for one in zip(GALLERY, gallery, strict=True) if one[0] not in PHOTOS]
    for when, photos in (("before", clean), ("after", protected)):
        outcomes = []
        for number, (person, probe) in enumerate(zip(PHOTOS, photos, strict=True)):
            rest = [one for n, one in enumerate(zip(PHOTOS, photos, strict=True)) if n != number]
            outcomes.append(looked_for(probe, person, others + rest))
        assert found(seen["both"], when) == pytest.approx(shares(outcomes))
    assert seen["both"].people == 4  # neither E nor F


def test_a_protected_photo_is_compared_with_the_persons_other_clean_ones(made):
    seen, clean, protected, gallery = made
    faces = [*zip(PHOTOS, clean, strict=True), *zip(GALLERY, gallery, strict=True)]
    impostors = sorted(
        (
            cosine(one, other)
            for n, (who, one) in enumerate(faces)
            for whom, other in faces[:n]
            if who != whom
        ),
        reverse=True,
    )
    for far in FARS:
        name = f"matched_far_{far:g}"
        allowed = int(far * len(impostors))
        threshold = seen["verification"].thresholds[name]
        assert impostors[allowed - 1] > threshold.cosine > impostors[allowed] - 1e-6 or not allowed
        assert threshold.false_match_rate == pytest.approx(allowed / len(impostors))
        for when, photos in (("before", clean), ("after", protected)):
            values = []
            for number, (person, photo) in enumerate(zip(PHOTOS, photos, strict=True)):
                mates = [
                    cosine(photo, other) >= threshold.cosine
                    for n, (who, other) in enumerate(faces)
                    if who == person and n != number
                ]
                if mates:
                    values.append(sum(mates) / len(mates))
            figure = getattr(seen["verification"], when)[name]
            assert figure.value == pytest.approx(sum(values) / len(values))
            assert seen["verification"].photos == len(values) == 12


def test_where_everybody_is_in_the_gallery_the_search_is_the_usual_one():
    judge, clean, protected, _ = case()
    kept = [n for n, person in enumerate(PHOTOS) if person in GALLERY]
    roster = Roster.of(GALLERY, (), [PHOTOS[n] for n in kept])
    faces = np.concatenate([judge.gallery, clean[kept]])
    judge = Judge.of(NETWORK, roster, faces, fars=FARS)
    seen = threats(judge, clean[kept], protected[kept])["search"]
    for when, probes in (("before", clean[kept]), ("after", protected[kept])):
        usual = judge.figures(judge.standings(probes))
        figures = getattr(seen, when)
        assert figures["found_first"].value == pytest.approx(1 - usual["rank1_ut"].value)
        assert figures["found_in_five"].value == pytest.approx(1 - usual["rank5_ut"].value)
        assert figures["recognised"].value == usual["recognised"].value


def people_apart(masks_follow):
    """Five people far from each other, four photos each; and three strangers in the gallery.

    Masks take each photo to where another of the five is, so that nobody is ever named rightly; or
    they all add the same, which clean photos do not tell of.
    """
    names = "AAAABBBBCCCCDDDDEEEE"
    clean = embeddings(names, 5, noise=0.1)
    gallery = embeddings("GGHHII", 6, noise=0.1)
    if masks_follow:
        protected = embeddings("BBBBCCCCDDDDEEEEAAAA", 7, noise=0.1)
    else:
        protected = embeddings(names, 7, noise=0.1)
    roster = Roster.of("GGHHII", (), names)
    judge = Judge.of(NETWORK, roster, np.concatenate([gallery, clean]), fars=FARS)
    return classifier_threats(judge, clean, protected)


def test_a_classifier_takes_those_for_others_whose_masks_lead_there():
    seen = people_apart(masks_follow=True)
    rates = {
        name: (one.before["named"].value, one.after["named"].value) for name, one in seen.items()
    }
    assert rates["classifier"] == rates["classifier-enrolled"] == (1, 0)
    assert rates["adaptive"] == (1, 0)
    # Each place has as many clean photos of one person as protected ones of another.
    assert rates["adaptive-self"][0] == 1 and rates["adaptive-self"][1] > 0
    for one in seen.values():
        assert (one.photos, one.people) == (20, 5)
        assert one.about == {"classes": 8, "trained_least": 2, "trained_most": 2}


def test_masks_that_change_nothing_hide_nobody_from_a_classifier():
    seen = people_apart(masks_follow=False)
    assert len(seen) == 4
    assert all(one.before["named"].value == one.after["named"].value == 1 for one in seen.values())


def test_nothing_is_shown_that_was_trained_with():
    """Photos of no person in particular: who learns them by heart names them all, others few."""
    names = "".join(person * 6 for person in "ABCDEFGHIJ")
    random = np.random.default_rng(1).normal(size=(2, len(names), 128)).astype(np.float32)
    roster = Roster.of("YZ", (), names)
    gallery = np.random.default_rng(2).normal(size=(2, 128)).astype(np.float32)
    judge = Judge.of(NETWORK, roster, np.concatenate([gallery, random[0]]), fars=FARS)
    for one in classifier_threats(judge, *random).values():
        assert one.photos == 60 and one.about["classes"] == 12
        assert one.before["named"].value < 0.3 and one.after["named"].value < 0.3


def test_who_has_too_few_photos_for_a_classifier_takes_no_part():
    judge, clean, protected, _ = case()
    seen = classifier_threats(judge, clean, protected)
    assert (seen["classifier"].photos, seen["classifier"].people) == (12, 5)
    assert (seen["classifier-enrolled"].photos, seen["classifier-enrolled"].people) == (11, 4)
    assert (seen["adaptive"].photos, seen["adaptive-self"].photos) == (12, 11)
    alone = Roster.of("YZ", (), "AB")
    faces = embeddings("YZAB", 1)
    judge = Judge.of(NETWORK, alone, faces, fars=FARS)
    assert classifier_threats(judge, faces[2:], faces[2:]) == {}


def test_ten_people_are_shown_with_fifteen_photos_and_trained_with_ten():
    names = "".join(person * 17 for person in "ABCDEFGHIJKLMN")
    clean = embeddings(names, 5, noise=0.1)
    others = "".join(person * 3 for person in "OPQRSTUVWX")
    roster = Roster.of(others, (), names)
    faces = np.concatenate([embeddings(others, 6, noise=0.1), clean])
    judge = Judge.of(NETWORK, roster, faces, fars=FARS)
    one = classifier_threats(judge, clean, clean)["classifier"]
    assert (one.photos, one.people) == (150, 10)
    assert one.about == {"classes": 20, "trained_least": 3, "trained_most": 10}


@pytest.mark.parametrize("name", ["classifier", "classifier-enrolled", "adaptive", "adaptive-self"])
def test_who_is_named_is_counted_again_by_plain_loops(name):
    names = "AAAAABBBBBCCCCDDDEEE"
    clean, gallery = embeddings(names, 5, noise=2.0), embeddings("GGGHHHAII", 6, noise=2.0)
    protected = clean + 3 * centres()[ord("Z")].astype(np.float32)
    roster = Roster.of("GGGHHHAII", (), names)
    judge = Judge.of(NETWORK, roster, np.concatenate([gallery, clean]), fars=FARS)
    seen = classifier_threats(judge, clean, protected)[name]

    def named(number, shown, training):
        """Trained on all photos but those that are shown together with this one."""
        part = names[:number].count(names[number]) % 3
        rows, labels = [], []
        for other, person in enumerate(names):
            if names[:other].count(person) % 3 != part:
                for row in training(other, person, names[number]):
                    rows.append(row / np.linalg.norm(row))
                    labels.append(person)
        for person, row in zip("GGGHHHAII", gallery, strict=True):
            if not (name == "classifier-enrolled" and person == "A"):
                rows.append(row / np.linalg.norm(row))
                labels.append(person)
        model = LogisticRegression(C=10, max_iter=1000).fit(rows, labels)
        return model.predict([shown / np.linalg.norm(shown)])[0] == names[number]

    training = {
        "classifier": lambda n, who, asked: [clean[n]],
        "classifier-enrolled": lambda n, who, asked: [protected[n]],
        "adaptive": lambda n, who, asked: [clean[n], *([protected[n]] if who != asked else [])],
        "adaptive-self": lambda n, who, asked: [clean[n], protected[n]],
    }[name]
    shown = clean if name == "classifier-enrolled" else protected
    with threadpool_limits(1):
        after = [named(n, shown[n], training) for n in range(len(names))]
    assert seen.after["named"].value == sum(after) / len(names)
    if name == "classifier":
        with threadpool_limits(1):
            before = [named(n, clean[n], training) for n in range(len(names))]
        assert seen.before["named"].value == sum(before) / len(names)
        assert 0.1 < seen.after["named"].value < seen.before["named"].value < 1
