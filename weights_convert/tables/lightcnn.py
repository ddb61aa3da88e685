"""LightCNN: files and what becomes of each of their arrays."""

from tipim_jax.networks import Network
from tipim_jax.networks.lightcnn import STAGES
from weights_convert.fill import Table
from weights_convert.tables.layouts import Weights, conv, flattened, same


def tables(network: Network) -> tuple[Table, ...]:
    """LightCNN-V4's checkpoint, which has no classifier."""
    return (Table("torch", dict(_weights())),)


def _weights() -> Weights:
    for stage, (_, blocks, _) in enumerate(STAGES, start=1):
        yield from _max_feature_map(f"conv{stage}", f"conv{stage}")
        for block in range(blocks):
            theirs, ours = f"block{stage}.{block}", f"stage{stage}_{block}"
            yield from _max_feature_map(f"{theirs}.conv1", f"{ours}/first")
            yield from _max_feature_map(f"{theirs}.conv2", f"{ours}/second")
    yield "fc.weight", ("params/head/kernel", flattened(8, 8))
    yield "fc.bias", ("params/head/bias", same)


def _max_feature_map(theirs: str, ours: str) -> Weights:
    yield f"{theirs}.filter.weight", (f"params/{ours}/conv/kernel", conv)
    yield f"{theirs}.filter.bias", (f"params/{ours}/conv/bias", same)
