"""The engine: protects pictures, with everything that it takes loaded and compiled once."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choosing": ["Chooser"],
        "comparison": ["Comparison", "compare"],
        "files": ["Outcome", "Stopped", "clear_partial", "protect_files"],
        "found": ["FaceOutcome", "FoundPhoto", "MaskedPhoto", "Protected", "WrittenPhoto"],
        "journal": ["Journal"],
        "protector": ["Protector"],
        "processes": ["Process", "join"],
    },
)
