"""LFW's lists of pairs, and its photos in folders and archives, whole or not."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.datasets import bundled as people
from tipim_jax.datasets.lfw import LfwError, LfwPhoto, open_lfw, read_pairs
from tipim_jax.photos import PhotoError, central_face, decode_photo, read_photo

PHOTO = people.photos("Person_001")[0].read_bytes()


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
    with pytest.raises(PhotoError, match="cannot read Ann_0001: no picture"):
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
