"""Who is in a photo, as its folder and its name say."""

import re
from collections.abc import Container

from tipim_jax.photos import PhotoFile


def person(file: PhotoFile) -> str:
    """Who is in a photo that comes from a collection of known people.

    The name of its folder, below the one that was given: alice/IMG_0001.jpg and bob/IMG_0002.jpg
    are of two people. Of a photo in the given folder itself, `A_Name` of A_Name_0001.jpg, as files
    are called in LFW, or else the whole name.
    """
    if file.relative.parent.parts:
        return file.source.parent.name
    match = re.fullmatch(r"(.+)_\d+", file.source.stem)
    return match[1] if match else file.source.stem


def stated_person(file: PhotoFile, known: Container[str] = ()) -> str | None:
    """Who is in a photo of any origin, where its place says it; None where it does not.

    It does in a folder that is called as somebody known, and where the file is called after its
    folder, as in LFW: A_Name/A_Name_0001.jpg.
    """
    folder = file.source.parent.name
    if folder in known or re.fullmatch(rf"{re.escape(folder)}_\d+", file.source.stem):
        return folder
    return None
