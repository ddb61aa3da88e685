"""Vision transformers: files and what becomes of each of their arrays."""

from tipim_jax.networks import Network
from weights_convert.fill import Table
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    patches,
    same,
    torch_linear,
    torch_norm,
)

_IGNORED = {"mask_token": "stands for hidden patches in training alone", **COUNTERS}


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of LVFace and CVLface, which have one form."""
    depth = dict(network.options)["depth"]
    return (Table("torch", dict(_torch_weights(depth)), ignored=_IGNORED),)


def _torch_weights(depth: int) -> Weights:
    yield "patch_embed.proj.weight", ("params/patches/kernel", patches)
    yield "patch_embed.proj.bias", ("params/patches/bias", same)
    yield "pos_embed", ("params/position", lambda array: array.squeeze(0))
    for index in range(depth):
        theirs, ours = f"blocks.{index}", f"block{index}"
        yield from _layer_norm(f"{theirs}.norm1", f"{ours}_attention_norm")
        yield from torch_linear(f"{theirs}.attn.qkv", f"{ours}_attention/qkv", bias=False)
        yield from torch_linear(f"{theirs}.attn.proj", f"{ours}_attention/project")
        yield from _layer_norm(f"{theirs}.norm2", f"{ours}_perceptron_norm")
        yield from torch_linear(f"{theirs}.mlp.fc1", f"{ours}_perceptron/expand")
        yield from torch_linear(f"{theirs}.mlp.fc2", f"{ours}_perceptron/project")
    yield from _layer_norm("norm", "head_norm")
    yield from torch_linear("feature.0", "head_linear", bias=False)
    yield from torch_norm("feature.1", "head_linear_norm")
    yield from torch_linear("feature.2", "embedding_linear", bias=False)
    yield from torch_norm("feature.3", "embedding_norm")


def _layer_norm(theirs: str, ours: str) -> Weights:
    yield f"{theirs}.weight", (f"params/{ours}/scale", same)
    yield f"{theirs}.bias", (f"params/{ours}/bias", same)
