"""O-Net against PyTorch, with random weights and with its own."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make parity` installs it")
pytestmark = pytest.mark.parity


def assert_agreement(module, variables):
    """All three heads, on faces that fill the crop and on noise."""
    from tests.parity.compare import faces
    from tipim_jax.networks.onet import INPUT, ONet

    seen = [cv2.resize(face, (INPUT, INPUT), interpolation=cv2.INTER_AREA) for face in faces()]
    seen.append(np.random.default_rng(0).uniform(0, 255, (INPUT, INPUT, 3)))
    images = ((np.stack(seen) - 127.5) / 128).astype(np.float32)
    with torch.no_grad():
        theirs = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    ours = ONet().apply(variables, images)
    for name, found, expected in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=2e-5, err_msg=name)


def test_random_weights_agree_with_pytorch(tmp_path):
    from tests.parity.reference.onet import ONet
    from tests.parity.torch_networks import randomised
    from weights_convert.onet import read_onet

    module = randomised(ONet(), seed=0).eval()
    torch.save(module.state_dict(), tmp_path / "onet.pt")
    assert_agreement(module, read_onet(tmp_path / "onet.pt"))


def test_real_weights_agree_with_pytorch():
    from tests.parity.reference.onet import ONet
    from tipim_jax.networks.onet import WEIGHTS
    from weights_convert import obtain
    from weights_convert.onet import load_onet

    module = ONet().eval()
    module.load_state_dict(torch.load(obtain(WEIGHTS), weights_only=True))
    assert_agreement(module, load_onet())
