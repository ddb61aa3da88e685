"""Photos are found in files and folders, and their copies get names of their own."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tipim_jax.photos import PhotoError, PhotoFile, find_files, find_photos, output_paths


def content(kind, mode="RGB"):
    """A small picture's file."""
    stream = io.BytesIO()
    Image.new(mode, (16, 16), 90).save(stream, kind)
    return stream.getvalue()


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(photos):
    return [photo.relative.as_posix() for photo in photos]


def outputs(photos, folder, saved_as="png"):
    copies = output_paths(photos, folder, saved_as=saved_as)
    return [path.relative_to(folder).as_posix() for path in copies]


# Finding


def test_folders_are_searched_for_visible_photos_in_order_of_name(tmp_path):
    touch(tmp_path / "b.JPG", tmp_path / "a" / "z.webp", tmp_path / "a" / "deep" / "c.PnG")
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.png", tmp_path / ".cache" / "x.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    found = find_photos([tmp_path])
    assert names(found) == ["a/deep/c.PnG", "a/z.webp", "b.JPG"]
    assert all(photo.source == tmp_path / photo.relative for photo in found)


def test_a_file_named_directly_is_taken_whatever_its_name(tmp_path):
    touch(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "scan").write_bytes(content("JPEG"))
    assert names(find_photos([tmp_path / "in" / "scan", tmp_path / "in" / "a.jpg"])) == [
        "scan",
        "a.jpg",
    ]


def test_paths_are_absolute_and_may_go_upwards(tmp_path, monkeypatch):
    touch(tmp_path / "a" / "x.png", tmp_path / "b" / "y.png")
    monkeypatch.chdir(tmp_path / "a")
    parent, here = Path("../b"), Path(".")
    assert find_photos([parent, here]) == [
        PhotoFile(tmp_path / "b" / "y.png", Path("y.png")),
        PhotoFile(tmp_path / "a" / "x.png", Path("x.png")),
    ]


def test_a_link_to_a_photo_is_one_and_no_folder_is_searched_twice(tmp_path):
    touch(tmp_path / "photos" / "a.png", tmp_path / "elsewhere" / "b.png")
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "same.png").symlink_to(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "elsewhere")
    found = find_files([tmp_path / "photos"])
    assert names(found.photos) == ["a.png", "again/b.png", "same.png"]
    assert [(str(file.relative), what) for file, what in found.others] == [
        (name, "a link to a folder that is searched where it lies") for name in ("loop", "more")
    ]


def test_a_photo_named_twice_is_found_once(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "b.png")
    assert names(find_photos([tmp_path / "b.png", tmp_path, tmp_path])) == ["b.png", "a.png"]


def test_all_paths_that_are_no_photos_are_named_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PhotoError) as error:
        find_photos([tmp_path / "gone.jpg", tmp_path / "pipe", tmp_path])
    assert "gone.jpg does not exist" in str(error.value)
    assert "pipe is neither a file nor a folder" in str(error.value)


def test_the_output_of_an_earlier_run_is_passed_over(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "out" / "a.png")
    for asked_for in (tmp_path, tmp_path / "out"):
        assert names(find_files([asked_for], skip=tmp_path / "out").photos) == ["a.png"]


def test_the_outputs_of_other_runs_are_named_and_not_protected_again(tmp_path):
    for name in ("a.png", "older/a.png", "older/.tipim_jax/a.png.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(content("PNG") if name.endswith("png") else b"{}")
    found = find_files([tmp_path])
    assert [photo.relative for photo in found.photos] == [Path("a.png")]
    ((older, what),) = found.others
    assert (older.relative, what) == (Path("older"), "what an earlier run protected")
    assert len(find_photos([tmp_path / "older"])) == 1, "asked for by name it is searched"


def test_equal_names_from_several_folders_keep_the_folders_names(tmp_path):
    touch(*(tmp_path / place / "x.png" for place in ("p/one", "p/two", "q/one")))
    touch(tmp_path / "q" / "one" / "y.png")
    folders = [tmp_path / "p" / "one", tmp_path / "p" / "two", tmp_path / "q" / "one"]
    assert names(find_photos(folders)) == ["p/one/x.png", "two/x.png", "q/one/x.png", "y.png"]
    assert set(find_photos(folders)) == set(find_photos(folders[::-1]))


# Naming


def test_copies_are_png_below_the_output_folder(tmp_path):
    touch(tmp_path / "in" / "a.jpg", tmp_path / "in" / "d" / "b.old.WEBP")
    found = find_photos([tmp_path / "in"])
    assert outputs(found, tmp_path / "out") == ["a.png", "d/b.old.png"]
    assert outputs(found, tmp_path / "out", "same") == ["a.jpg", "d/b.old.png"]


def test_photos_that_differ_in_their_suffix_alone_do_not_meet(tmp_path):
    touch(*(tmp_path / "in" / name for name in ("a.jpg", "a.png", "a.webp", "a.jpg.png")))
    found = find_photos([tmp_path / "in"])
    assert names(found) == ["a.jpg", "a.jpg.png", "a.png", "a.webp"]
    expected = ["a.jpg (2).png", "a.jpg.png", "a.png", "a.webp.png"]
    assert outputs(found, tmp_path / "out") == expected
    assert outputs(found[::-1], tmp_path / "out") == expected[::-1]


def test_names_that_differ_in_case_alone_do_not_meet(tmp_path):
    touch(tmp_path / "in" / "A.png", tmp_path / "in" / "a.png")
    if len(list((tmp_path / "in").iterdir())) == 1:
        pytest.skip("this file system does not tell A from a")
    found = find_photos([tmp_path / "in"])
    assert outputs(found, tmp_path / "out") == ["A.png", "a.png.png"]


def test_names_that_differ_in_how_an_accent_is_coded_do_not_meet(tmp_path):
    """A letter and its accent are one sign or two; a Mac's disks do not tell them apart."""
    touch(tmp_path / "in" / "e\N{COMBINING ACUTE ACCENT}.png", tmp_path / "in" / "\u00c9.png")
    if len(list((tmp_path / "in").iterdir())) == 1:
        pytest.skip("this file system does not tell them apart")
    copies = outputs(find_photos([tmp_path / "in"]), tmp_path / "out")
    assert copies == ["e\N{COMBINING ACUTE ACCENT}.png", "\u00c9.png.png"]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a.JPG", "JPEG", "a.JPG"),
        ("a.jfif", "JPEG", "a.jfif"),
        ("a.png", "JPEG", "a.jpg"),  # what it is counts, not what it is called
        ("scan", "JPEG", "scan.jpg"),
        ("IMG_1.HEIC", "HEIF", "IMG_1.jpg"),
        ("a.jpg", "HEIF", "a.jpg"),
        ("a.jpg", "PNG", "a.png"),
        ("a.PNG", "PNG", "a.PNG"),
        ("a.webp", "WEBP", "a.png"),
        ("a.avif", "AVIF", "a.png"),
        ("a.tif", "TIFF", "a.png"),
        ("a.bmp", "BMP", "a.png"),
        ("a.gif", "GIF", "a.png"),
    ],
)
def test_a_copy_is_jpeg_where_the_photo_is_or_heic_and_png_otherwise(
    tmp_path, name, kind, expected
):
    (tmp_path / name).write_bytes(content(kind))
    found = find_photos([tmp_path])
    assert outputs(found, tmp_path / "out", "same") == [expected]
    assert outputs(found, tmp_path / "out", "png")[0].lower().endswith(".png")


def test_transparency_of_a_heic_photo_is_not_lost_in_a_jpeg(tmp_path):
    pixels = np.dstack([np.full((16, 16, 3), 90, np.uint8), np.eye(16, dtype=np.uint8) * 255])
    Image.fromarray(pixels).save(tmp_path / "a.heic", "HEIF")
    assert outputs(find_photos([tmp_path]), tmp_path / "out", "same") == ["a.png"]


def test_a_heic_photo_and_a_jpeg_of_one_name_do_not_meet(tmp_path):
    (tmp_path / "a.HEIC").write_bytes(content("HEIF"))
    (tmp_path / "a.jpg").write_bytes(content("JPEG"))
    found = find_photos([tmp_path])
    assert outputs(found, tmp_path / "out", "same") == ["a.HEIC.jpg", "a.jpg"]


# What is no photo


def test_photos_are_told_by_their_content_and_all_else_is_named(tmp_path):
    kinds = ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM"]
    for kind in kinds:
        (tmp_path / f"{kind}.bin").write_bytes(content(kind))
    (tmp_path / "wide.bmp").write_bytes(b"BMW are cars, and this is a text")
    (tmp_path / "notes.txt").write_text("BMW are cars, and this is a text")
    (tmp_path / "clip.MOV").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
    (tmp_path / "photo.nef").write_bytes(content("TIFF"))  # its first picture is a small one
    (tmp_path / ".DS_Store").write_bytes(b"of no interest")
    (tmp_path / ".cut.jpg").write_bytes(content("JPEG"))
    touch(tmp_path / ".thumbnails" / "a.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    found = find_files([tmp_path])
    assert {name.removesuffix(".bin") for name in names(found.photos)} == {*kinds, "wide.bmp"}
    others = {file.relative.as_posix(): kind for file, kind in found.others}
    assert others.pop("photo.nef").startswith("a picture of a kind that cannot be read")
    assert others == {
        ".cut.jpg": "a hidden picture",
        ".thumbnails": "a hidden folder",
        "clip.MOV": "a video",
        "link.jpg": "a link to nothing",
        "notes.txt": "no photo",
        "pipe": "no file",
    }


def test_what_is_named_itself_and_is_no_photo_is_named_as_such(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "a.jpg")
    found = find_files([tmp_path / "a.mp4", tmp_path / "a.jpg"])
    assert names(found.photos) == ["a.jpg"]
    assert [(file.relative.name, kind) for file, kind in found.others] == [("a.mp4", "a video")]


def test_no_photo_is_overwritten_by_its_copy(tmp_path):
    touch(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"would overwrite .*a.png.*another output folder"):
        output_paths(find_photos([tmp_path]), tmp_path, saved_as="same")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PhotoError, match="would overwrite"):
        output_paths(find_photos([tmp_path]), tmp_path / "link", saved_as="same")
    # As on a disk that ignores case, where In/a.png is in/a.png: one file has two names.
    (tmp_path / "In").mkdir()
    os.link(tmp_path / "a.png", tmp_path / "In" / "a.png")
    with pytest.raises(PhotoError, match="would overwrite"):
        output_paths(find_photos([tmp_path / "a.png"]), tmp_path / "In", saved_as="same")
