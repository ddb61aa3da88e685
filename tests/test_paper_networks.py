"""The six networks of the paper: what they are, and that published files fill them exactly."""

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from tipim_jax import networks
from weights_convert.errors import ConversionError
from weights_convert.fill import fill
from weights_convert.tables import layouts, tables

# Millions of parameters as the paper states them, and those that it counts though they only serve
# training: they are in the published files, and ignored.
PARAMETERS = {
    "arcface": (43.8, 0),
    "cosface": (22.67, 0),
    "sphereface": (28.08, 512 * 10574),  # fc6, a weight for each class and no bias
    "mobileface-softmax": (1.20, 0),
    "resnet50": (40.29, 0),
    "facenet": (27.9, 512 * 8631 + 8631),  # logits, VGGFace2's 8,631 people
}
INPUTS = {
    "arcface": ((112, 112), "RGB"),
    "cosface": ((112, 96), "RGB"),
    "sphereface": ((112, 96), "BGR"),
    "mobileface-softmax": ((112, 112), "BGR"),
    "resnet50": ((112, 112), "BGR"),
    "facenet": ((160, 160), "RGB"),
}
# Names that stand in the published state dicts, and the axes of their arrays.
PUBLISHED = {
    "arcface": {"input_layer.0.weight": (64, 3, 3, 3), "output_layer.3.weight": (512, 25088)},
    "cosface": {"layer1.2.conv1.weight": (64, 64, 3, 3), "fc.weight": (512, 512 * 7 * 6)},
    "sphereface": {"conv3_9.bias": (256,), "fc5.weight": (512, 512 * 7 * 6)},
    "mobileface-softmax": {
        "blocks.5.conv.3.weight": (256, 1, 3, 3),
        "linear1.conv.weight": (512, 512, 1, 1),
    },
    "resnet50": {"conv1.weight": (64, 3, 7, 7), "fc.weight": (512, 2048 * 4 * 4)},
    "facenet": {
        "conv2d_1a.conv.weight": (32, 3, 3, 3),
        "repeat_1.0.branch0.conv.weight": (32, 256, 1, 1),
        "last_linear.weight": (512, 1792),
    },
}
CLASSIFIERS = {
    "sphereface": {"fc6.weight": (512, 10574)},
    "facenet": {"logits.weight": (8631, 512), "logits.bias": (8631,)},
}


@pytest.fixture(params=PARAMETERS)
def name(request):
    return request.param


def test_it_has_as_many_parameters_as_the_paper_states(name):
    millions, training_alone = PARAMETERS[name]
    own = sum(x.size for x in jax.tree.leaves(networks.get(name).abstract_variables()["params"]))
    decimals = len(str(millions).partition(".")[2])
    assert round((own + training_alone) / 1e6, decimals) == millions


def test_its_input_is_that_of_the_official_code(name):
    network = networks.get(name)
    assert (network.input_size, network.channel_order) == INPUTS[name]
    assert network.embedding_size == 512


def test_it_embeds_canonical_crops(name):
    network = networks.get(name)
    crops = jax.ShapeDtypeStruct((2, 112, 112, 3), np.float32)
    found = jax.eval_shape(network.embed, network.abstract_variables(), crops)
    assert (found.shape, found.dtype) == ((2, 512), np.float32)


def test_a_published_state_dict_fills_it_exactly(name):
    network, table, source = published(name)
    wanted = PUBLISHED[name] | CLASSIFIERS.get(name, {})
    assert {key: source[key].shape for key in wanted} == wanted
    variables = flatten_dict(fill(network.abstract_variables(), source, table), sep="/")
    shapes = {path: x.shape for path, x in variables.items()}
    expected = flatten_dict(network.abstract_variables(), sep="/")
    assert shapes == {path: x.shape for path, x in expected.items()}


def test_an_array_too_few_or_too_many_is_an_error(name):
    network, table, source = published(name)
    variables = network.abstract_variables()
    left_out = next(iter(PUBLISHED[name]))
    with pytest.raises(ConversionError, match=f"{left_out}: not in the file"):
        fill(variables, {key: x for key, x in source.items() if key != left_out}, table)
    with pytest.raises(ConversionError, match="another: in the file, but nothing uses it"):
        fill(variables, source | {"another": np.zeros(3, np.float32)}, table)


def published(name):
    """The network, its table of the published names, and arrays of the shapes in a state dict."""
    network = networks.get(name)
    wanted = flatten_dict(network.abstract_variables(), sep="/")
    (table,) = (t for t in tables(network) if PUBLISHED[name].keys() <= t.weights.keys())
    shapes = {
        source: pytorch_shape(transform, wanted[path].shape)
        for source, (path, transform) in table.weights.items()
    }
    shapes |= CLASSIFIERS.get(name, {})
    one = np.float32(1)
    return network, table, {key: np.broadcast_to(one, shape) for key, shape in shapes.items()}


def pytorch_shape(transform, shape):
    """The shape in PyTorch of what becomes an array of `shape` here."""
    match transform:
        case layouts.same:
            return shape
        case layouts.conv:
            return (shape[3], shape[2], *shape[:2])
        case layouts.pointwise:
            return (*shape[::-1], 1, 1)
        case layouts.depthwise:
            return (shape[2], 1, *shape[:2])
    return shape[::-1]  # linear, from a vector or a flattened map
