"""Makes faces.npz: real faces, and what the networks' own software says of them.

Run it where PyTorch, onnxruntime and dlib are installed (`make parity`, then `pip install dlib`):

    .venv/bin/python -m tests.golden.networks.make

The crops are of bundled people, found and aligned as the product does it, in whole numbers.
Embeddings of them are from PyTorch, for `sface` from onnxruntime; those of the chips, at dlib's own
size, are from dlib. Gradients are PyTorch's in double precision, of projections on `cotangents`; of
their rows and columns every third is kept, which meets every phase of a stride. There is nothing of
networks whose weights cannot be had by everybody without being asked.
"""

from pathlib import Path

import dlib
import numpy as np
import torch

from tests.parity import onnx_files, torch_networks
from tests.test_networks import AUTOMATIC
from tipim_jax import networks
from tipim_jax.datasets import bundled as people
from tipim_jax.identification import PhotoFace
from tipim_jax.photos import YUNET, FaceDetector, read_photo
from weights_convert import obtain

PATH = Path(__file__).parent / "faces.npz"
PHOTOS = (("Person_001", 0), ("Person_012", 1), ("Person_033", 0), ("Person_064", 2))


def dlib_chips(crops: np.ndarray) -> np.ndarray:
    """uint8 150x150 faces where dlib expects them: nearest pixels, black outside the crop."""
    steps = np.floor((np.arange(150) + 0.5) * 100 / 150).astype(int)
    rows, columns = steps + 22, steps + 6
    chips = crops[:, np.minimum(rows, 111)][:, :, columns]
    chips[:, rows > 111] = 0
    return chips


def dlib_embeddings(chips: np.ndarray) -> np.ndarray:
    model = dlib.face_recognition_model_v1(str(obtain(networks.get("dlib").weights)))
    return np.array([model.compute_face_descriptor(np.ascontiguousarray(c)) for c in chips])


def main():
    detector = FaceDetector(obtain(YUNET))
    photos = [people.photos(identity)[index] for identity, index in PHOTOS]
    pictures = [read_photo(photo).pixels for photo in photos]
    crops = np.stack([PhotoFace(one, detector.detect(one)[0]).crop for one in pictures])
    chips = dlib_chips(crops)
    pixels = crops.astype(np.float32).transpose(0, 3, 1, 2).copy()
    arrays = {
        "sface": onnx_files.run(obtain(networks.get("sface").weights), pixels),
        "dlib": dlib_embeddings(chips).astype(np.float32),
    }
    rng = np.random.default_rng(0)
    for name in AUTOMATIC:
        module = torch_networks.load(name)
        if name not in arrays:
            with torch.inference_mode():
                inputs = torch_networks.preprocess(name, torch.from_numpy(pixels))
                arrays[name] = module(inputs).numpy()
        cotangents = rng.normal(size=(2, networks.get(name).embedding_size)).astype(np.float32)
        gradients = torch_networks.gradient(name, module, pixels[:2], cotangents)[:, ::3, ::3]
        arrays |= {f"{name}_cotangents": cotangents, f"{name}_gradients": np.float32(gradients)}
    np.savez_compressed(PATH, crops=crops, chips=chips, **arrays)


if __name__ == "__main__":
    main()
