"""What it means that a network here and one in PyTorch are the same."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from tests.parity import torch_networks
from tipim_jax.networks import Precision, get

DOUBLE = Precision("float64", "highest")


@cache
def faces() -> np.ndarray:
    """Canonical crops of real photos' faces, `4 112 112 3`, whole numbers in float32."""
    path = Path(__file__).parents[1] / "golden" / "networks" / "faces.npz"
    with np.load(path) as arrays:
        return arrays["crops"].astype(np.float32)


def assert_parity(
    name: str,
    module: nn.Module,
    variables: dict,
    stages: dict[str, str] | None = None,
    *,
    noise: float = 0.0,
) -> None:
    """Embeddings, stages and input gradients of both, on real faces.

    Args:
      name: of the network.
      module: the one in PyTorch.
      variables: the ones here.
      stages: name of a part here, `/` between its levels -> its name in PyTorch; the outputs of
        both have to agree, in units of the greatest value.
      noise: most that is added to a pixel. In even surfaces, maxima of several equal values have no
        gradient, and rounding chooses one.
    """
    network, crops = get(name), faces()[:2]
    crops = crops + np.random.default_rng(0).uniform(0, noise, crops.shape).astype(np.float32)
    stages = stages or {}
    seen, hooks = {}, []
    for path in stages.values():
        part = module.get_submodule(path)
        keep = lambda _, __, output, path=path: seen.update({path: output.detach()})  # noqa: E731
        hooks.append(part.register_forward_hook(keep))
    pixels = crops.transpose(0, 3, 1, 2).copy()
    with torch.no_grad():
        inputs = torch_networks.preprocess(name, torch.from_numpy(pixels))
        theirs = module(inputs).numpy()
    for hook in hooks:
        hook.remove()
    ours = np.asarray(jax.jit(network.embed)(variables, crops))
    np.testing.assert_allclose(_unit(ours), _unit(theirs), atol=2e-5)

    if stages:
        flax = network.module()

        @jax.jit
        def intermediates(variables, x):
            _, state = flax.apply(
                variables, x, capture_intermediates=True, mutable=["intermediates"]
            )
            tree = state["intermediates"]
            return {path: _at(tree, path) for path in stages}

        found = intermediates(variables, jnp.asarray(inputs.permute(0, 2, 3, 1).numpy()))
        for path, part in stages.items():
            expected = seen[part].numpy()
            if expected.ndim == 4:
                expected = expected.transpose(0, 2, 3, 1)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                np.asarray(found[path]).reshape(expected.shape) / scale,
                expected / scale,
                atol=2e-5,
                err_msg=path,
            )

    cotangents = np.random.default_rng(1).normal(size=theirs.shape)
    expected = torch_networks.gradient(name, module, pixels, cotangents)
    with jax.enable_x64(True):
        doubles = jax.tree.map(lambda a: np.asarray(a, np.float64), variables)

        @jax.jit
        def pull_back(variables, images):
            run = lambda x: network.embed(variables, x, precision=DOUBLE)  # noqa: E731
            return jax.vjp(run, images)[1](cotangents.astype(np.float32))[0]

        found = np.asarray(pull_back(doubles, crops.astype(np.float64)))
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-5


def _at(tree, path):
    for part in path.split("/"):
        tree = tree[part]
    return tree["__call__"][0]


def _unit(embeddings):
    embeddings = np.asarray(embeddings, np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
