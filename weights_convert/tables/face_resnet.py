"""FaceResNet: files and what becomes of each of their arrays."""

from tipim_jax.networks import Network
from tipim_jax.networks.face_resnet import STAGES
from weights_convert.fill import Table
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    conv,
    flattened,
    pointwise,
    same,
    torch_norm,
)


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of face.evoLVe and Face-Robustness-Benchmark."""
    return (Table("torch", dict(_weights()), ignored=COUNTERS),)


def _weights() -> Weights:
    yield "conv1.weight", ("params/stem/kernel", conv)
    yield from torch_norm("bn1", "stem_norm")
    for stage, (_, blocks) in enumerate(STAGES, start=1):
        for block in range(blocks):
            yield from _bottleneck(f"layer{stage}.{block}", f"stage{stage}_{block}")
        theirs, ours = f"layer{stage}.0.downsample", f"stage{stage}_0/shortcut"
        yield f"{theirs}.0.weight", (f"params/{ours}/kernel", pointwise)
        yield from torch_norm(f"{theirs}.1", f"{ours}_norm")
    yield from torch_norm("bn_o1", "head_norm")
    yield "fc.weight", ("params/head/kernel", flattened(4, 4))
    yield "fc.bias", ("params/head/bias", same)
    yield from torch_norm("bn_o2", "embedding_norm")


def _bottleneck(theirs: str, ours: str) -> Weights:
    layers = [("narrow", pointwise), ("middle", conv), ("widen", pointwise)]
    for number, (layer, transform) in enumerate(layers, start=1):
        yield f"{theirs}.conv{number}.weight", (f"params/{ours}/{layer}/kernel", transform)
        yield from torch_norm(f"{theirs}.bn{number}", f"{ours}/{layer}_norm")
