"""Vision transformers: files and what becomes of each of their arrays."""

from collections.abc import Mapping

from tipim_jax.networks import Network
from tipim_jax.networks.vit import EPSILON, HEAD_EPSILON
from weights_convert.fill import Table
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    patches,
    same,
    torch_linear,
    torch_norm,
)
from weights_convert.tables.onnx_walk import Walk

_NORMS = {"head_linear": "head_linear_norm", "embedding_linear": "embedding_norm"}
_IGNORED = {"mask_token": "stands for hidden patches in training alone", **COUNTERS}


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of LVFace and CVLface, and what PyTorch exports them to: in ONNX's version 17 and
    later layer normalisation is one node, before 13 softmax says its axis."""
    options = dict(network.options)
    named = Table("torch", dict(_torch_weights(options["depth"])), ignored=_IGNORED)
    forms = ((True, {}), (False, {"axis": 3}), (False, {}))
    return (named, *(_onnx(network, whole, softmax) for whole, softmax in forms))


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


def _onnx(network: Network, whole_norms: bool, softmax: Mapping[str, int]) -> Table:
    options = dict(network.options)
    patch, width, heads = options["patch"], options["width"], options["heads"]
    count = (network.input_size[0] // patch) * (network.input_size[1] // patch)
    walk = _TransformerWalk(whole_norms)
    bias = "params/patches/bias"
    walk.conv("params/patches/kernel", patches, bias, stride=patch)
    walk.node("Reshape", {"shape": [1, width, -1]})
    walk.node("Transpose", {"perm": [0, 2, 1]})
    walk.node("Add", B=("params/position", lambda array: array.squeeze(0)))
    for index in range(options["depth"]):
        ours = f"block{index}"
        walk.layer_norm(f"{ours}_attention_norm")
        walk.node("MatMul", B=f"params/{ours}_attention/qkv/kernel")
        walk.node("Reshape", {"shape": [1, count, 3, heads, width // heads]})
        walk.node("Transpose", {"perm": [2, 0, 3, 1, 4]})
        for part in range(3):  # queries, keys, values
            walk.node("Gather", {"indices": part})
        walk.node("Transpose", {"perm": [0, 1, 3, 2]})
        walk.node("MatMul")
        walk.node("Mul", {"B": (width // heads) ** -0.5})
        walk.node("Softmax", softmax)
        walk.node("MatMul")
        walk.node("Transpose", {"perm": [0, 2, 1, 3]})
        walk.node("Reshape", {"shape": [1, count, width]})
        walk.linear(f"{ours}_attention/project")
        walk.node("Add")
        walk.layer_norm(f"{ours}_perceptron_norm")
        walk.linear(f"{ours}_perceptron/expand")
        walk.node("Clip", {"min": 0.0, "max": 6.0})
        walk.linear(f"{ours}_perceptron/project")
        walk.node("Add")
    walk.layer_norm("head_norm")
    walk.node("Reshape", {"shape": [1, count * width]})
    for ours in ("head_linear", "embedding_linear"):
        walk.node("MatMul", B=f"params/{ours}/kernel")
        walk.batch_norm(_NORMS[ours], HEAD_EPSILON)
    return walk.table()


class _TransformerWalk(Walk):
    def __init__(self, whole_norms: bool):
        super().__init__()
        self._whole_norms = whole_norms

    def linear(self, ours: str) -> None:
        self.node("MatMul", B=f"params/{ours}/kernel")
        self.node("Add", A=f"params/{ours}/bias")

    def layer_norm(self, ours: str) -> None:
        scale, bias = f"params/{ours}/scale", f"params/{ours}/bias"
        if self._whole_norms:
            self.node("LayerNormalization", Scale=scale, B=bias)
        else:
            self.layer_norm_in_parts(scale, bias, EPSILON)
