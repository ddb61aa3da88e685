"""Makes the two PyTorch files beside it; run with a Python that has torch 2.

    python tests/golden/weights_convert/make.py

The values follow from the code below, and the tests compute them again with NumPy.
"""

from collections import OrderedDict
from pathlib import Path

import torch


def state_dict() -> OrderedDict:
    """One tensor for each thing that a reader can get wrong."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8
    state = OrderedDict(
        plain=base,
        transposed=base.permute(2, 0, 1),  # strides, shared storage
        corner=base[1, 1:, ::2],  # strides and an offset
        scalar=torch.tensor(7),  # int64, no axes
        half=torch.tensor([0.5, -2.0, 65504.0], dtype=torch.float16),
        double=torch.tensor([0.1], dtype=torch.float64),
        parameter=torch.nn.Parameter(torch.tensor([3.0, 4.0])),
    )
    state._metadata = OrderedDict({"": {"version": 1}})  # as every module's state dict has
    return state


if __name__ == "__main__":
    folder = Path(__file__).parent
    torch.save(state_dict(), folder / "zip.pth")
    torch.save(state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
