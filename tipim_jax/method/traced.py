"""`TipIm` as an argument of compiled programs."""

import dataclasses

import jax

from tipim_jax.method.settings import TipIm

# Numbers that a sweep varies are traced, so that one compiled program serves them all.
_TRACED = ("epsilon", "self_weight", "gamma", "learning_rate")
jax.tree_util.register_dataclass(
    TipIm,
    data_fields=_TRACED,
    meta_fields=[f.name for f in dataclasses.fields(TipIm) if f.name not in _TRACED],
)
