"""What a run starts from where nobody chooses; commands read it before JAX is there."""

# They come by themselves and may be used by everybody (docs/protection.md).
SURROGATES = ("mobileface", "mobileface-mv", "sface", "dlib", "facenet-128")
# The published variants are no choice of networks; more of them would be another attack.
_PUBLISHED = ("mobileface", "sface")
HELD_OUT = "lightcnn"  # judges where nobody chooses, and is never a surrogate then
BATCH_SIZE = 8  # faces
AUTO = "auto"  # the preset that the devices decide


def surrogates(preset: str) -> tuple[str, ...]:
    """The networks that a preset's masks are made with."""
    return SURROGATES if preset in (AUTO, "subtle", "balanced", "strong", "fast") else _PUBLISHED


def preset(backend: str) -> str:
    """The preset for what JAX computes on."""
    return "strong"
