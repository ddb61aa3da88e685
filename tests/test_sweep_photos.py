"""Sweeps in photos: whole photos protected as people protect theirs, and judged on the files."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import CropCache, bundled, find_portraits
from tipim_jax.identification import Experiment, Recogniser, embed
from tipim_jax.method import TipIm
from tipim_jax.photos import YUNET, PhotoFile, read_photo
from tipim_jax.sweep.photos import InPhotos, photo_path
from tipim_jax.sweep.settings import Cell, Overrides, read_sweep
from weights_convert import home, obtain

pytestmark = pytest.mark.thorough
FAST = dataclasses.replace(TipIm.fast(), iterations=3)


def cell(epsilon, seed=0):
    settings = dataclasses.replace(FAST, epsilon=epsilon)
    return Cell(surrogates=("mobileface",), method="fast", settings=settings, seed=seed)


@pytest.fixture(scope="module")
def experiment():
    kept = CropCache(home() / "crops", obtain(YUNET))

    def faces(people, photo):
        files = [bundled.photos(name)[photo] for name in people]
        named = [(p.parent.name, PhotoFile(p, p.relative_to(bundled.FOLDER))) for p in files]
        found, left_out = find_portraits(named, kept, "central")
        assert not left_out
        return dataclasses.replace(found, names=tuple(file.stem for file in files))

    probes = ["Person_002", "Person_005", "Person_009"]
    targets = ["Person_061", "Person_062"]
    gallery = [*probes, *targets, "Person_011", "Person_012"]
    return Experiment(faces(probes, 0), faces(targets, 0), faces(gallery, 1))


@pytest.fixture(scope="module")
def way(experiment):
    recognisers = {"mobileface": Recogniser.load("mobileface")}
    kept = CropCache(home() / "crops", obtain(YUNET))
    return InPhotos(experiment, recognisers, batch_size=4, dtype="auto", kept=kept)


@pytest.fixture(scope="module")
def folders(way, tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("eight", "twelve")]
    done = []
    way.protect([cell(8.0), cell(12.0)], folders, done.append)
    assert sum(done) == 6
    return folders


def test_whole_photos_are_saved_and_keep_the_budget_of_their_cell(experiment, folders):
    for folder, epsilon in zip(folders, (8, 12), strict=True):
        for name, clean in zip(experiment.probes.names, experiment.probes, strict=True):
            saved = read_photo(photo_path(folder, name)).pixels
            assert saved.shape == clean.pixels.shape
            assert epsilon / 2 <= np.abs(saved.astype(int) - clean.pixels).max() <= epsilon


def test_the_saved_faces_are_found_anew_and_further_from_their_owners(way, experiment, folders):
    recognisers = {"mobileface": Recogniser.load("mobileface")}
    judge = experiment.judges(recognisers, lambda *_: lambda _: None)["mobileface"]
    before, *after = (
        judge.standings(embed(recognisers, faces)["mobileface"]).own_cosine
        for faces in (experiment.probes, *(way.saved(folder).faces for folder in folders))
    )
    for cosines in after:
        assert (cosines < before - 0.2).all()
    saved = way.saved(folders[0])
    assert saved.lost == () and saved.faces.people == experiment.probes.people
    assert (saved.changes["psnr"] > 28).all() and (saved.changes["ssim"] < 1).all()
    places = [face.box for face in saved.faces.faces]
    assert not np.array_equal(places, [face.box for face in experiment.probes.faces])


@pytest.mark.thorough
def test_what_is_there_is_not_made_again(way, experiment, folders):
    first, *others = (photo_path(folders[0], name) for name in experiment.probes.names)
    content = first.read_bytes()
    first.unlink()
    before = [path.stat().st_mtime_ns for path in others]
    way.protect([cell(8.0)], folders[:1], lambda _: None)
    assert [path.stat().st_mtime_ns for path in others] == before
    made = np.asarray(Image.open(first)).astype(int)
    Image.open(first).close()
    first.write_bytes(content)
    assert np.abs(made - np.asarray(Image.open(first))).max() <= 1  # another size of batch


def test_a_photo_in_which_no_face_is_left_is_judged_where_the_face_was(way, experiment, folders):
    name = experiment.probes.names[1]
    path = photo_path(folders[1], name)
    content = path.read_bytes()
    Image.new("RGB", (250, 250), "grey").save(path)
    saved = way.saved(folders[1])
    path.write_bytes(content)
    assert saved.lost == (name,)
    np.testing.assert_array_equal(saved.faces.faces[1].box, experiment.probes.faces[1].box)


def test_crops_are_asked_for_in_the_file_or_on_the_command_line(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text("probes = 3")
    assert not read_sweep(file).crops
    assert read_sweep(file, Overrides(crops=True)).crops
    file.write_text("crops = true")
    assert read_sweep(file).crops
