"""Makes brought.npz: what PyTorch says of networks whose weights every user brings.

Run it where PyTorch is installed (`make parity`):

    .venv/bin/python -m tests.golden.networks.make_brought

The weights are random and made anew in the tests; the crop is the first of faces.npz.
"""

from pathlib import Path

import numpy as np
import torch

from tests.brought import state_dict
from tests.parity import torch_networks
from tests.parity.compare import faces
from tipim_jax.networks import get

PATH = Path(__file__).parent / "brought.npz"
NAMES = ("ghostfacenet", "lvface-t")


def main():
    pixels = torch.from_numpy(faces()[:1].transpose(0, 3, 1, 2).copy())
    arrays = {}
    for name in NAMES:
        module = torch_networks.build(name)
        state = {key: torch.from_numpy(array) for key, array in state_dict(get(name)).items()}
        missing, unexpected = module.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(key.endswith(("num_batches_tracked", "mask_token")) for key in missing)
        with torch.no_grad():
            arrays[name] = module(torch_networks.preprocess(name, pixels)).numpy()
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()
