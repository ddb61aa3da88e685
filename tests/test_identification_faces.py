"""How faces are shown to recognisers, and what is kept of that."""

import dataclasses
import hashlib

import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import bundled
from tipim_jax.identification import (
    BATCH,
    CropFace,
    CropFaces,
    Experiment,
    PhotoFace,
    PhotoFaces,
    Recogniser,
    Strangers,
    embed,
    kept,
    kept_embeddings,
    recogniser,
    recognitions,
)
from tipim_jax.photos import PhotoError, crop, read_photo, similarity


def crops(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), np.uint8)


def crop_faces(people, seed=0):
    names = tuple(f"{person}_{n:04d}" for n, person in enumerate(people))
    return CropFaces(names, tuple(people), crops(len(people), seed))


@pytest.fixture(scope="module")
def two():
    return {name: Recogniser.load(name) for name in ("mobileface", "sface")}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "home", lambda: tmp_path)
    return tmp_path / "embeddings"


@pytest.fixture
def photos(detector):
    """Photos of three people; of the second there are two faces, of different sizes."""
    files = [bundled.photos(person)[0] for person in bundled.identities()[:3]]
    contents = [file.read_bytes() for file in files]
    places = [detector.detect(read_photo(file).pixels)[0] for file in files]
    bigger = dataclasses.replace(places[1], landmarks=places[1].landmarks * 1.1)
    order = [0, 1, 1, 2]
    return PhotoFaces(
        names=tuple(f"{n}.jpg" for n in order),
        people=("A", "B", "C", "D"),
        faces=(places[0], places[1], bigger, places[2]),
        contents=tuple(hashlib.sha256(contents[n]).hexdigest() for n in order),
        read=lambda number: contents[order[number]],
    )


def test_each_recogniser_sees_each_face_as_if_it_were_alone(two):
    """More than a batch, and not a whole number of batches."""
    faces = crops(BATCH + 3)
    done = []
    found = embed(two, map(CropFace, faces), done.append)
    assert sum(done) == len(faces)
    for name, one in two.items():
        assert found[name].shape == (len(faces), one.network.embedding_size)
        alone = np.concatenate([one(face[None]) for face in faces[[0, BATCH, BATCH + 2]]])
        np.testing.assert_allclose(found[name][[0, BATCH, BATCH + 2]], alone, atol=1e-4)


def test_any_number_of_faces_is_asked_about_in_batches_of_one_shape(two, monkeypatch):
    shapes = set()
    ask = recogniser._embed
    monkeypatch.setattr(
        recogniser, "_embed", lambda *arguments: shapes.add(arguments[2].shape) or ask(*arguments)
    )
    for count in (1, BATCH, BATCH + 1):
        embed(two, map(CropFace, crops(count)))
    assert len(shapes) == 1


def test_an_accelerator_takes_more_of_a_set_at_once_than_of_a_photo(two, monkeypatch):
    counts = []
    monkeypatch.setattr(recogniser.jax, "default_backend", lambda: "gpu")

    def counted(network, variables, images):
        counts.append(len(images))
        return np.zeros((len(images), network.embedding_size), np.float32)

    monkeypatch.setattr(recogniser, "_embed", counted)
    faces = crops(2)
    two["sface"](faces)
    assert counts == [BATCH]
    monkeypatch.setattr(recogniser, "_MANY", 2 * BATCH)  # smaller, and thus faster, than it is
    for name, found in recogniser.embed_batches(two, map(CropFace, crops(2 * BATCH + 1))):
        assert name in two and len(found) in (1, 2 * BATCH)
    assert counts[1:] == [2 * BATCH] * 4


def test_no_faces_have_no_embeddings(two):
    assert embed(two, ())["sface"].shape == (0, 128)


def test_photos_are_read_once_for_all_faces_and_recognisers(photos, two):
    read = []
    counted = dataclasses.replace(photos, read=lambda n: read.append(n) or photos.read(n))
    found = embed(two, counted)
    assert read == [0, 1, 3]
    pixels = [np.asarray(face.pixels) for face in photos]
    for n, (face, seen) in enumerate(zip(photos.faces, pixels, strict=True)):
        shown = crop(seen, similarity(face.landmarks))
        np.testing.assert_allclose(found["sface"][n], two["sface"](shown[None])[0], atol=0.02)


def test_a_photo_that_changes_while_it_is_looked_at_is_no_photo_of_these(photos):
    changed = dataclasses.replace(photos, read=lambda number: photos.read(0))
    with pytest.raises(PhotoError, match=r"1.jpg was changed while it was looked at"):
        list(changed)


def test_photos_that_are_crops_are_shown_as_they_are(tmp_path):
    pixels = crops(1)[0]
    Image.fromarray(pixels).save(tmp_path / "crop.png")
    content = (tmp_path / "crop.png").read_bytes()
    key = hashlib.sha256(content).hexdigest()
    face = PhotoFace(pixels, None).face
    faces = PhotoFaces(("a",), ("A",), (face,), (key,), read=lambda _: content, ready=True)
    (shown,) = faces
    np.testing.assert_array_equal(shown.crop, pixels)


def test_embeddings_are_made_once_and_kept(two, cache, monkeypatch):
    faces = crop_faces("ABC")
    found = kept_embeddings(two, faces)
    expected = embed(two, faces)
    for name in two:
        np.testing.assert_array_equal(found[name], expected[name])

    def never(*_):
        raise AssertionError("it was asked again")

    monkeypatch.setattr(recogniser, "_embed", never)
    done = []
    again = kept_embeddings(two, faces, done.append)
    assert sum(done) == 3
    np.testing.assert_array_equal(again["sface"], found["sface"])
    with pytest.raises(AssertionError, match="asked again"):
        kept_embeddings(two, crop_faces("ABC", seed=1))


def test_what_decides_an_embedding_decides_where_it_is_kept(two, cache, photos):
    one = {"mobileface": two["mobileface"]}
    moved = dataclasses.replace(photos.faces[0], landmarks=photos.faces[0].landmarks + 1)
    of_photos = dataclasses.replace(photos, faces=(moved, *photos.faces[1:]))
    changed = Recogniser(
        one["mobileface"].network,
        {"params": {"x": np.ones(3, np.float32)}},
    )
    assert changed.digest != one["mobileface"].digest
    for faces in (crop_faces("ABC"), crop_faces("ABD"), photos, of_photos):
        kept_embeddings(one, faces)
    kept_embeddings(two, photos)
    assert len([*cache.rglob("*.npy")]) == 5


def test_a_damaged_file_is_made_again(two, cache):
    faces = crop_faces("ABC")
    found = np.array(kept_embeddings(two, faces)["sface"])
    (file,) = (cache).rglob("sface/*.npy")
    for damage in (b"", b"no array", file.read_bytes()[:-4]):
        file.write_bytes(damage)
        np.testing.assert_array_equal(kept_embeddings(two, faces)["sface"], found)


def test_a_run_that_ends_early_leaves_nothing_half_written(two, cache):
    def broken():
        yield from map(CropFace, crops(BATCH))
        raise PhotoError("gone")

    with pytest.raises(PhotoError, match="gone"):
        kept_embeddings(two, Strangers(broken(), BATCH + 1, "digest"))
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_strangers_differ_by_what_they_look_like():
    whole = [*map(CropFace, crops(3))]
    assert Strangers.of(whole).digest == Strangers.of(list(whole)).digest
    assert Strangers.of(whole).digest != Strangers.of(whole[::-1]).digest
    assert len(Strangers.of(whole)) == 3


def test_an_experiment_says_what_is_unusual_about_its_search():
    faces = crop_faces("ABC"), crop_faces("X"), crop_faces("ABCX")
    assert Experiment(*faces).about == {}
    strangers = Strangers.of([*map(CropFace, crops(3))])
    unusual = Experiment(*faces, drawn=7, strangers=strangers)
    assert unusual.about == {"distractor_photos": 3, "drawn_distractors": 7}


def test_an_experiment_is_judged_by_each_recogniser(two, cache):
    """The probes' own crops are in the gallery."""
    probes = crop_faces("ABC")
    gallery = CropFaces((*"ABCX",), (*"ABCX",), np.concatenate([probes.crops, crops(1, seed=5)]))
    experiment = Experiment(probes, crop_faces("X", seed=9), gallery)
    shown = []

    def bar(*what_and_count):
        shown.append(what_and_count)
        return lambda done: None

    judges = experiment.judges(two, bar)
    assert shown == [("gallery", 4), ("targets", 1), ("probes", 3)]
    found = recognitions(judges, embed(two, probes), ("sface",))
    assert [one.held_out for one in found.values()] == [True, False]
    for one in found.values():
        assert one.figures["rank1_ut"].value == 0
        assert one.figures["own_cosine"].value == pytest.approx(1, abs=1e-5)
    known = experiment.judges(two, bar, embed(two, probes))
    assert known["sface"].thresholds == judges["sface"].thresholds
