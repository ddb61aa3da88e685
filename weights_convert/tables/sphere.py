"""SphereNet: files and what becomes of each of their arrays."""

from tipim_jax.networks import Network
from tipim_jax.networks.sphere import STAGES
from weights_convert.fill import Table
from weights_convert.tables.layouts import Weights, conv, flattened, same

_LAST_MAP = (7, 6)  # of 512 channels, in front of the linear layer


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of clcarwin/sphereface_pytorch or, without biases, MuggleWang/CosFace_pytorch."""
    if dict(network.options)["block_biases"]:
        classifier = {"fc6.weight": "the classes that it was trained on"}
        return (Table("torch", dict(_sphereface_weights()), ignored=classifier),)
    return (Table("torch", dict(_cosface_weights())),)


def _cosface_weights() -> Weights:
    for stage, (_, blocks) in enumerate(STAGES, start=1):
        yield from _unit(f"layer{stage}.0", f"layer{stage}.1", f"down{stage}")
        for block in range(blocks):
            theirs, ours = f"layer{stage}.{block + 2}", f"stage{stage}_{block}"
            for number, unit in enumerate(("first", "second"), start=1):
                names = f"{theirs}.conv{number}", f"{theirs}.prelu{number}"
                yield from _unit(*names, f"{ours}/{unit}", bias=False)
    yield from _head("fc")


def _sphereface_weights() -> Weights:
    for stage, (_, blocks) in enumerate(STAGES, start=1):
        units = [f"down{stage}"]
        for block in range(blocks):
            units += [f"stage{stage}_{block}/first", f"stage{stage}_{block}/second"]
        for number, ours in enumerate(units, start=1):
            yield from _unit(f"conv{stage}_{number}", f"relu{stage}_{number}", ours)
    yield from _head("fc5")


def _unit(convolution: str, prelu: str, ours: str, bias: bool = True) -> Weights:
    yield f"{convolution}.weight", (f"params/{ours}/conv/kernel", conv)
    if bias:
        yield f"{convolution}.bias", (f"params/{ours}/conv/bias", same)
    yield f"{prelu}.weight", (f"params/{ours}/prelu/slope", same)


def _head(theirs: str) -> Weights:
    yield f"{theirs}.weight", ("params/head/kernel", flattened(*_LAST_MAP))
    yield f"{theirs}.bias", ("params/head/bias", same)
