"""Colour profiles: what of them is kept, and those of photos that name their colours elsewhere."""

import struct

import numpy as np
from jaxtyping import Float

Chromaticities = tuple[tuple[float, float], ...]  # x, y of red, green and blue, CIE 1931

_D65 = (0.3127, 0.3290)
# D50 as a profile's connection space has it (ICC.1:2022, 7.2.16)
_D50 = np.array([0.9642, 1.0, 0.8249])
# ICC.1:2022, annex E: Bradford's matrix
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

# Adobe RGB (1998) Color Image Encoding, 4.3.1.1 and 4.3.1.2; 563 / 256 is its exponent
ADOBE_RGB: Chromaticities = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_CURVE = (563 / 256,)
# SMPTE EG 432-1 with the curve of sRGB (IEC 61966-2-1), as Display P3
DISPLAY_P3: Chromaticities = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# ICC.1:2022, clause 9, and ICC.1:2001-04, 6.4: the tags that colours are worked out with, and texts
# that a profile has to have.
_COLOURS = frozenset(
    b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad chrm cicp lumi gamt desc cprt A2B0 A2B1 "
    b"A2B2 B2A0 B2A1 B2A2 D2B0 D2B1 D2B2 D2B3 B2D0 B2D1 B2D2 B2D3".split()
)


def impersonal(profile: bytes) -> bytes:
    """An ICC profile without what colours are not worked out with, which becomes zero bytes.

    A screenshot has that of the screen, whose maker, serial number and date may stand there.
    """
    count = min(int.from_bytes(profile[128:132], "big"), max(0, len(profile) - 132) // 12)
    tags = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(count)]
    needed = {place for name, place, _ in tags if name in _COLOURS}
    left = bytearray(profile)
    for name, place, size in tags:
        if name not in _COLOURS and place not in needed and place >= 132 + 12 * count:
            left[place : place + size] = bytes(len(left[place : place + size]))
            left[84:100] = bytes(16)  # ICC.1:2022, 7.2.18: the hash of the whole, or zeros
    return bytes(left)


def rgb_profile(name: str, primaries: Chromaticities, curve: tuple[float, ...]) -> bytes:
    """An ICC profile, version 4, of an RGB space whose white is D65.

    Args:
      name: what programs show.
      primaries: of the space.
      curve: parameters g, or g, a, b, c, d, of the way from a channel to light (ICC.1:2022, 10.18).
    """
    adapted = _to_d50()
    colorants = adapted @ _to_xyz(primaries)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32\0\0\0\0" + _fixed(*adapted.ravel()),
    }
    kind = {1: 0, 5: 3}[len(curve)]
    for channel, colorant in zip(b"rgb", colorants.T, strict=True):
        tags[bytes([channel]) + b"XYZ"] = _xyz(colorant)
        tags[bytes([channel]) + b"TRC"] = (
            b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(*curve)
        )
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for signature, content in tags.items():
        table += struct.pack(">4sII", signature, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x12s48x",
        start + len(body),
        bytes(4),
        0x04400000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        b"acsp",
        _fixed(*_D50),
    )
    return head + table + body


def _to_xyz(primaries: Chromaticities) -> Float[np.ndarray, "3 3"]:
    """From light in the three channels to CIE XYZ, white having Y = 1."""
    columns = np.array([_from_chromaticity(*place) for place in primaries]).T
    return columns * np.linalg.solve(columns, _from_chromaticity(*_D65))


def _from_chromaticity(x: float, y: float) -> Float[np.ndarray, " 3"]:
    return np.array([x / y, 1, (1 - x - y) / y])


def _to_d50() -> Float[np.ndarray, "3 3"]:
    """Bradford's adaptation from D65."""
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ _from_chromaticity(*_D65))
    return np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _xyz(place) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*place)


def _text(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded
