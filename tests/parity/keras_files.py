"""Keras's HDF5 files of what PyTorch holds, with the names that Keras gives by counting."""

from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

_CLASSES = {"conv": "conv2d", "depthwise": "depthwise_conv2d", "norm": "batch_normalization"}
_CLASSES |= {"prelu": "activation"}  # which the authors' PReLU takes its name from


def write(
    module: nn.Module,
    image: torch.Tensor,
    path: Path,
    *,
    first: int = 0,
    named: dict[str, str] | None = None,
    root: str = "",
) -> Path:
    """Writes a network's weights, in the order in which its layers run.

    Args:
      module: of which every weighted layer takes part, or is `named`.
      image: what it takes.
      first: number from which each class counts; Keras leaves out a 0.
      named: PyTorch's name -> Keras's, of layers that have one.
      root: group of the layers, with a slash.
    """
    names = {part: name for name, part in module.named_modules()}
    order, hooks = [], []
    for part in module.modules():
        if not [*part.children()] and [*part.parameters()]:
            hooks.append(part.register_forward_hook(lambda part, _, __: order.append(part)))
    with torch.no_grad():
        module(image)
    for hook in hooks:
        hook.remove()
    rest = [part for part in names if [*part.parameters(recurse=False)] and part not in order]
    counts: Counter[str] = Counter()
    with h5py.File(path, "w") as file:
        for part in [*order, *rest]:
            kind, variables = _layer(part)
            name = (named or {}).get(names[part])
            if name is None:
                number = first + counts[kind]
                counts[kind] += 1
                name = _CLASSES[kind] + (f"_{number}" if number else "")
            for variable, array in variables.items():
                file[f"{root}{name}/{name}/{variable}:0"] = np.ascontiguousarray(array)
    return path


def _layer(part: nn.Module) -> tuple[str, dict[str, np.ndarray]]:
    """Its kind, and its variables in Keras's layouts."""
    own = {name: value.detach().numpy() for name, value in part.state_dict().items()}
    bias = {"bias": own["bias"]} if own.get("bias") is not None else {}
    match part:
        case nn.Conv2d() if part.groups > 1:
            return "depthwise", {"depthwise_kernel": own["weight"].transpose(2, 3, 0, 1)} | bias
        case nn.Conv2d():
            return "conv", {"kernel": own["weight"].transpose(2, 3, 1, 0)} | bias
        case nn.PReLU():
            return "prelu", {"alpha": own["weight"][None, None]}
    return "norm", {
        "gamma": own["weight"],
        "beta": own["bias"],
        "moving_mean": own["running_mean"],
        "moving_variance": own["running_var"],
    }
