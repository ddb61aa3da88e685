"""nn4.small2: files and what becomes of each of their arrays."""

from collections.abc import Iterator

from tipim_jax.networks import Network
from weights_convert.fill import Table
from weights_convert.tables.layouts import Weights, same, tensorflow_kernel

# Every inception module's convolutions, as the Keras port calls them; beside each, ours.
_REDUCED = {
    "3x3_conv1": "reduce_3x3",
    "3x3_conv2": "conv_3x3",
    "5x5_conv1": "reduce_5x5",
    "5x5_conv2": "conv_5x5",
}
_POOLED = {"pool_conv": "conv_pool"}
_SINGLE = {"1x1_conv": "conv_1x1"}
_WITHOUT_5X5 = {name: ours for name, ours in _REDUCED.items() if "5x5" not in name}
_MODULES = {
    "3a": _REDUCED | _POOLED | _SINGLE,
    "3b": _REDUCED | _POOLED | _SINGLE,
    "3c": _REDUCED,
    "4a": _REDUCED | _POOLED | _SINGLE,
    "4e": _REDUCED,
    "5a": _WITHOUT_5X5 | _POOLED | _SINGLE,
    "5b": _WITHOUT_5X5 | _POOLED | _SINGLE,
}


def tables(network: Network) -> tuple[Table, ...]:
    """Keras files with the names of iwantooxxoox/Keras-OpenFace, which ported OpenFace's."""
    return (Table("keras", dict(_weights())),)


def _units() -> Iterator[tuple[str, str]]:
    """(theirs, ours) of every convolution that batch normalisation follows."""
    yield from ((f"conv{number}", f"conv{number}") for number in (1, 2, 3))
    for module, convolutions in _MODULES.items():
        for theirs, ours in convolutions.items():
            yield f"inception_{module}_{theirs}", f"inception_{module}/{ours}"


def _weights() -> Weights:
    for theirs, ours in _units():
        yield f"{theirs}/kernel", (f"params/{ours}/conv/kernel", tensorflow_kernel)
        yield f"{theirs}/bias", (f"params/{ours}/conv/bias", same)
        norm = theirs.replace("conv", "bn")
        yield f"{norm}/gamma", (f"params/{ours}/norm/scale", same)
        yield f"{norm}/beta", (f"params/{ours}/norm/bias", same)
        yield f"{norm}/moving_mean", (f"batch_stats/{ours}/norm/mean", same)
        yield f"{norm}/moving_variance", (f"batch_stats/{ours}/norm/var", same)
    yield "dense/kernel", ("params/linear/kernel", same)
    yield "dense/bias", ("params/linear/bias", same)
