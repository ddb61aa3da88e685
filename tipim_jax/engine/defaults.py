"""What a run starts from where nobody chooses; commands read it before JAX is there."""

# They come by themselves and may be used by everybody (docs/protection.md).
SURROGATES = ("mobileface", "mobileface-mv", "sface", "dlib", "facenet-128")
# The published variants are no choice of networks; more of them would be another attack.
_PUBLISHED = ("mobileface", "sface")
HELD_OUT = "lightcnn"  # judges where nobody chooses, and is never a surrogate then
BATCH_SIZE = 8  # faces
# What one sees of each preset and what it protects from, from faint to strong (docs/protection.md).
STRENGTHS = {
    "subtle": "Hardly seen, and too weak: recognisers that never saw it missed 11 of 100 faces.",
    "balanced": "Little to be seen. Recognisers that never saw it missed 50 of 100 faces.",
    "strong": "Seen on a close look. Recognisers that never saw it missed 93 of 100 faces.",
}
PRESET = "strong"


def surrogates(preset: str) -> tuple[str, ...]:
    """The networks that a preset's masks are made with."""
    return SURROGATES if preset in ("fast", *STRENGTHS) else _PUBLISHED
