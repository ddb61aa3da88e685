"""Verification against brute force and closed forms; LFW's lists and photos, whole or not."""

import gzip
import io
import itertools
import math
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from tipim_jax.datasets import bundled as people
from tipim_jax.datasets.lfw import LfwError, LfwPhoto, open_lfw, read_pairs
from tipim_jax.identification import (
    best_threshold,
    cross_validate,
    interleaved_folds,
    verify,
    verify_all_pairs,
)
from tipim_jax.photos import PhotoError, central_face, decode_photo, read_photo

PHOTO = people.photos("Person_001")[0].read_bytes()


@pytest.fixture(params=[0, 1, 2], ids=["apart", "rounded, with ties", "few"])
def pairs(request):
    """Cosines and whether each is of the same person."""
    random = np.random.default_rng(request.param)
    count = (400, 400, 9)[request.param]
    same = random.permutation(np.arange(count) % 3 == 0)
    cosines = np.clip(np.where(same, 0.6, 0.1) + 0.2 * random.normal(size=count), -1, 1)
    return (np.round(cosines, 1) if request.param == 1 else cosines), same


def accuracy(cosines, same, threshold):
    return sum((c >= threshold) == s for c, s in zip(cosines, same, strict=True)) / len(same)


@pytest.mark.parametrize("limit", [0.3, 0.01, 0.001])
def test_operating_point_has_the_lowest_threshold_that_keeps_to_the_limit(pairs, limit):
    cosines, same = pairs
    point = verify(cosines, same, interleaved_folds(same), limits=[limit]).points[0]
    different = cosines[~same]
    # A rate changes at a cosine alone: between two of them and beyond the last one is all there is.
    candidates = np.append(np.sort(different), 2)
    allowed = [t for t in candidates if (different > t).mean() <= limit]
    assert point.threshold == pytest.approx(min(allowed), abs=1e-12)
    assert point.far == (different > min(allowed)).mean() <= limit
    assert point.tar == (cosines[same] > min(allowed)).mean()


def test_limit_that_is_a_whole_number_of_pairs_admits_that_many():
    """29 of 100, although 0.29 · 100 is less than 29 in binary."""
    cosines = np.concatenate([np.linspace(0, 0.99, 100), [1.0, 1.0]])
    same = np.arange(102) >= 100
    assert verify(cosines, same, interleaved_folds(same), limits=[0.29]).points[0].far == 0.29


def test_operating_point_is_that_of_the_closed_form_for_normal_cosines():
    """FAR = 1 - Phi(threshold / s) gives the threshold; TAR = 1 - Phi((threshold - m) / s)."""
    random = np.random.default_rng(4)
    same = np.arange(400_000) < 200_000
    cosines = 0.1 * random.normal(size=len(same)) + 0.3 * same
    found = verify(cosines, same, interleaved_folds(same), limits=[1e-2, 1e-3])
    for point in found.points:
        threshold = 0.1 * norm.isf(point.limit)
        assert point.threshold == pytest.approx(threshold, abs=0.003)
        assert point.tar == pytest.approx(norm.sf((threshold - 0.3) / 0.1), abs=0.01)
    assert found.auc == pytest.approx(norm.cdf(0.3 / math.hypot(0.1, 0.1)), abs=0.001)
    assert found.cross_validated.accuracy == pytest.approx(norm.cdf(1.5), abs=0.001)


def test_area_under_the_curve_is_mann_whitneys(pairs):
    cosines, same = pairs
    found = verify(cosines, same, interleaved_folds(same))
    u = mannwhitneyu(cosines[same], cosines[~same]).statistic
    assert found.auc == pytest.approx(u / (same.sum() * (~same).sum()))


def test_best_threshold_has_the_greatest_accuracy_of_all(pairs):
    cosines, same = pairs
    best = max(accuracy(cosines, same, t) for t in [*cosines, 2])
    assert accuracy(cosines, same, best_threshold(cosines, same)) == best


def test_best_threshold_of_people_told_apart_lies_half_way():
    threshold = best_threshold(np.array([0.5, 0.1, 0.9, 0.2]), np.array([True, False, True, False]))
    assert threshold == pytest.approx(0.35)


@pytest.mark.parametrize("kind", [True, False])
def test_best_threshold_of_one_kind_of_pairs_judges_all_rightly(kind):
    cosines, same = np.array([0.1, 0.5]), np.array([kind, kind])
    assert accuracy(cosines, same, best_threshold(cosines, same)) == 1


def test_accuracy_is_measured_on_pairs_that_the_threshold_has_not_seen(pairs):
    cosines, same = pairs
    folds = interleaved_folds(same)
    accuracies = []
    for fold in range(max(folds) + 1):
        threshold = best_threshold(cosines[folds != fold], same[folds != fold])
        accuracies.append(accuracy(cosines[folds == fold], same[folds == fold], threshold))
    mean = sum(accuracies) / len(accuracies)
    spread = math.sqrt(sum((p - mean) ** 2 for p in accuracies) / (len(accuracies) - 1))
    found = cross_validate(cosines, same, folds)
    assert found.accuracy == pytest.approx(mean)
    assert found.standard_error == pytest.approx(spread / math.sqrt(len(accuracies)))


def test_noise_is_no_better_than_chance_however_the_threshold_is_chosen():
    random = np.random.default_rng(5)
    same = np.arange(2000) % 2 == 0
    found = verify(random.normal(size=2000) / 9, same, interleaved_folds(same))
    assert abs(found.cross_validated.accuracy - 0.5) < 4 * math.sqrt(0.25 / 2000)
    assert abs(found.auc - 0.5) < 0.05


def test_folds_have_their_share_of_either_kind():
    same = np.arange(743) < 654
    folds = interleaved_folds(same)
    for kind in (same, ~same):
        counts = np.bincount(folds[kind])
        assert len(counts) == 10
        assert np.ptp(counts) <= 1


def test_given_thresholds_are_judged(pairs):
    cosines, same = pairs
    found = verify(cosines, same, interleaved_folds(same), thresholds=[0.3])
    assert found.rates[0].tar == (cosines[same] >= 0.3).mean()
    assert found.rates[0].far == (cosines[~same] >= 0.3).mean()
    assert found.rates[0].accuracy == pytest.approx(accuracy(cosines, same, 0.3))


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_all_pairs_are_those_of_a_list_of_all(rows, monkeypatch):
    count = 61
    monkeypatch.setattr("tipim_jax.identification.impostors._BLOCK", rows * count)
    random = np.random.default_rng(6)
    identities = random.integers(0, 9, count)
    centres = random.normal(size=(9, 16))
    embeddings = 3 * (centres[identities] + random.normal(size=(count, 16))).astype(np.float32)
    listed = list(itertools.combinations(range(count), 2))
    first, second = np.array(listed).T
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    same = identities[first] == identities[second]
    cosines = (unit[first] * unit[second]).sum(1)
    settings = {"limits": [0.1, 0.01], "thresholds": [0.31]}
    expected = verify(cosines, same, interleaved_folds(same), **settings)
    found = verify_all_pairs(embeddings, identities, **settings)
    assert (found.same, found.different) == (expected.same, expected.different)
    assert found.auc == pytest.approx(expected.auc, abs=1e-6)
    assert found.rates == expected.rates
    for ours, theirs in zip(found.points, expected.points, strict=True):
        assert (ours.far, ours.tar) == (theirs.far, theirs.tar)
        assert ours.threshold == pytest.approx(theirs.threshold, abs=1e-6)
    assert found.cross_validated is None


@pytest.mark.parametrize("same", [[True] * 9, [False] * 9, [True, False, False], []])
def test_too_few_pairs_of_one_kind_are_refused_with_their_number(same):
    same = np.array(same, bool)
    with pytest.raises(ValueError, match=f"found {same.sum()} pairs of the same person and"):
        verify(np.zeros(len(same)), same, interleaved_folds(same))


def test_cosine_that_is_no_number_is_refused():
    same = np.arange(8) % 2 == 0
    with pytest.raises(ValueError, match="NaN"):
        verify(np.where(same, np.nan, 0), same, interleaved_folds(same))
    with pytest.raises(ValueError, match="NaN"):
        verify_all_pairs(np.full((4, 3), np.nan), np.array([0, 0, 0, 1]))


# Lists of pairs.


@pytest.fixture
def listed(tmp_path):
    """Reads a list with the given content."""

    def read(content):
        file = tmp_path / "pairs.txt"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_pairs(file)

    return read


def test_list_has_pairs_of_one_name_and_of_two(listed):
    pairs = listed("Ann\t1\t12\r\nAnn\t3\tBob_B\t4\r\n\r\n")
    assert pairs.photos[0] == (LfwPhoto("Ann", 1), LfwPhoto("Ann", 12))
    assert pairs.photos[1] == (LfwPhoto("Ann", 3), LfwPhoto("Bob_B", 4))
    assert pairs.same.tolist() == [True, False]
    assert pairs.folds is None


def test_list_may_use_blanks_and_names_may_have_them_between_tabs(listed):
    assert listed("Ann 1 2").photos == listed("\ufeffAnn\t1\t2").photos
    assert listed("Ann Lee\t1\t2").photos[0][0] == ("Ann Lee", 1)


def test_first_line_gives_the_folds(listed):
    fold = "A 1 2\nA 1 3\nA 1 B 1\nA 2 B 2\n"
    assert listed(f"3\t2\n{3 * fold}").folds.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert listed(f"2\n{fold}").folds is None  # as pairsDevTest.txt


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no pairs"),
        ("\n \n", "holds no pairs"),
        ("10\t300\n", "holds no pairs"),
        (b"\x89PNG\r\n\x1a\n\xff\xd8", "is no text"),
        (bytes(50), r"line 1: found .*x00"),
        ("Ann 1 2\nAnn 1\n", "line 2: found 'Ann 1', expected"),
        ("Ann one 2\n", "line 1: found"),
        ("Ann 0 2\n", "line 1: found"),
        ("Ann 1 -2\n", "line 1: found"),
        ("name,imagenum1,imagenum2\n", "line 1: found"),
        ("Ann 1 1\n", "line 1: pairs Ann_0001 with itself"),
        ("10 300\nAnn 1 2\n", "holds 1 pairs; its first line says 10 x 2 x 300"),
    ],
)
def test_list_that_is_none_is_refused_with_the_line(listed, content, said):
    with pytest.raises(LfwError, match=rf"pairs\.txt.*{said}"):
        listed(content)


def test_list_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(LfwError, match=f"cannot read {path}: "):
            read_pairs(path)


# Photos.

NAMES = ("lfw/Ann/Ann_0001.jpg", "lfw/Bob_B/Bob_B_0012.png", "lfw/readme.txt", "lfw/Ann/._x.jpg")


def in_folder(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def in_tar(place: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(place, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place


def in_zip(place: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return place


@pytest.mark.parametrize("strip", ["", "lfw/"], ids=["folder above", "the folder itself"])
@pytest.mark.parametrize(
    "make",
    [
        in_folder,
        in_tar,
        in_zip,
        lambda place, files: in_tar(place, files, "w"),
        lambda place, files: in_tar(place, {f"./{name}": files[name] for name in files}, "w:xz"),
    ],
    ids=["folder", "tgz", "zip", "tar", "xz with dots"],
)
def test_photos_are_found_by_name_in_folders_and_archives(tmp_path, make, strip):
    place = make(tmp_path / "place", {name.removeprefix(strip): name.encode() for name in NAMES})
    before = sorted(tmp_path.rglob("*"))
    with open_lfw(place) as lfw:
        assert set(lfw.entries) == {("Ann", 1), ("Bob_B", 12)}
        assert lfw.read(LfwPhoto("Bob_B", 12)) == NAMES[1].encode()
        assert lfw.read(LfwPhoto("Ann", 1)) == NAMES[0].encode()
    assert sorted(tmp_path.rglob("*")) == before


def damaged(tmp_path, kind):
    files = {f"lfw/P{n}/P{n}_0001.jpg": np.random.default_rng(n).bytes(9000) for n in range(9)}
    if kind in ("folder", "no such place", "no photos", "text", "empty"):
        return {
            "no such place": lambda: tmp_path / "none",
            "folder": lambda: tmp_path,
            "no photos": lambda: in_zip(tmp_path / "a.zip", {"lfw/Ann.jpg": PHOTO}),
            "text": lambda: in_folder(tmp_path, {"pairs.txt": b"Ann 1 2\n" * 200}) / "pairs.txt",
            "empty": lambda: in_folder(tmp_path, {"lfw.tgz": b""}) / "lfw.tgz",
        }[kind]()
    if kind == "truncated zip":
        place = in_zip(tmp_path / "lfw.zip", files)
    else:
        place = in_tar(tmp_path / "lfw.tgz", files, "w" if kind.startswith("tar ") else "w:gz")
    content = place.read_bytes()
    ends = {"tar in a photo": 40_000, "tar between photos": 5 * (512 + 9216)}
    place.write_bytes(content[: ends.get(kind, len(content) // 2)])
    return place


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no such place", "No such file"),
        ("folder", "holds no photo that is named as in LFW"),
        ("no photos", "holds no photo that is named as in LFW"),
        ("text", "is neither a folder nor a .tgz"),
        ("empty", "is neither a folder nor a .tgz"),
        ("truncated tgz", "cannot read .*ended before"),
        ("truncated zip", "cannot read .*not a zip"),
        ("tar in a photo", "cannot read .*unexpected end"),
        ("tar between photos", "cannot read .*it breaks off"),
    ],
)
def test_place_that_holds_no_photos_or_is_damaged_is_one_error(tmp_path, kind, said):
    place = damaged(tmp_path, kind)
    with pytest.raises(LfwError, match=f"(?s){place.name}.*{said}|{said}"), open_lfw(place):
        pass


def test_photo_whose_archive_is_damaged_inside_is_named(tmp_path):
    place = in_zip(tmp_path / "lfw.zip", {"Ann/Ann_0001.jpg": np.random.default_rng(0).bytes(9000)})
    content = bytearray(place.read_bytes())
    content[4000] ^= 0xFF
    place.write_bytes(content)
    with open_lfw(place) as lfw, pytest.raises(LfwError, match=r"cannot read Ann_0001 in .*CRC"):
        lfw.read(LfwPhoto("Ann", 1))


@pytest.mark.parametrize("make", [in_tar, in_zip])
def test_archive_with_names_that_lead_elsewhere_writes_nothing(tmp_path, make):
    names = ["/etc/Ann/Ann_0001.jpg", "../../Ann/Ann_0002.jpg", "../Ann/Ann_0003.jpg"]
    place = make(
        tmp_path / "a" / "lfw" if (tmp_path / "a").mkdir() else tmp_path / "lfw",
        {
            **dict.fromkeys(names, PHOTO),
            "lfw/Bob/Bob_0001.jpg": PHOTO,
        },
    )
    before = sorted(tmp_path.rglob("*"))
    with open_lfw(place) as lfw:
        assert all(lfw.read(photo) == PHOTO for photo in lfw.entries)
        assert ("Bob", 1) in lfw.entries
    assert sorted(tmp_path.rglob("*")) == before


def test_links_in_an_archive_are_no_photos(tmp_path):
    place = tmp_path / "lfw.tar"
    with tarfile.open(place, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"lfw/Ann/Ann_000{int(kind)}.jpg")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    with pytest.raises(LfwError, match="holds no photo"), open_lfw(place):
        pass


def test_two_photos_of_one_name_are_refused(tmp_path):
    in_folder(tmp_path, {"lfw/Ann/Ann_0001.jpg": b"", "lfw-deep/Ann/Ann_0001.jpg": b""})
    with pytest.raises(LfwError, match=r"holds Ann_0001 twice: lfw\S* and lfw"), open_lfw(tmp_path):
        pass


@pytest.mark.parametrize("make", [in_tar, in_zip])
def test_photo_that_expands_beyond_reason_is_refused(tmp_path, make, monkeypatch):
    monkeypatch.setattr("tipim_jax.datasets.lfw._LARGEST", 2**20)
    place = make(tmp_path / "lfw", {"Ann/Ann_0001.jpg": bytes(2**20 + 1)})
    with open_lfw(place) as lfw, pytest.raises(LfwError, match=r"Ann_0001 in .*more than 1 MiB"):
        lfw.read(LfwPhoto("Ann", 1))


def test_archive_whose_names_would_fill_the_memory_is_refused(tmp_path):
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**40
    place = tmp_path / "lfw.tgz"
    place.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)))
    with pytest.raises(LfwError, match=r"name of .* bytes"), open_lfw(place):
        pass


def test_photo_in_memory_is_read_as_from_its_file():
    path = people.photos("Person_001")[0]
    np.testing.assert_array_equal(decode_photo(PHOTO, "x").pixels, read_photo(path).pixels)
    with pytest.raises(PhotoError, match="cannot read Ann_0001: not a PNG"):
        decode_photo(b"no photo", "Ann_0001")


def test_central_face_is_the_one_that_the_name_is_about(detector):
    """Two people side by side, the larger one further off."""
    small, large = (read_photo(people.photos(f"Person_00{n}")[0]).pixels for n in (1, 2))
    large = large.repeat(2, axis=0).repeat(2, axis=1)
    pixels = np.full((500, 1200, 3), 128, np.uint8)
    pixels[125:375, 475:725] = small
    pixels[:, 725 : 725 + 475] = large[:, :475]
    faces = detector.detect(pixels)
    assert len(faces) == 2
    face = central_face(faces, pixels)
    assert face is not faces[0]
    assert abs(face.box[0] + face.box[2] / 2 - 600) < 50
