"""TIP-IM itself: arrays and functions; no files, no names of networks, no command line."""

import lazy_loader

# Each name is imported when it is first asked for: settings are read before JAX is there.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batch": ["advance", "iterations_a_call", "protect", "start"],
        "identity": ["normalise"],
        "iteration": ["Choice", "Problem", "State"],
        "keys": ["image_keys"],
        "layout": ["Layout"],
        "settings": ["PRESETS", "TipIm"],
        "surrogate": ["Surrogate"],
    },
)
