"""The method in PyTorch, to compare speeds with: as its authors run it, and as fast as we can.

Crops are RGB float [images, 3, height, width] in [0, 255]. Every loop searches among all targets in
every iteration, does one forward pass in it and, through the graph that this keeps, one backward
pass for each target, and returns the protected crops and the chosen targets, [iterations, images].
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config

from tests.parity.torch_networks import preprocess
from tests.parity.torch_tip_im import embed, mmd, view
from tipim_jax.method import TipIm

Loop = Callable[[Tensor, Tensor, TipIm, int], tuple[Tensor, Tensor]]


class Network(nn.Module):
    """The network called `name` on crops, its preprocessing included; in bfloat16 if asked to."""

    def __init__(self, name: str, module: nn.Module, *, bfloat16: bool = False):
        super().__init__()
        self.name, self.module, self.bfloat16 = name, module, bfloat16

    def forward(self, crops: Tensor) -> Tensor:
        inputs = preprocess(self.name, crops)
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.bfloat16):
            return self.module(inputs).float()


def official(network: Network) -> Loop:
    """As the authors' code: image by image, with the weights' gradients and a graph always."""

    def gradients(x, losses, naturalness):
        found = []
        for loss in losses:
            network.zero_grad()
            (loss + naturalness()).backward(retain_graph=True)
            found.append(x.grad.clone())
            x.grad = None
        return torch.stack(found)

    def loop(images, targets, settings, iterations):
        network.requires_grad_(True)
        each = [
            _protect(network, image[None], targets, settings, iterations, gradients, graph=True)
            for image in images
        ]
        network.zero_grad()
        network.requires_grad_(False)
        protected, chosen = zip(*each, strict=True)
        return torch.cat(protected), torch.cat(chosen, dim=1)

    return loop


def tuned(network: nn.Module) -> Loop:
    """All images at once, without the weights' gradients, no graph where none is used."""

    def gradients(x, losses, naturalness):
        found = [torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in losses]
        return torch.stack(found) + _gradient(naturalness(), x)

    return _whole_batch(network, gradients)


def batched(network: nn.Module) -> Loop:
    """`tuned`, with one backward pass that carries the gradients of all targets."""

    def gradients(x, losses, naturalness):
        every = torch.eye(len(losses), device=x.device, dtype=x.dtype)
        (found,) = torch.autograd.grad(losses, x, every, retain_graph=True, is_grads_batched=True)
        return found + _gradient(naturalness(), x)

    return _whole_batch(network, gradients)


def channels_last(network: Network) -> Loop:
    """`tuned`, with maps whose channels lie side by side."""
    return _with_channels_last(network, tuned(network))


def compiled(network: Network) -> Loop:
    """`channels_last` through PyTorch's compiler, which may fail when the loop first runs."""
    # Otherwise a compiled graph gives its memory away in the first of its backward passes.
    functorch_config.donated_buffer = False
    return _with_channels_last(network, tuned(torch.compile(network, dynamic=False)))


BEST = {"channels last": channels_last, "batched": batched, "compiled": compiled}


def _with_channels_last(network, loop):
    def on_channels_last(images, targets, *rest):
        network.to(memory_format=torch.channels_last)
        images, targets = (
            x.contiguous(memory_format=torch.channels_last) for x in (images, targets)
        )
        return loop(images, targets, *rest)

    return on_channels_last


def _whole_batch(network, gradients):
    def loop(images, targets, settings, iterations):
        return _protect(network, images, targets, settings, iterations, gradients, graph=False)

    return loop


def _protect(network, images, targets, settings, iterations, gradients, *, graph):
    """One loop for all: `gradients` of the losses [targets] are [targets, images, 3, H, W].

    `graph`: record one of the candidates' forward pass, although nobody goes back through it.
    """
    if settings.gain != "max" or (settings.gamma and settings.mmd_group_size > 1):
        raise ValueError("the loops in PyTorch know the gain 'max', and MMD of one image alone")
    plain = getattr(network, "_orig_mod", network)  # a compiler would need a minute for these two
    with torch.no_grad():
        own, wanted = embed(plain, images), embed(plain, targets)
    lowest = (images - settings.epsilon).clamp(min=0)
    highest = (images + settings.epsilon).clamp(max=255)
    current, momentum, chosen = images, torch.zeros_like(images), []
    every = torch.arange(len(images), device=images.device)
    for _ in range(iterations):
        x = current.detach().clone().requires_grad_()
        seen = embed(network, view(x, _draw_views(x)) if settings.views else x)
        losses = _squared(seen, wanted[:, None], settings) - _squared(seen, own, settings)

        def naturalness(x=x):
            if not settings.gamma:
                return 0.0
            pairs = zip(x.flatten(1), images.flatten(1), strict=True)
            return settings.gamma * sum(mmd(a[None], b[None]) for a, b in pairs)

        found = gradients(x, losses.sum(1), naturalness)
        momenta = momentum + found / found.abs().mean((2, 3, 4), keepdim=True)
        if settings.norm == "linf":
            direction = momenta.sign()
        else:
            size = math.sqrt(images[0].numel())
            direction = momenta / momenta.flatten(2).norm(dim=2)[..., None, None, None] * size
        candidates = current - settings.step_size * direction
        candidates = torch.minimum(torch.maximum(candidates, lowest), highest)
        with torch.set_grad_enabled(graph):
            embeddings = embed(network, candidates.flatten(0, 1)).unflatten(0, found.shape[:2])
        best = _gains(embeddings.detach(), own, wanted, settings).argmax(0)
        chosen.append(best)
        current, momentum = candidates[best, every], momenta[best, every]
    return current, torch.stack(chosen)


def _squared(a, b, settings):
    squares = (a - b) ** 2
    return squares.sum(-1) if settings.distance == "sum" else squares.mean(-1)


def _gains(found, own, wanted, settings):
    """Of candidates [targets, images, dim]; the logarithm, which changes no order, is left out."""
    power = 2 if settings.gain_distance == "squared" else 1
    to_own = (found - own).norm(dim=-1) ** power
    to_targets = (found[:, :, None] - wanted).norm(dim=-1) ** power
    return torch.exp(to_own[..., None] - to_targets).amax(-1)


def _gradient(loss, x):
    return torch.autograd.grad(loss, x)[0] if isinstance(loss, Tensor) else 0.0


def _draw_views(images):
    """Matrices of a random affine noise and a random rotation for each image."""
    count = len(images)
    sigmas = images.new_empty(2, count, 1, 1).uniform_(0.01, 0.1)
    affine = torch.eye(2, 3, device=images.device)
    affine = affine + sigmas[0] * images.new_empty(count, 2, 3).normal_()
    angle = (sigmas[1] * images.new_empty(count, 1, 1).normal_()).flatten()
    cos, sin, nothing = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cos, sin, nothing, -sin, cos, nothing], dim=1)
    return torch.stack([affine, rows.view(count, 2, 3)], dim=1)
