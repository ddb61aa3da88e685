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
    """State dicts of the variant's own code; for InsightFace also what it exports to ONNX."""
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
    return (Table("torch", weights, ignored=COUNTERS, given=given),)


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


def _onnx(variant: Variant, blocks: tuple[int, ...]) -> Table:
    """PyTorch's exporter folds every normalisation behind a convolution into it."""
    walk, given = Walk(), {}

    def folded(ours: str, norm: str, transform: Transform, padding: int, stride: int = 1) -> None:
        bias = f"params/{norm}/bias"
        walk.conv(f"params/{ours}/kernel", transform, bias, stride=stride, padding=padding)
        given.update(identity_norm(norm, variant.epsilon))

    folded("stem_conv", "stem_norm", conv, padding=1)
    walk.prelu("stem_prelu")
    for _, block, ours in _in_order(blocks):
        stride = 2 if block == 0 else 1
        walk.batch_norm(f"{ours}/norm1", variant.epsilon)
        folded(f"{ours}/conv1", f"{ours}/norm2", conv, padding=1)
        walk.prelu(f"{ours}/prelu")
        folded(f"{ours}/conv2", f"{ours}/norm3", conv, padding=1, stride=stride)
        if block == 0:
            shortcut = f"{ours}/shortcut_conv", f"{ours}/shortcut_norm"
            folded(*shortcut, pointwise, padding=0, stride=stride)
        walk.node("Add")
    walk.batch_norm("head_norm", variant.epsilon)
    walk.flatten_linear("head_linear", 7, 7)
    walk.batch_norm("embedding_norm", variant.epsilon)
    return walk.table(given)
