"""O-Net's weights, which are no `Network`'s: it finds landmarks and recognises nobody."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from tipim_jax.networks.onet import INPUT, WEIGHTS, ONet
from weights_convert.errors import ConversionError
from weights_convert.fill import fill
from weights_convert.origins import obtain
from weights_convert.readers import read
from weights_convert.tables.onet import table


def load_onet() -> dict[str, Any]:
    """The variables of `ONet`, float32; converted each time, as the file is small.

    Raises:
      ConversionError: the weights cannot be obtained.
    """
    return read_onet(obtain(WEIGHTS))


def read_onet(file: Path) -> dict[str, Any]:
    """The variables out of a file as facenet-pytorch has it.

    Raises:
      ConversionError: the file is damaged or hostile, or does not hold O-Net's weights.
    """
    faces = jax.ShapeDtypeStruct((1, INPUT, INPUT, 3), jnp.float32)
    abstract = jax.eval_shape(ONet().init, jax.random.key(0), faces)
    try:
        return fill(abstract, read(file, table().form), table())
    except ConversionError as error:
        raise ConversionError(f"{file}: {error}") from None
