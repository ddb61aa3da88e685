"""What a run starts from where nobody chooses; commands read it before JAX is there."""

# They come by themselves and may be used by everybody (docs/protection.md).
SURROGATES = ("mobileface-mv", "sface", "facenet-128")
# These and what nobody may use but for research (docs/protection.md).
RESEARCH = (*SURROGATES, "w600k", "edgeface")
_BEFORE = ("mobileface", "mobileface-mv", "sface", "dlib", "facenet-128")
# The published variants are no choice of networks; more of them would be another attack.
_PUBLISHED = ("mobileface", "sface")
HELD_OUT = "lightcnn"  # judges where nobody chooses, and is never a surrogate then
BATCH_SIZE = 8  # faces
# What one sees of each preset, from faint to strong, and of 100 faces those that recognisers missed
# that never saw the mask: with these networks and its own settings (docs/protection.md).
LOOKS = {
    "subtle": "Hardly seen, and too weak.",
    "balanced": "Little to be seen, on large faces fringes of colour.",
    "strong": "Seen on a close look.",
}
_MISSED = {"subtle": 12, "balanced": 55, "strong": 95}
STRENGTHS = {
    name: f"{words} Recognisers that never saw it missed {_MISSED[name]} of 100 faces."
    for name, words in LOOKS.items()
}
PRESET = "strong"


def surrogates(preset: str) -> tuple[str, ...]:
    """The networks that a preset's masks are made with."""
    if preset in STRENGTHS:
        return SURROGATES
    return _BEFORE if preset == "fast" else _PUBLISHED
