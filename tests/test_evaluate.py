"""`python -m tipim_jax.evaluate` on photos that some tool or other protected."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tipim_jax import networks
from tipim_jax.datasets import bundled as people
from tipim_jax.evaluate.__main__ import main
from tipim_jax.evaluate.pairs import pair_photos
from tipim_jax.evaluate.settings import parse
from tipim_jax.photos import read_photo

PROBES = people.identities()[:3]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Clean photos, a gallery with others of the same people, targets; and "protected" ones.

    The first is as it was, the second shows somebody else, the third is no face any more.
    """
    root = tmp_path_factory.mktemp("photos")
    for identity in (*PROBES, *people.TARGETS[:2], *people.identities()[10:14]):
        (root / "gallery" / identity).mkdir(parents=True)
        for photo in people.photos(identity)[1:]:
            shutil.copy(photo, root / "gallery" / identity)
    for identity in PROBES:
        (root / "clean" / identity).mkdir(parents=True)
        (root / "protected" / identity).mkdir(parents=True)
        shutil.copy(people.photos(identity)[0], root / "clean" / identity)
    (root / "targets").mkdir()
    for identity in people.TARGETS[:2]:
        shutil.copy(people.photos(identity)[0], root / "targets")
    shown = [people.photos(PROBES[0])[0], people.photos(people.TARGETS[0])[2]]
    pictures = [read_photo(photo).pixels for photo in shown] + [
        np.full((250, 250, 3), 90, np.uint8)
    ]
    for identity, picture in zip(PROBES, pictures, strict=True):
        name = f"{people.photos(identity)[0].stem}.png"
        Image.fromarray(picture).save(root / "protected" / identity / name)
    return root


def run(photos, output, *more, protected="protected"):
    arguments = [str(photos / protected), "--clean", str(photos / "clean")]
    arguments += ["--gallery", str(photos / "gallery"), "--output", str(output)]
    return main([*arguments, "--recogniser", "mobileface", *more])


def test_photos_are_paired_as_the_attack_names_its_copies(tmp_path):
    for name in ("clean/a.heic", "clean/a.jpg", "clean/b.webp", "clean/c.JPG",
                 "out/a.heic.jpg", "out/a.jpg", "out/b.png", "out/c.JPG", "out/d.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pairs = pair_photos(tmp_path / "out", tmp_path / "clean")
    assert {pair.name: pair.clean and pair.clean.relative.name for pair in pairs} == {
        "a.heic.jpg": "a.heic",
        "a.jpg": "a.jpg",
        "b.png": "b.webp",
        "c.JPG": "c.JPG",
        "d.png": None,
    }


def test_it_tells_a_protected_photo_from_one_that_is_not(photos, tmp_path, capsys):
    assert run(photos, tmp_path, "--targets", str(photos / "targets"), "--threats") == 0
    found = json.loads((tmp_path / "results.json").read_text())
    figures = found["recognisers"]["mobileface"]["figures"]
    assert figures["rank1_ut"]["value"] == pytest.approx(2 / 3)
    assert figures["rank1_t"]["value"] >= 1 / 3
    clean = json.loads((tmp_path / "clean.json").read_text())["recognisers"]["mobileface"]
    assert clean["figures"]["rank1_ut"]["value"] == 0
    third = people.photos(PROBES[2])[0].stem
    assert found["about"]["no_face_found"] == [f"{PROBES[2]}/{third}.png"]
    said = capsys.readouterr().out
    assert "Rank-1-UT / Rank-5-UT" in said and "no face is found any more in 1" in said
    for name in ("tables.txt", "tables.csv", "tables.tex"):
        assert (tmp_path / name).stat().st_size > 100
    search, *_ = json.loads((tmp_path / "threats.json").read_text())
    assert (search["threat"], search["photos"]) == ("search", 3)
    shares = [search[when]["found_first"]["value"] for when in ("before", "after")]
    assert shares == [1, pytest.approx(1 / 3)]
    assert (tmp_path / "threats.txt").read_text() in said


def test_beside_the_threshold_stands_what_chance_gives(photos, tmp_path, capsys):
    """Of these people, none of whom exists, more are alike than of those it was chosen for."""
    assert run(photos, tmp_path) == 0
    found = json.loads((tmp_path / "results.json").read_text())["recognisers"]["mobileface"]
    threshold = found["thresholds"]["recognised"]
    assert threshold["cosine"] == networks.get("mobileface").threshold
    assert 0.001 < threshold["false_match_rate"] < 0.5
    assert found["figures"]["recognised"]["value"] == pytest.approx(1 / 3)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["false", "match", "rate", f"{threshold['false_match_rate']:.2g}"] in lines


def test_people_are_told_apart_by_their_folders_whatever_their_photos_are_called(photos, tmp_path):
    """As cameras call them: IMG_0001.jpg and so on, in each folder."""
    renamed = tmp_path / "renamed"
    shutil.copytree(photos, renamed)
    for folder in ("clean", "protected", "gallery"):
        number = 0
        for place in sorted((renamed / folder).iterdir()):
            for photo in sorted(place.iterdir()):
                number += 1
                photo.rename(photo.with_name(f"IMG_{number:04d}{photo.suffix}"))
    found = []
    for name, place in (("as in LFW", photos), ("as by a camera", renamed)):
        assert run(place, tmp_path / name) == 0
        found.append(json.loads((tmp_path / name / "results.json").read_text())["recognisers"])
    assert found[0] == found[1]
    assert found[0]["mobileface"]["figures"]["rank1_ut"]["value"] == pytest.approx(2 / 3)


def test_photos_of_strangers_make_the_gallery_larger(photos, tmp_path, capsys):
    """Those who are there already, in whichever place, and what is no face do not count."""
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for identity in people.identities()[20:23]:
        shutil.copy(people.photos(identity)[0], strangers)
    shutil.copytree(photos / "gallery" / PROBES[0], strangers / "again")
    shutil.copytree(photos / "clean" / PROBES[0], strangers / "clean")
    shutil.copy(next((photos / "protected" / PROBES[2]).iterdir()), strangers)
    assert run(photos, tmp_path / "few") == 0
    assert run(photos, tmp_path / "many", "--distractor-photos", str(strangers)) == 0
    few, many = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("few", "many")
    )
    assert "distractor_photos" not in few["about"] and many["about"]["distractor_photos"] == 3
    assert many["about"]["gallery"] == few["about"]["gallery"]
    for name in ("own_cosine", "success_far_0.01"):
        seen = [row["recognisers"]["mobileface"]["figures"][name] for row in (few, many)]
        assert seen[0] == seen[1]
    said = capsys.readouterr()
    assert "distractor_photos 3" in said.out
    left_out = " ".join(said.err.split())
    assert left_out.count("a face that is there already") == 3
    assert left_out.count("left out of the distractors") == 4


def test_clean_photos_in_the_gallery_are_passed_over(photos, tmp_path):
    everything = tmp_path / "everything"
    shutil.copytree(photos / "gallery", everything)
    for identity in PROBES:
        shutil.copy(people.photos(identity)[0], everything / identity)
    figures = []
    for gallery in (photos / "gallery", everything):
        output = tmp_path / gallery.name / "out"
        assert run(photos, output, "--gallery", str(gallery)) == 0
        figures.append(json.loads((output / "results.json").read_text())["recognisers"])
    assert figures[0] == figures[1]


def test_a_photo_that_cannot_be_judged_costs_one_line(photos, tmp_path, capsys):
    protected = tmp_path / "protected"
    shutil.copytree(photos / "protected", protected)
    (protected / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 40)).save(protected / "new.png")
    small = next((protected / PROBES[1]).iterdir())
    Image.new("RGB", (200, 100)).save(small)
    assert run(photos, tmp_path / "out", protected=protected) == 1
    said = capsys.readouterr().out
    assert "not judged (3):" in said
    assert "new.png: " in said and "holds no photo of that name" in said
    assert "is 200x100, the clean photo is 250x250" in said


def test_crops_are_judged_as_they_are(photos, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 112, 112, 3), np.uint8)
    for n, crop in enumerate(pixels):
        for folder in ("clean", "protected", "gallery"):
            (tmp_path / folder).mkdir(exist_ok=True)
            difference = {"clean": 0, "protected": 2, "gallery": 1}[folder]
            changed = np.clip(crop.astype(int) + difference, 0, 255)
            name = f"P{n}_0002.png" if folder == "gallery" else f"P{n}_0001.png"
            Image.fromarray(changed.astype(np.uint8)).save(tmp_path / folder / name)
    shutil.copytree(tmp_path / "gallery", tmp_path / "others")
    Image.fromarray(255 - pixels[0]).save(tmp_path / "others" / "stranger.png")
    more = ("--aligned", "--posting", "--distractor-photos", str(tmp_path / "others"))
    assert run(tmp_path, tmp_path / "out", *more) == 0
    assert "another detector is left out" in capsys.readouterr().out
    posted = json.loads((tmp_path / "out" / "posting.json").read_text())
    assert len(posted) == 2 * 35 and posted[-1]["about"]["posting"] == "white balance"
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["quality"]["difference"]["value"] == 2
    assert found["about"]["distractor_photos"] == 1
    assert found["recognisers"]["mobileface"]["figures"]["rank1_ut"]["value"] == 0


@pytest.mark.thorough
def test_networks_look_through_the_windows_of_others_too(photos, tmp_path, capsys):
    """What they see there are other faces than through their own, and an unchanged one is known."""
    assert run(photos, tmp_path, "--all-windows", "--surrogate", "mobileface") == 0
    found = json.loads((tmp_path / "results.json").read_text())["recognisers"]
    names = ["eyes", "box", "loose-box", "chips"]
    assert list(found) == ["mobileface", *(f"mobileface through {name}" for name in names)]
    assert not any(one["held_out"] for one in found.values())
    cosines = [one["figures"]["own_cosine"]["value"] for one in found.values()]
    assert len(set(cosines)) == 5
    said = capsys.readouterr().out
    header = next(line for line in said.splitlines() if line.startswith("network"))
    assert header.split("  ")[0] == "network" and "five-points" in header
    row = next(line for line in said.splitlines() if line.startswith("mobileface"))
    assert "→ [" in row and "  =  " in row  # its own window stands there once
    assert "mobileface through eyes" in (tmp_path / "tables.txt").read_text()


@pytest.mark.thorough
def test_posted_photos_are_judged_as_well_and_the_others_as_ever(photos, tmp_path, capsys):
    more = ("--targets", str(photos / "targets"))
    assert run(photos, tmp_path / "usual", *more) == 0
    usual = capsys.readouterr().out
    assert run(photos, tmp_path / "posted", *more, "--posting") == 0
    said = capsys.readouterr().out
    names = [path.name for path in (tmp_path / "usual").iterdir()]
    for name in names:
        contents = [(tmp_path / place / name).read_bytes() for place in ("usual", "posted")]
        assert contents[0] == contents[1]
    assert usual.splitlines()[:-2] == said.splitlines()[: len(usual.splitlines()) - 2]
    assert "Protection of posted photos, mean over mobileface" in said
    made = {path.name for path in (tmp_path / "posted").iterdir()} - {*names}
    assert made == {f"posting.{suffix}" for suffix in ("json", "txt", "csv", "tex", "svg", "png")}

    found = json.loads((tmp_path / "posted" / "posting.json").read_text())
    clean, protected = found[::2], found[1::2]
    assert [row["about"]["posting"] for row in clean] == [r["about"]["posting"] for r in protected]
    assert len(protected) == 36 and protected[-1]["about"]["posting"] == "another detector"
    result = json.loads((tmp_path / "posted" / "results.json").read_text())
    assert protected[0]["recognisers"] == result["recognisers"]
    third = f"{PROBES[2]}/{people.photos(PROBES[2])[0].stem}.png"
    for before, after in zip(clean, protected, strict=True):
        assert before["about"]["no_face_found"] == []
        assert after["about"]["no_face_found"] == [third]
        # The first photo is not protected at all, the second shows somebody else.
        found = [row["recognisers"]["mobileface"]["figures"] for row in (before, after)]
        shares = [figures["rank1_ut"]["value"] for figures in found]
        assert shares == [0, pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--clean": "empty"}, "empty holds no photos"),
        ({"--gallery": "nowhere"}, "nowhere does not exist"),
        ({"--gallery": "one"}, "one person alone"),
        ({"--clean": "targets"}, "none of 3 photos"),
        ({"--distractor-photos": "nowhere"}, "--distractor-photos: "),
        ({"--distractor-photos": "empty"}, "none of its 0 photos has a face"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(change, message, photos, tmp_path, capsys):
    (photos / "empty").mkdir(exist_ok=True)
    if not (photos / "one").exists():
        shutil.copytree(photos / "gallery" / PROBES[0], photos / "one" / PROBES[0])
    places = {"--clean": "clean", "--gallery": "gallery"} | change
    arguments = [str(photos / "protected"), "--output", str(tmp_path)]
    for flag, folder in places.items():
        arguments += [flag, str(photos / folder)]
    assert main([*arguments, "--recogniser", "mobileface"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said and "Traceback" not in said


def test_the_command_line_explains_itself(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = capsys.readouterr().out
    for word in (
        "examples:",
        "--gallery",
        "--aligned",
        "--all-windows",
        "--surrogate",
        "--distractor-photos",
        "O-Net",
        "Others have your protected photos",
    ):
        assert word in said
