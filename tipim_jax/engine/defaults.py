"""What a run starts from where nobody chooses; commands read it before JAX is there."""

# They come by themselves and may be used by everybody (docs/protection.md).
SURROGATES = ("mobileface", "mobileface-mv", "sface", "dlib", "facenet-128")
# The published variants are no choice of networks; more of them would be another attack.
_PUBLISHED = ("mobileface", "sface")
HELD_OUT = "lightcnn"  # judges where nobody chooses, and is never a surrogate then
BATCH_SIZE = 8  # faces
# What one sees of each preset and what it protects from, from faint to strong (docs/protection.md).
STRENGTHS = {
    "subtle": "Hardly to be seen, and little protection: most recognisers still know you.",
    "balanced": "Seen on a close look. About half of the recognisers that never saw it find you.",
    "strong": "Seen on a close look, more so. Most recognisers take you for somebody else.",
}
PRESET = "strong"


def surrogates(preset: str) -> tuple[str, ...]:
    """The networks that a preset's masks are made with."""
    return SURROGATES if preset in ("fast", *STRENGTHS) else _PUBLISHED
