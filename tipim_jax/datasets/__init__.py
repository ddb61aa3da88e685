"""Sets of face photos, their aligned faces, and who is searched for among whom."""

import lazy_loader

# Each name is imported when it is first asked for: settings are read before JAX is there.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "crops": ["AlignedFace", "CropCache", "ReadyCrops"],
        "face_set": ["FaceSet", "PhotoFolder"],
        "names": ["person", "stated_person"],
        "portraits": ["find_portraits"],
        "protocol": ["Protocol", "ProtocolError", "Roles", "paper", "people", "reproduction"],
        "strangers": ["NewFaces", "face_key"],
        "stream": ["AlignedFaces", "FaceBatch"],
    },
)
