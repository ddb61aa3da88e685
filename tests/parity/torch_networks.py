"""Every network in PyTorch, with weights, and what its own software does to a crop before it."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.parity.reference import (
    dlib_resnet,
    edgeface,
    face_resnet,
    ghostfacenet,
    inception_resnet,
    iresnet,
    lightcnn,
    mobilefacenet,
    nn4,
    sface,
    sphere,
    vgg,
    vit,
    w600k,
)
from tipim_jax.networks import get
from weights_convert.conversion import read_variables

_MODULES = {
    "DlibResNet": dlib_resnet,
    "EdgeFace": edgeface,
    "FaceResNet": face_resnet,
    "GhostFaceNet": ghostfacenet,
    "InceptionResNetV1": inception_resnet,
    "IResNet": iresnet,
    "LightCNN": lightcnn,
    "MobileFaceNet": mobilefacenet,
    "NN4Small2": nn4,
    "SFace": sface,
    "SphereNet": sphere,
    "VggFace": vgg,
    "VisionTransformer": vit,
}


def load(name: str) -> nn.Module:
    """The network called `name` with its published weights, in inference mode."""
    return _module(name).load(name).eval().requires_grad_(False)


def build(name: str, seed: int = 0) -> nn.Module:
    """The network called `name` with random, well-conditioned weights, in inference mode."""
    module = _module(name).build(name)
    return randomised(module, seed).eval().requires_grad_(False)


def _module(name: str):
    network = get(name)
    if ("variant", "insightface") in network.options and network.architecture == "MobileFaceNet":
        return w600k
    return _MODULES[network.architecture]


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """Gives all weights values under which maps neither vanish nor explode, none at its default."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(shape, low, high):
        return torch.rand(shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                fan_in = part.weight[0].numel()
                part.weight.copy_(torch.randn(part.weight.shape, generator=generator))
                part.weight.mul_((1.7 / fan_in) ** 0.5)
                if part.bias is not None:
                    part.bias.copy_(uniform(part.bias.shape, -0.1, 0.1))
            elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
                if part.weight is not None:
                    part.weight.copy_(uniform(part.weight.shape, 0.6, 1.2))
                    part.bias.copy_(uniform(part.bias.shape, -0.2, 0.2))
                if not isinstance(part, nn.LayerNorm):
                    part.running_mean.copy_(uniform(part.running_mean.shape, -0.2, 0.2))
                    part.running_var.copy_(uniform(part.running_var.shape, 0.6, 1.6))
            elif isinstance(part, nn.PReLU):
                part.weight.copy_(uniform(part.weight.shape, 0.05, 0.45))
        for own in module.parameters(recurse=False):
            own.copy_(uniform(own.shape, -0.5, 0.5))
    return module


def converted(name: str, state: object, **options) -> dict:
    """Variables that the product makes of a state that PyTorch saves (`torch.save`)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.pth"
        torch.save(state, path, **options)
        return read_variables(get(name), path)


def preprocess(name: str, images: torch.Tensor) -> torch.Tensor:
    """RGB NCHW crops in [0, 255], 112x112, to the network's input."""
    network = get(name)
    height, width = network.input_size
    top, left, bottom, right = network.window.region
    if (height, width) != (112, 112) or network.window.region != (0, 0, 112, 112):
        rows, columns = (
            (torch.arange(pixels, dtype=images.dtype, device=images.device) + 0.5)
            * ((last - first) / pixels)
            + first
            for pixels, first, last in ((height, top, bottom), (width, left, right))
        )
        y, x = torch.meshgrid(rows * 2 / 112 - 1, columns * 2 / 112 - 1, indexing="ij")
        grid = torch.stack([x, y], dim=-1).expand(len(images), -1, -1, -1)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        inside = ((rows >= 0) & (rows <= 112))[:, None] & (columns >= 0) & (columns <= 112)
        images = images * inside
    if network.channel_order == "grey":
        red, green, blue = images.split(1, dim=1)
        images = 0.299 * red + 0.587 * green + 0.114 * blue
    elif network.channel_order == "BGR":
        images = images.flip(1)
    if network.mean is None:
        flat = images.flatten(1)
        mean, std = flat.mean(1), flat.std(1, correction=0).clamp(min=flat.shape[1] ** -0.5)
        return (images - mean.view(-1, 1, 1, 1)) / std.view(-1, 1, 1, 1)
    mean, std = (images.new_tensor(v) for v in (network.mean, network.std))
    return (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)


def gradient(name: str, module: nn.Module, pixels: np.ndarray, cotangents: np.ndarray):
    """Gradient of `(embeddings * cotangents).sum()`, NHWC, for NCHW crops in [0, 255].

    In double precision: in single precision, rounding decides on which side of a PReLU's or a
    maximum's edge some value falls, and one value that differs moves the gradient by up to 1e-2.
    """
    images = torch.from_numpy(pixels.astype(np.float64)).requires_grad_()
    embeddings = module.double()(preprocess(name, images))
    projections = (embeddings * torch.from_numpy(cotangents)).sum()
    found = torch.autograd.grad(projections, images)[0].permute(0, 2, 3, 1).numpy()
    module.float()
    return found
