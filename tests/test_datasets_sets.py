"""A set of photos is the same however it is kept, is built once, and never half."""

import dataclasses
import functools
import hashlib
import http.server
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from tipim_jax.datasets import FaceSet, records
from tipim_jax.datasets import bundled as people
from tipim_jax.datasets.lfw import LfwError, LfwPhoto, open_lfw

PEOPLE = people.identities()[:4]
LFW = Path(__file__).parents[2] / "shared" / "lfw" / "lfw.tgz"


@pytest.fixture
def folder(tmp_path):
    """Some of the bundled people in LFW's layout, and a file that is no photo."""
    place = tmp_path / "lfw"
    for name, content in _photos().items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (place / "README").write_text("about")
    return place


def _photos():
    files = [photo for person in PEOPLE for photo in people.photos(person)]
    return {f"lfw/{file.parent.name}/{file.name}": file.read_bytes() for file in files}


def _tgz(file, photos):
    with tarfile.open(file, "w:gz") as archive:
        for name, content in photos.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file


def _zip(file, photos):
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in photos.items():
            archive.writestr(name, content)
    return file


def _contents(faces):
    return {str(photo): faces.read(photo) for photo in faces.photos}


def test_archives_and_folders_give_the_same_photos(tmp_path, folder, cache):
    photos = _photos()
    backwards = dict(reversed(photos.items()))
    expected = {Path(name).stem: content for name, content in photos.items()}
    for source in (
        folder,
        _tgz(tmp_path / "lfw.tgz", backwards),
        _zip(tmp_path / "lfw.zip", photos),
    ):
        faces = FaceSet.lfw(source)
        assert _contents(faces) == expected
        assert list(faces.photos) == sorted(faces.photos)
        assert faces.origin == f"{source.name} (12 photos of 4 people)"
    assert _contents(FaceSet.folder(folder)) == expected


def test_bundled_people_are_a_set():
    faces = FaceSet.bundled()
    assert list(faces.people) == people.identities()
    for person, photos in faces.people.items():
        files = [faces.read(photo) for photo in photos]
        assert files == [file.read_bytes() for file in people.photos(person)]
    assert faces.origin == "the bundled people (210 photos of 70 people)"


def test_record_has_the_key_the_person_and_the_number_of_lfw(tmp_path, cache):
    """As TensorFlow Datasets reads them, which knows nothing of our reader."""
    FaceSet.lfw(_tgz(tmp_path / "lfw.tgz", _photos()))
    (place,) = {file.parent for file in cache()}
    keys = json.loads((place / "photos.json").read_bytes())
    records = tfds.builder_from_directory(place).as_data_source("train")
    assert len(records) == len(keys) == 12
    for key, record in zip(keys, records, strict=True):
        person = record["person"].decode()
        assert key == f"{person}/{person}_{record['number']:04d}.jpg"
        assert record["photo"] == _photos()[f"lfw/{key}"]


def test_set_is_built_once_for_each_content(tmp_path, cache):
    photos = _photos()
    archive = _tgz(tmp_path / "lfw.tgz", photos)
    FaceSet.lfw(archive)
    built = {file: file.stat().st_mtime_ns for file in cache()}
    FaceSet.lfw(archive.rename(tmp_path / "other.tgz"))
    assert built == {file: file.stat().st_mtime_ns for file in cache()}
    photos.popitem()
    assert len(FaceSet.lfw(_tgz(tmp_path / "lfw.tgz", photos)).photos) == 11
    assert len(cache()) == 2 * len(built)


@pytest.mark.parametrize("which", [".array_record", "photos.json", "features.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_damaged_set_is_built_anew(which, damage, tmp_path, cache):
    archive = _tgz(tmp_path / "lfw.tgz", _photos())
    expected = _contents(FaceSet.lfw(archive))
    whole = {file: file.read_bytes() for file in cache()}
    (file,) = (file for file in whole if which in file.name)
    if damage == "gone":
        file.unlink()
    else:
        content = bytearray(whole[file])
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    assert _contents(FaceSet.lfw(archive)) == expected
    assert set(cache()) == set(whole)


def _truncated(tmp_path):
    archive = _tgz(tmp_path / "lfw.tgz", _photos())
    archive.write_bytes(archive.read_bytes()[:-20_000])
    return archive


def _truncated_tar(tmp_path):
    """Cut between two entries, where a reader of archives sees no fault."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("lfw/A_Name/A_Name_0001.jpg"))
    (tmp_path / "lfw.tar").write_bytes(whole.getvalue()[:512])
    return tmp_path / "lfw.tar"


def _damaged_inside(tmp_path):
    """An archive whose list of files is sound and whose last photo is not."""
    archive = _zip(tmp_path / "lfw.zip", _photos())
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"\xff\xd9") - 100] ^= 1
    archive.write_bytes(content)
    return archive


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (_truncated, r"cannot read .*lfw\.tgz: .*ended before"),
        (_truncated_tar, r"cannot read .*lfw\.tar: it breaks off"),
        (_damaged_inside, r"cannot read Person_004_0003 in .*lfw\.zip: Bad CRC"),
        (lambda tmp: _zip(tmp / "a.zip", {"cat/1.jpg": b""}), "no photo that is named as in LFW"),
        (lambda tmp: tmp / "gone.tgz", r"cannot read .*gone\.tgz: No such file"),
        (lambda tmp: people.photos("Person_001")[0], "neither a folder nor a .tgz"),
    ],
    ids=["truncated", "truncated between", "damaged inside", "foreign", "missing", "no archive"],
)
def test_archive_that_will_not_do_is_one_error_and_leaves_nothing(make, match, tmp_path, cache):
    with pytest.raises(LfwError, match=match):
        FaceSet.lfw(make(tmp_path))
    assert cache() == []


def test_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(LfwError, match=r"gone is no folder; FaceSet\.lfw takes archives"):
        FaceSet.folder(tmp_path / "gone")


def test_photo_that_is_not_there_is_named(folder):
    with pytest.raises(LfwError, match=r"lfw \(12 photos .*: found no photo called A_Name_0001"):
        FaceSet.folder(folder).read(LfwPhoto("A_Name", 1))


def test_set_that_is_changed_while_it_is_open_gives_an_error_and_no_other_photo(tmp_path, cache):
    faces = FaceSet.lfw(_tgz(tmp_path / "lfw.tgz", _photos()))
    (records,) = (file for file in cache() if ".array_record" in file.name)
    content = bytearray(records.read_bytes())
    for place in range(1000, len(content), 997):
        content[place] ^= 255
    records.write_bytes(content)
    with pytest.raises(LfwError, match=r"record \d+: found .*expected Person_.*run this again"):
        _contents(faces)


def test_building_that_is_killed_leaves_nothing_that_is_taken_for_a_set(tmp_path, cache):
    archive = _tgz(tmp_path / "lfw.tgz", _photos())
    code = (
        "import os, signal, sys; from pathlib import Path; from tipim_jax.datasets import records;"
        "records._key = lambda photo: os.kill(os.getpid(), signal.SIGKILL);"
        "records.build(Path(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, archive])
    assert killed.returncode == -9
    assert not list((tmp_path / "cache" / "lfw").iterdir())
    assert len(_contents(FaceSet.lfw(archive))) == 12


def test_full_disk_is_an_error_with_the_way_out_and_leaves_nothing(tmp_path, cache):
    code = (
        "import resource, sys; from pathlib import Path; from tipim_jax.datasets import FaceSet;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "FaceSet.lfw(Path(sys.argv[1]))"
    )
    archive = _tgz(tmp_path / "lfw.tgz", _photos())
    ran = subprocess.run([sys.executable, "-c", code, archive], capture_output=True, text=True)
    assert "LfwError: cannot write to the cache" in ran.stderr
    assert "File too large" in ran.stderr and "set TIPIM_JAX_HOME" in ran.stderr
    assert cache() == []


def test_building_and_reading_take_no_tensorflow_and_say_what_takes_a_while(tmp_path, cache):
    code = (
        "import sys; from pathlib import Path; from tipim_jax.datasets import FaceSet;"
        "faces = FaceSet.lfw(Path(sys.argv[1])); faces.read(faces.photos[0]);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    archive = _tgz(tmp_path / "lfw.tgz", _photos())
    ran = subprocess.run([sys.executable, "-c", code, archive], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "reading lfw.tgz …\n")
    assert any(".array_record" in file.name for file in cache())


@pytest.fixture
def published(tmp_path, monkeypatch):
    """An archive at the address of the original LFW, here a server of our own; gives the server."""
    archive = _tgz(tmp_path / "published", _photos())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    handler = functools.partial(_Silent, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/published"
        here = dataclasses.replace(records.LFW, url=address, sha256=digest)
        monkeypatch.setattr(records, "LFW", here)
        yield archive
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_original_is_downloaded_once_where_no_source_is_given(published, cache):
    faces = FaceSet.lfw()
    assert faces.origin == "Labeled Faces in the Wild (12 photos of 4 people)"
    assert _contents(faces) == _contents(FaceSet.lfw(published))  # is the same, and is not copied
    assert len({file.parent for file in cache() if "lfw" in file.parts}) == 1
    published.unlink()
    for file in cache():
        if file.name == "lfw.tgz":
            file.unlink()
    assert len(_contents(FaceSet.lfw())) == 12


def test_original_that_cannot_be_had_is_an_error_with_the_way_out(published, cache):
    published.write_bytes(b"another")
    with pytest.raises(LfwError, match=r"expected [0-9a-f]{64}.*name it as the source of LFW"):
        FaceSet.lfw()
    published.unlink()
    with pytest.raises(LfwError, match=r"404 .*if you have lfw\.tgz .*the source of LFW"):
        FaceSet.lfw()
    assert cache() == []


def test_real_lfw_is_built_as_it_is(cache):
    if not LFW.is_file():
        pytest.skip(f"{LFW} is not there: the real LFW is not tested")
    faces = FaceSet.lfw(LFW)
    with open_lfw(LFW) as lfw:
        assert set(faces.photos) == set(lfw.entries)
        assert all(faces.read(photo) == lfw.read(photo) for photo in lfw.entries)
    assert len(faces.people) == 1020
