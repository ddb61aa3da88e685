"""TIP-IM itself: arrays and functions; no files, no names of networks, no command line."""

import lazy_loader

# Each name is imported when it is first asked for: settings are read before JAX is there.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batch": ["advance", "prepare", "protect", "start"],
        "devices": ["Layout"],
        "keys": ["image_keys"],
        "problem": ["Choice", "Problem", "State"],
        "programs": ["ITERATIONS_A_CALL"],
        "settings": ["PRESETS", "TipIm"],
        "steps": ["Steps", "steps_of"],
        "surrogate": ["Surrogate", "normalise"],
    },
)
