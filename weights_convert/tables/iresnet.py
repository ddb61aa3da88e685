"""IResNet: files and what becomes of each of their arrays."""

from collections.abc import Iterator

from tipim_jax.networks import Network
from tipim_jax.networks.iresnet import BLOCKS, VARIANTS, Variant
from weights_convert.fill import Table, Transform
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    conv,
    flattened,
    identity_norm,
    pointwise,
    same,
    torch_norm,
)
from weights_convert.tables.onnx_walk import Walk

# AdaFace's last normalisation has statistics and nothing that was learnt.
_NOT_LEARNT = {"params/embedding_norm/scale": 1.0, "params/embedding_norm/bias": 0.0}


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of the variant's own code; for InsightFace and AdaFace also what PyTorch exports
    them to in ONNX."""
    options = dict(network.options)
    variant, blocks = VARIANTS[options["variant"]], BLOCKS[options["depth"]]
    match options["variant"]:
        case "insightface":
            named = Table("torch", dict(_named(blocks)), ignored=COUNTERS)
            return (named, _onnx(variant, blocks))
        case "magface":
            return (Table("torch", dict(_named(blocks)), ignored=COUNTERS),)
    weights = dict(_numbered(variant, blocks))
    given = _NOT_LEARNT if options["variant"] == "adaface" else {}
    weights = {name: target for name, target in weights.items() if target[0] not in given}
    named = Table("torch", weights, ignored=COUNTERS, given=given)
    if options["variant"] != "adaface":
        return (named,)
    # CVLface gives the embedding alone, AdaFace its direction and norm.
    return (named, *(_adaface_onnx(variant, blocks, apart=apart) for apart in (True, False)))


def _in_order(blocks: tuple[int, ...]) -> Iterator[tuple[int, int, str]]:
    """(stage from 1, block in it from 0, our name) of every block."""
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            yield stage, block, f"stage{stage}_{block}"


def _named(blocks: tuple[int, ...]) -> Weights:
    """InsightFace and MagFace give every layer a name."""
    yield "conv1.weight", ("params/stem_conv/kernel", conv)
    yield from torch_norm("bn1", "stem_norm")
    yield "prelu.weight", ("params/stem_prelu/slope", same)
    for stage, block, ours in _in_order(blocks):
        theirs = f"layer{stage}.{block}"
        for index in (1, 2, 3):
            yield from torch_norm(f"{theirs}.bn{index}", f"{ours}/norm{index}")
        for index in (1, 2):
            yield f"{theirs}.conv{index}.weight", (f"params/{ours}/conv{index}/kernel", conv)
        yield f"{theirs}.prelu.weight", (f"params/{ours}/prelu/slope", same)
        if block == 0:
            yield from _projection(f"{theirs}.downsample", ours)
    yield from torch_norm("bn2", "head_norm")
    yield from _linear("fc")
    yield from torch_norm("features", "embedding_norm")


def _numbered(variant: Variant, blocks: tuple[int, ...]) -> Weights:
    """The others number the layers within `input_layer`, `body` and `output_layer`."""
    yield "input_layer.0.weight", ("params/stem_conv/kernel", conv)
    yield from torch_norm("input_layer.1", "stem_norm")
    yield "input_layer.2.weight", ("params/stem_prelu/slope", same)
    for number, (stage, block, ours) in enumerate(_in_order(blocks)):
        theirs = f"body.{number}.res_layer"
        yield from torch_norm(f"{theirs}.0", f"{ours}/norm1")
        yield f"{theirs}.1.weight", (f"params/{ours}/conv1/kernel", conv)
        place = 2
        if variant.inner_norm:
            yield from torch_norm(f"{theirs}.2", f"{ours}/norm2")
            place = 3
        yield f"{theirs}.{place}.weight", (f"params/{ours}/prelu/slope", same)
        yield f"{theirs}.{place + 1}.weight", (f"params/{ours}/conv2/kernel", conv)
        yield from torch_norm(f"{theirs}.{place + 2}", f"{ours}/norm3")
        if variant.squeeze_excite:
            weigher = f"{theirs}.{place + 3}"
            yield f"{weigher}.fc1.weight", (f"params/{ours}/squeeze/kernel", pointwise)
            yield f"{weigher}.fc2.weight", (f"params/{ours}/excite/kernel", pointwise)
        if block == 0 and stage > 1:
            yield from _projection(f"body.{number}.shortcut_layer", ours)
    yield from torch_norm("output_layer.0", "head_norm")
    yield from _linear("output_layer.3")
    yield from torch_norm("output_layer.4", "embedding_norm")


def _projection(theirs: str, ours: str) -> Weights:
    yield f"{theirs}.0.weight", (f"params/{ours}/shortcut_conv/kernel", pointwise)
    yield from torch_norm(f"{theirs}.1", f"{ours}/shortcut_norm")


def _linear(theirs: str) -> Weights:
    yield f"{theirs}.weight", ("params/head_linear/kernel", flattened(7, 7))
    yield f"{theirs}.bias", ("params/head_linear/bias", same)


class _FoldingWalk(Walk):
    """PyTorch's exporter folds every normalisation behind a convolution into it.

    Attributes:
      given: what stands in the place of what was folded.
    """

    def __init__(self, epsilon: float):
        super().__init__()
        self._epsilon = epsilon
        self.given: dict[str, float] = {}

    def folded(
        self, ours: str, norm: str, transform: Transform, padding: int, stride: int = 1
    ) -> None:
        bias = f"params/{norm}/bias"
        self.conv(f"params/{ours}/kernel", transform, bias, stride=stride, padding=padding)
        self.given |= identity_norm(norm, self._epsilon)


def _onnx(variant: Variant, blocks: tuple[int, ...]) -> Table:
    walk = _FoldingWalk(variant.epsilon)
    walk.folded("stem_conv", "stem_norm", conv, padding=1)
    walk.prelu("stem_prelu")
    for _, block, ours in _in_order(blocks):
        stride = 2 if block == 0 else 1
        walk.batch_norm(f"{ours}/norm1", variant.epsilon)
        walk.folded(f"{ours}/conv1", f"{ours}/norm2", conv, padding=1)
        walk.prelu(f"{ours}/prelu")
        walk.folded(f"{ours}/conv2", f"{ours}/norm3", conv, padding=1, stride=stride)
        if block == 0:
            shortcut = f"{ours}/shortcut_conv", f"{ours}/shortcut_norm"
            walk.folded(*shortcut, pointwise, padding=0, stride=stride)
        walk.node("Add")
    walk.batch_norm("head_norm", variant.epsilon)
    walk.flatten_linear("head_linear", 7, 7)
    walk.batch_norm("embedding_norm", variant.epsilon)
    return walk.table(walk.given)


def _adaface_onnx(variant: Variant, blocks: tuple[int, ...], *, apart: bool) -> Table:
    walk = _FoldingWalk(variant.epsilon)
    walk.folded("stem_conv", "stem_norm", conv, padding=1)
    walk.prelu("stem_prelu")
    for stage, block, ours in _in_order(blocks):
        stride = 2 if block == 0 else 1
        if block == 0 and stage > 1:
            shortcut = f"{ours}/shortcut_conv", f"{ours}/shortcut_norm"
            walk.folded(*shortcut, pointwise, padding=0, stride=stride)
        else:
            strides = {"strides": [stride] * 2} if stride > 1 else {}
            walk.node("MaxPool", {"kernel_shape": [1, 1], **strides})
        walk.batch_norm(f"{ours}/norm1", variant.epsilon)
        walk.folded(f"{ours}/conv1", f"{ours}/norm2", conv, padding=1)
        walk.prelu(f"{ours}/prelu")
        walk.folded(f"{ours}/conv2", f"{ours}/norm3", conv, padding=1, stride=stride)
        walk.node("Add")
    walk.batch_norm("head_norm", variant.epsilon)
    walk.node("Reshape", {"shape": [1, -1]})
    walk.linear("head_linear", 7, 7)
    walk.batch_norm("embedding_norm", variant.epsilon)
    if apart:
        walk.node("ReduceL2", {"axes": [1]})
        walk.node("Div")
    return walk.table(walk.given)
