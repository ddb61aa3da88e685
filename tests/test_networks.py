"""The networks with their real weights, on real faces, against the frameworks they come from."""

import dataclasses
import functools
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import weights_convert
from tipim_jax import networks
from tipim_jax.datasets import bundled as people
from tipim_jax.networks import PRECISIONS, Precision
from tipim_jax.networks.layers import Linear
from tipim_jax.networks.ops.dense import dense_conv
from tipim_jax.networks.ops.depthwise import depthwise_conv
from tipim_jax.networks.ops.pool import max_pool
from tipim_jax.networks.ops.sliding import SlidingWindows
from tipim_jax.networks.origin import NpmMember, WheelMember
from tipim_jax.networks.preprocess import normalise, region_resized
from tipim_jax.photos import crop, read_photo

DOUBLE = Precision("float64", "highest")

# Networks whose weights everybody can have without being asked.
AUTOMATIC = [
    name
    for name in networks.names()
    if isinstance(networks.get(name).weights, WheelMember | NpmMember)
    and not networks.get(name).non_commercial
]

ONE_OF_EACH_ARCHITECTURE = ["mobileface", "sface", "dlib", "facenet-128", "lightcnn", "nn4-small2"]


def first_and(*rest):
    """The first network's test is quick enough for every day; all the others are thorough."""
    first, *others = rest
    return [first, *(pytest.param(name, marks=pytest.mark.thorough) for name in others)]


@pytest.fixture(params=AUTOMATIC, scope="module")
def name(request):
    """Scoped so that all tests of a network follow one another: its programs are freed with it."""
    if isinstance(networks.get(request.param).weights, NpmMember) and not shutil.which("npm"):
        pytest.skip(f"npm, by which the weights of {request.param} come, is not installed")
    return request.param


@pytest.fixture(scope="module")
def golden():
    path = Path(__file__).parent / "golden" / "networks" / "faces.npz"
    with np.load(path) as arrays:
        return dict(arrays)


def unit(embeddings):
    embeddings = np.asarray(embeddings, np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)


def assert_same_embeddings(ours, theirs):
    ours, theirs = unit(ours), unit(theirs)
    assert (ours * theirs).sum(axis=-1).min() >= 0.99999
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@functools.partial(jax.jit, static_argnames=("name", "precision"))
def embed_with(variables, crops, name, precision):
    return networks.get(name).embed(variables, crops, precision=PRECISIONS[precision])


def embed(name, crops, precision="float32"):
    """Canonical crops to embeddings, compiled once for all tests."""
    return embed_with(weights_convert.load(name), jnp.asarray(crops, jnp.float32), name, precision)


def test_embeddings_are_those_of_the_original_framework(name, golden):
    """sface in onnxruntime, the others in PyTorch (tests/golden/networks/make.py)."""
    if name == "dlib":
        pytest.skip("dlib takes faces that are aligned its own way: see the next test")
    assert_same_embeddings(embed(name, golden["crops"]), golden[name])


def test_dlib_embeds_its_own_chips_as_dlib_does(golden):
    network = networks.get("dlib")
    chips = normalise(
        jnp.asarray(golden["chips"], jnp.float32), network.channel_order, network.mean, network.std
    )
    ours = jax.jit(network.module().apply)(weights_convert.load("dlib"), chips)
    assert_same_embeddings(ours, golden["dlib"])
    assert_same_embeddings(embed("dlib", golden["chips"]), golden["dlib"])
    # dlib's own threshold is a distance of 0.6 of embeddings that are not normalised.
    np.testing.assert_allclose(ours, golden["dlib"], atol=1e-4)


def test_of_crops_the_windows_region_is_taken_and_images_of_the_input_size_as_they_are(golden):
    network = networks.get("nn4-small2")
    crops = golden["crops"][:3].astype(np.float32)
    seen = region_resized(jnp.asarray(crops), network.window.region, network.input_size)
    assert_same_embeddings(embed("nn4-small2", seen), embed("nn4-small2", crops))
    with pytest.raises(ValueError, match=r"nn4-small2 takes crops of \(112, 112\) or \(96, 96\)"):
        network.embed(weights_convert.load("nn4-small2"), np.zeros((1, 100, 100, 3), np.float32))


def gradient(name, crops, cotangents):
    """Of `(embeddings * cotangents).sum()` in float64, where rounding decides no edge's side."""
    network = networks.get(name)
    with jax.enable_x64(True):
        variables = jax.tree.map(lambda a: a.astype(np.float64), weights_convert.load(name))

        @jax.jit
        def pull_back(variables, images):
            _, pull = jax.vjp(lambda x: network.embed(variables, x, precision=DOUBLE), images)
            return pull(cotangents)[0]

        return np.asarray(pull_back(variables, crops.astype(np.float64)))


@pytest.mark.parametrize("name", first_and(*AUTOMATIC), indirect=True)
def test_input_gradients_are_those_of_pytorch(name, golden):
    found = gradient(name, golden["crops"][:2], golden[f"{name}_cotangents"])[:, ::3, ::3]
    expected = golden[f"{name}_gradients"]
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", first_and(*ONE_OF_EACH_ARCHITECTURE), indirect=True)
def test_many_gradients_of_one_forward_pass_are_those_taken_one_by_one(name, golden):
    network, variables = networks.get(name), weights_convert.load(name)
    crops = golden["crops"][:1].astype(np.float32)
    cotangents = golden[f"{name}_cotangents"][:, None]

    @jax.jit
    def together(variables, crops):
        _, pull_back = jax.vjp(lambda x: network.embed(variables, x), crops)
        return jax.vmap(pull_back)(cotangents)[0]

    @jax.jit
    def alone(variables, crops, cotangent):
        return jax.grad(lambda x: (network.embed(variables, x) * cotangent).sum())(crops)

    for found, cotangent in zip(together(variables, crops), cotangents, strict=True):
        expected = alone(variables, crops, cotangent)
        assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-2


# The latter standardises every image by itself.
@pytest.mark.parametrize("name", first_and("mobileface", "facenet-128"), indirect=True)
def test_a_batch_is_embedded_as_its_images_are(name, golden):
    crops = np.concatenate([golden["crops"]] * 2)[:6]
    together = embed(name, crops)
    apart = np.concatenate([embed(name, crops[n : n + 3]) for n in (0, 3)])
    np.testing.assert_allclose(unit(together), unit(apart), atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("name", first_and(*AUTOMATIC), indirect=True)
def test_bfloat16_hardly_changes_a_cosine(name, golden):
    crops = golden["crops"]
    low = embed(name, crops, "bfloat16")
    assert low.dtype == jnp.float32
    coarse, fine = (unit(e) @ unit(e).T for e in (low, embed(name, crops)))
    assert abs(coarse - fine).max() < 0.01


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mobileface", "sface"])  # dlib is compared with dlib itself
def test_the_channel_order_is_the_one_that_tells_people_apart_best(name, detector):
    """Separation of same from different people, in units of their spread; two photos of forty."""
    photos = [people.photos(identity)[n] for n in (0, 1) for identity in people.identities()[:40]]
    pictures = [read_photo(photo).pixels for photo in photos]
    crops = np.stack([crop(one, detector.detect(one)[0].matrix) for one in pictures])
    network, variables = networks.get(name), weights_convert.load(name)
    other = "RGB" if network.channel_order == "BGR" else "BGR"

    def separation(network):
        first, second = np.split(unit(jax.jit(network.embed)(variables, crops)), 2)
        cosines = first @ second.T
        same, different = np.diag(cosines), cosines[~np.eye(40, dtype=bool)]
        return (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)

    # Reversing the three means as well leaves the channels' order as the only difference.
    swapped = dataclasses.replace(network, channel_order=other, mean=network.mean[::-1])
    assert separation(network) > separation(swapped)


def test_an_unknown_network_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'facenoet'; known are mobileface, sface, dlib"):
        networks.get("facenoet")


# The layers that are written anew, against XLA's own.


def lax_conv(x, kernel, stride, padding, groups=1):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )


def assert_same_function(ours, reference, *arguments):
    """Values, and gradients of several cotangents at once, for every argument."""
    shape = jax.eval_shape(reference, *arguments).shape
    cotangents = np.random.default_rng(9).normal(size=(3, *shape)).astype(np.float32)

    def both(function):
        value, pull_back = jax.vjp(function, *arguments)
        return value, jax.vmap(pull_back)(cotangents)

    (value, found), (expected, wanted) = (
        jax.jit(functools.partial(both, function))() for function in (ours, reference)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    for ours_, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours_, theirs, rtol=1e-3, atol=1e-3)


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 11), (3, 3)])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (2, 1, 0)]
)
def test_depthwise_convolution_is_the_grouped_one(height, width, size, stride, padding):
    assert_same_function(
        lambda x, k: depthwise_conv(x, k, stride, padding),
        lambda x, k: lax_conv(x, k[:, :, None], stride, padding, groups=5),
        random(2, height, width, 5),
        random(size, size, 5),
    )


@pytest.mark.parametrize(("height", "width", "features"), [(9, 9, 4), (8, 11, 200), (7, 7, 3)])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (7, 2, 0)]
)
def test_dense_convolution_is_the_one_of_xla(height, width, features, size, stride, padding):
    assert_same_function(
        lambda x, k: dense_conv(x, k, stride, padding),
        lambda x, k: lax_conv(x, k, stride, padding),
        random(2, height, width, 3),
        random(size, size, 3, features),
    )


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 11)])
def test_max_pooling_is_the_one_of_xla(height, width):
    def reference(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")

    assert_same_function(
        lambda x: max_pool(x, SlidingWindows(3, 2, 0)), reference, random(2, height, width, 4)
    )


def test_region_of_the_whole_image_is_a_resize_and_outside_is_zero():
    image = random(1, 8, 8, 3)
    np.testing.assert_array_equal(region_resized(image, (0, 0, 8, 8), (8, 8)), image)
    np.testing.assert_allclose(
        region_resized(image, (2, 3, 6, 7), (4, 4)), image[:, 2:6, 3:7], atol=1e-6
    )
    half = region_resized(image, (4, 0, 12, 8), (8, 8))
    np.testing.assert_allclose(half[:, :4], image[:, 4:], atol=1e-6)
    assert not np.asarray(half[:, 4:]).any()


@pytest.mark.parametrize(
    ("weights", "there"), [({}, "none"), ({"kernel": np.zeros((3, 5))}, r"one of \(3, 5\)")]
)
def test_weights_of_another_shape_are_refused_by_name(weights, there):
    with pytest.raises(ValueError, match=rf"kernel has the shape \(3, 4\), there is {there}"):
        Linear(4).apply({"params": weights}, np.zeros((1, 3)))
