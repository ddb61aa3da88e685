"""The official TIP-IM loop in PyTorch, written from its description, to compare with.

One image at a time, without random views: one forward pass, then autograd through the loss as it is
printed, one backward pass per target. Weight gradients, which the official code also computes, are
left out. `dtype` is that of the images.
"""

import math

import torch
import torch.nn.functional as F

SIGMAS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 5, 10, 15, 20, 25, 30, 35, 100, 1e3, 1e4, 1e5, 1e6]


def mmd(protected, original):
    """Both [images, pixels]; the official value, its last division by N included."""

    def kernel_mean(a, b):
        squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
        return sum(torch.exp(-squared / (2 * sigma)) for sigma in SIGMAS).mean()

    value = kernel_mean(protected, protected) + kernel_mean(original, original)
    return (value - 2 * kernel_mean(protected, original)) / len(protected)


def embed(network, images):
    raw = network(images)
    return raw / torch.sqrt((raw**2).sum(1, keepdim=True) + 1e-5)


def view(images, matrices):
    """Looks at images [N, 3, H, W] through two affine maps each, matrices [N, 2, 2, 3]."""
    for matrix in matrices.unbind(1):
        grid = F.affine_grid(matrix, images.shape, align_corners=False)
        whole = F.grid_sample(torch.ones_like(images), grid, align_corners=False)
        images = F.grid_sample(images, grid, align_corners=False) * (whole >= 0.9999)
    return images


def official_loop(network, image, targets, *, iterations, planned, epsilon, gamma, norm):
    """Protects one image [1, 3, H, W] in [0, 255] against targets [K, 3, H, W].

    Args:
      iterations: how many are done; `planned` is the T that sets the step size 1.5 ε / T.

    Returns:
      the protected image and the list of chosen target indices.
    """
    with torch.no_grad():
        own, wanted = embed(network, image), embed(network, targets)
    low, high = (image - epsilon).clamp(min=0), (image + epsilon).clamp(max=255)
    step = 1.5 * epsilon / planned
    current, momentum, chosen = image.clone(), torch.zeros_like(image), []
    for _ in range(iterations):
        candidates, momenta = [], []
        x = current.clone().requires_grad_(True)
        seen = embed(network, x)
        naturalness = mmd(x.reshape(1, -1), image.reshape(1, -1))
        for target in wanted:
            loss = ((seen - target) ** 2).mean() - ((seen - own) ** 2).mean()
            loss = loss + gamma * naturalness
            (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
            g = momentum + gradient / gradient.abs().mean()
            direction = torch.sign(g) if norm == "linf" else g / g.norm() * math.sqrt(g.numel())
            candidates.append(torch.minimum(torch.maximum(current - step * direction, low), high))
            momenta.append(g)
        with torch.no_grad():
            found = embed(network, torch.cat(candidates))
            to_own = (found - own).norm(dim=1)
            to_targets = torch.stack([(found - target).norm(dim=1) for target in wanted], dim=1)
            gain = torch.log(1 + torch.exp(to_own[:, None] - to_targets).max(dim=1).values)
        best = int(gain.argmax())
        chosen.append(best)
        current, momentum = candidates[best], momenta[best]
    return current, chosen
