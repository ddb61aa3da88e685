"""The reader of PyTorch files: what PyTorch wrote comes out exactly, and nothing else gets in."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.networks import get
from weights_convert import ConversionError, obtain
from weights_convert.torch_reader import read

GOLDEN = Path(__file__).parent / "golden" / "weights_convert"
FORMATS = ["zip", "legacy"]


@pytest.mark.parametrize("form", FORMATS)
def test_reads_what_pytorch_wrote(form):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8  # as in golden/weights_convert
    expected = {
        "plain": base,
        "transposed": base.transpose(2, 0, 1),
        "corner": base[1, 1:, ::2],
        "scalar": np.float32(7),
        "half": np.array([0.5, -2, 65504], np.float32),
        "double": np.array([0.1], np.float32),
        "parameter": np.array([3, 4], np.float32),
    }
    found = read(GOLDEN / f"{form}.pth")
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=name != "scalar")
        assert found[name].dtype == np.float32


def test_reads_mobileface_to_plausible_batch_statistics():
    weights = read(obtain(get("mobileface").weights))
    assert len(weights) == 283  # as PyTorch counts
    variances = [array for name, array in weights.items() if name.endswith("running_var")]
    assert len(variances) == 2 + 3 * (3 + 12) + 2 + 1  # stem, blocks of three, head, embedding
    assert all((array > 0).all() for array in variances)
    assert weights["conv1.conv.weight"].shape == (64, 3, 3, 3)


@pytest.mark.parity
def test_mobileface_is_read_as_pytorch_reads_it():
    import torch

    path = obtain(get("mobileface").weights)
    found = read(path)
    expected = torch.load(path, map_location="cpu", weights_only=True)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name, strict=True)


@pytest.mark.parametrize("form", FORMATS)
def test_every_truncation_is_one_error(form, tmp_path):
    whole = (GOLDEN / f"{form}.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"cut\.pth: found .* get it again"):
            read(path)


@pytest.mark.parametrize("form", FORMATS)
def test_every_damaged_byte_gives_arrays_or_one_error(form, tmp_path):
    whole = (GOLDEN / f"{form}.pth").read_bytes()
    path = tmp_path / "damaged.pth"
    refused = []
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            read(path)
        except ConversionError:
            refused.append(position)
    assert len(refused) > len(whole) / 5 / 4


class _Calls:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (eval, "eval"), (getattr, "getattr"), (exec, "exec")],
)
def test_hostile_pickle_is_refused_by_name_and_not_run(form, function, named, tmp_path):
    target = tmp_path / "was_run"
    command = f"open({str(target)!r}, 'w')" if function is not os.system else f"touch {target}"
    data = pickle.dumps({"weight": _Calls(function, command)}, protocol=2)
    with pytest.raises(ConversionError, match=rf"the global \w+\.{named} in its pickle"):
        read(_written(form, data, tmp_path))
    assert not target.exists()


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_persistent_id_is_refused_and_not_run(form, tmp_path):
    target = tmp_path / "was_run"

    call = b"cos\nsystem\n(S'touch %s'\ntR" % bytes(target)
    data = b"(dS'weight'\n(S'storage'\n" + call + b"S'0'\nS'cpu'\nI1\ntQs."
    with pytest.raises(ConversionError, match=r"the global os\.system in its pickle"):
        read(_written(form, data, tmp_path))
    assert not target.exists()


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("storage", b"(S'file'\nS'<f4'\nS'0'\nS'cpu'\nI1\ntQ."),
        ("storage", b"(S'storage'\nS'|O'\nS'0'\nS'cpu'\nI1\ntQ."),
        ("state on a global", b"ctorch._utils\n_rebuild_tensor_v2\n(dS'__call__'\nI1\nsb."),
        ("state on a global", b"ccollections\nOrderedDict\n(dS'a'\nI1\nsb."),
        ("memo place", b"(dr\xff\xff\xff\xff."),
        ("type list", b"(l."),
        ("int named 'a'", b"(dS'a'\nI1\ns."),
        ("named a int", b"(dI1\nI1\ns."),
    ],
)
def test_pickle_with_anything_but_named_tensors_is_refused(what, data, tmp_path):
    match = "broken pickle" if what == "state on a global" else what
    with pytest.raises(ConversionError, match=match):
        read(_written("zip", data, tmp_path))


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((2, 3), (3, 1), 1),  # one element past the end
        ((7,), (1,), 0),
        ((2,), (6,), 0),
        ((2, 3), (3, -1), 2),
        ((2, 3), (3, 1), -1),
        ((-2, -3), (3, 1), 0),
        ((2, 3), (3,), 0),
        ((1,) * 80, (1,) * 80, 0),
        ((0, 2**62, 2**62), (0, 0, 0), 0),
        ((2**40,), (0,), 0),  # few bytes that claim to be very many numbers
    ],
)
def test_view_outside_its_storage_is_refused(shape, strides, offset, tmp_path):
    with pytest.raises(ConversionError, match="found"):
        read(_written("zip", _tensor(shape, strides, offset), tmp_path, np.zeros(6, "<f4")))


def test_view_inside_its_storage_is_read(tmp_path):
    path = _written("zip", _tensor((2, 2), (1, 3), 1), tmp_path, np.arange(6, dtype="<f4"))
    np.testing.assert_array_equal(read(path)["weight"], [[1, 4], [2, 5]])


def test_compressed_archive_is_refused_before_it_is_expanded(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", _tensor((1,), (1,), 0))
        archive.writestr("archive/data/0", bytes(50_000_000))
    with pytest.raises(ConversionError, match="larger inside than outside"):
        read(path)


def _tensor(shape, strides, offset):
    """The pickle of {"weight": tensor} over storage "0" of 6 floats, in opcodes of protocol 0."""
    storage = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI6\ntQ"
    numbers = b"I%d\n" % offset + b"".join(
        b"(" + b"".join(b"I%d\n" % n for n in sizes) + b"t" for sizes in (shape, strides)
    )
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers + b"I00\nNtR"
    return b"(dS'weight'\n" + call + b"s."


def _written(form, data, folder, storage=None):
    path = folder / f"{form}.pth"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            if storage is not None:
                archive.writestr("archive/data/0", storage.tobytes())
    else:
        head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(item, protocol=2) for item in head) + data)
    return path
