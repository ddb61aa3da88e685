"""Makes official_loop.npz: what the official loop does in PyTorch, float32, without views.

Run it where PyTorch is installed (`make parity` installs it):

    .venv/bin/python -m tests.golden.method.make

The crops are of bundled people, found and aligned as the product does it.
"""

from pathlib import Path

import numpy as np
import torch

import weights_convert
from tests.method_cases import CASES, ITERATIONS, PLANNED
from tests.parity.torch_networks import load, preprocess
from tests.parity.torch_tip_im import official_loop
from tipim_jax.datasets import bundled as people
from tipim_jax.identification import PhotoFace
from tipim_jax.photos import YUNET, FaceDetector, read_photo


def torch_network(dtype):
    """`mobileface` in PyTorch: NCHW crops in [0, 255] to raw embeddings."""
    module = load("mobileface").to(dtype)
    return lambda images: module(preprocess("mobileface", images))


def run(dtype, crops, targets):
    """Protected crops [cases, images, 112, 112, 3] and choices [cases, images, iterations]."""
    network = torch_network(dtype)
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(dtype)
    wanted = torch.from_numpy(targets).permute(0, 3, 1, 2).to(dtype)
    protected, chosen = [], []
    for norm, gamma in CASES:
        each = [
            official_loop(
                network,
                image[None],
                wanted,
                iterations=ITERATIONS,
                planned=PLANNED,
                epsilon=12.0,
                gamma=gamma,
                norm=norm,
            )
            for image in images
        ]
        protected.append(torch.cat([image for image, _ in each]).permute(0, 2, 3, 1).numpy())
        chosen.append([choice for _, choice in each])
    return np.stack(protected), np.array(chosen)


def main():
    detector = FaceDetector(weights_convert.obtain(YUNET))
    photos = [people.photos(f"Person_{number:03d}")[0] for number in (2, 5, 61, 63, 66, 70)]
    pictures = [read_photo(photo).pixels for photo in photos]
    crops = np.stack([PhotoFace(one, detector.detect(one)[0]).crop for one in pictures])
    protected, chosen = run(torch.float32, crops[:2], crops[2:])
    np.savez_compressed(
        Path(__file__).with_name("official_loop.npz"),
        crops=crops[:2],
        targets=crops[2:],
        masks=(protected - crops[:2]).astype(np.float16),
        chosen=chosen.astype(np.int8),
    )


if __name__ == "__main__":
    main()
