"""Protects face photos from face recognition: TIP-IM in JAX.

    from tipim_jax import Protector, TipIm, compare

    protector = Protector()                     # the command's defaults
    found = protector.protect("me.jpg")         # a path, a PIL image or a uint8 array
    found.pixels, found.faces
    compare("me.jpg", found.pixels)             # is it one person, for a recogniser?

`tipim` is the command; `tipim_jax.method` is the method as functions of
arrays; `tipim_jax.networks` are the face recognition networks.
"""

import os

import lazy_loader

# XLA's compiler logs machine features that a cached program does not need as errors. It listens to
# this only until it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "engine.comparison": ["Comparison", "compare"],
        "engine.found": ["Protected"],
        "engine.protector": ["Protector"],
        "method.settings": ["TipIm"],
    },
)
