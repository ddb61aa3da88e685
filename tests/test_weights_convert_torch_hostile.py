"""The reader of PyTorch files: damaged and hostile ones become one error, and nothing runs."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from weights_convert import ConversionError
from weights_convert.readers.torch_reader import read

GOLDEN = Path(__file__).parent / "golden" / "weights_convert"
FORMATS = ["zip", "legacy"]


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
@pytest.mark.parametrize("protocol", [2, 5])
def test_hostile_pickle_is_refused_by_name_and_not_run(form, function, named, protocol, tmp_path):
    target = tmp_path / "was_run"
    command = f"open({str(target)!r}, 'w')" if function is not os.system else f"touch {target}"
    data = pickle.dumps({"weight": _Calls(function, command)}, protocol=protocol)
    with pytest.raises(ConversionError, match=rf"a call of the global \w+\.{named} in its pickle"):
        read(_written(form, data, tmp_path))
    assert not target.exists()


SYSTEM = b"cos\nsystem\n"


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (SYSTEM + b"(S'%s'\ntR", "a call of the global os.system"),
        (b"(S'%s'\nios\nsystem\n", "a call of the global os.system"),
        (b"(" + SYSTEM + b"S'%s'\no", "a call of the global os.system"),
        (b"\x8c\x02os\x8c\x06system\x93(S'%s'\ntR", "a call of the global os.system"),
        # getattr(os, "system")(…), and the same by a dotted name.
        (b"c__builtin__\ngetattr\n(cos\n\nS'system'\ntR(S'%s'\ntR", "__builtin__.getattr"),
        (b"\x8c\x07weights\x8c\x09os.system\x93(S'%s'\ntR", "weights.os.system"),
        (b"crunpy\n_run_code\n(S'%s'\ntR", "runpy._run_code"),
        # An instance is called as if it had __call__, its class as if it were a function.
        (SYSTEM + b")\x81(S'%s'\ntR", "a call of a Instance"),
        (b"(S'%s'\nS'system'\nt(S'%s'\ntR", "a call of a tuple"),
        # What would happen on any attribute that unpickling may set.
        (SYSTEM + b"}S'__setstate__'\n" + SYSTEM + b"sb(S'%s'\nb", "state set on a Global"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n}S'__call__'\n" + SYSTEM + b"sb", "set on a Global"),
        (b"\x82\x01(S'%s'\ntR", "the opcode EXT1"),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_every_way_to_call_is_refused_and_nothing_runs(form, call, found, tmp_path):
    target = tmp_path / "was_run"
    data = call.replace(b"%s", b"touch %s" % bytes(target))
    with pytest.raises(ConversionError, match=found.replace(".", r"\.")):
        read(_written(form, b"}S'weight'\n" + data + b"s.", tmp_path))
    assert not target.exists()


def test_hostile_persistent_id_is_refused_and_not_run(tmp_path):
    target = tmp_path / "was_run"
    call = SYSTEM + b"(S'touch %s'\ntR" % bytes(target)
    data = b"(dS'weight'\n(S'storage'\n" + call + b"S'0'\nS'cpu'\nI1\ntQs."
    for form in FORMATS:
        with pytest.raises(ConversionError, match=r"the global os\.system in its pickle"):
            read(_written(form, data, tmp_path))
    assert not target.exists()


def test_instances_of_unknown_classes_are_data_and_nothing_else(tmp_path):
    """With what they are given where Python would look for methods, and run them."""
    target = tmp_path / "was_run"
    hook = SYSTEM + b"S'touch %s'\n" % bytes(target)
    state = b"}" + b"".join(
        b"S'%s'\n%ss" % (name, SYSTEM)
        for name in (b"__setstate__", b"__reduce__", b"__del__", b"__class__", b"append")
    )
    instance = SYSTEM + b"(S'touch'\nt\x81" + state + b"b(S'touch'\ntb(S'a'\ne"
    data = (
        b"}S'hostile'\n"
        + instance
        + b"sS'named'\n"
        + hook
        + b"\x86s"
        + _tensor((6,), (1,), 0)[2:-1]
    )
    found = read(_written("zip", data + b".", tmp_path, np.arange(6, dtype="<f4")))
    assert list(found) == ["weight"]
    np.testing.assert_array_equal(found["weight"], np.arange(6))
    assert not target.exists()


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("no storage", b"(S'file'\nS'<f4'\nS'0'\nS'cpu'\nI1\ntQ."),
        ("no storage", b"(S'storage'\nS'|O'\nS'0'\nS'cpu'\nI1\ntQ."),
        ("no storage", b"(S'storage'\nctorch\nQUInt8Storage\nS'0'\nS'cpu'\nI1\ntQ."),
        ("state set on a Global", b"ccollections\nOrderedDict\n(dS'a'\nI1\nsb."),
        ("dict without named tensors", b"(dr\xff\xff\xff\xff."),  # a memo place of 2^32 - 1
        ("type list without named tensors", b"(l."),
        ("type dict without named tensors", b"(dS'a'\nI1\ns."),
        ("type dict without named tensors", b"(dI1\nI1\ns."),
        ("takes more from its stack", b"(dS'a'\n(s."),
        ("broken pickle", b"(dg5\n."),
        ("broken pickle", b"(d\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."),  # a very long string
        ("broken pickle", b"(dt."),
        ("set on a int", b"I1\nI1\nI1\ns."),
        ("added to a int", b"I1\nI1\na."),
    ],
)
def test_pickle_without_named_tensors_is_refused(what, data, tmp_path):
    with pytest.raises(ConversionError, match=what):
        read(_written("zip", data, tmp_path))


@pytest.mark.parametrize(
    "nested",
    [
        b")" + b"\x85" * 200_000,  # tuples, whose hash would take a deep recursion
        b"]" * 200_000 + b"a" * 199_999,
        b"}S'a'\n" * 200_000 + b"N" + b"s" * 200_000,
        b"cmodels\nBlock\n0"
        + b"cm\nB\n)\x81}S'_modules'\n}S'a'\n" * 20_000
        + b"N"
        + b"ssb" * 20_000,
    ],
    ids=["tuples", "lists", "dictionaries", "modules"],
)
def test_deep_nesting_is_harmless(nested, tmp_path):
    tensor = _tensor((6,), (1,), 0)[2:-1]
    data = b"}(" + nested + b"N" + b"S'deep'\n" + nested + b"u" + tensor + b"."
    path = _written("zip", data, tmp_path, np.zeros(6, "<f4"))
    if b"_modules" in nested:
        with pytest.raises(ConversionError, match="modules within modules without end"):
            read(path)
    else:
        assert list(read(path)) == ["weight"]


def test_module_that_contains_itself_or_very_many_is_refused(tmp_path):
    parameters = b"S'_parameters'\n}" + _tensor((6,), (1,), 0)[2:-1] + b"s"
    begin = b"cmodels\nNet\n)\x81"
    itself = begin + b"p0\n}" + parameters + b"S'_modules'\n}S'a'\ng0\nssb."
    # Each of 40 modules has the one before it twice.
    twice = begin + b"}" + parameters + b"bp0\n0"
    for n in range(40):
        inner = b"}S'a'\ng%d\nsS'b'\ng%d\ns" % (n, n)
        twice += begin + b"}S'_modules'\n" + inner + b"sbp%d\n0" % (n + 1)
    for data in (itself, twice + b"g40\n."):
        with pytest.raises(ConversionError, match="modules within modules without end"):
            read(_written("zip", data, tmp_path, np.zeros(6, "<f4")))


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


@pytest.mark.parametrize(
    ("key", "start", "size", "expected"),
    [("7", 0, 6, [1, 4]), ("view", 2, 4, [3, 0]), ("view", 5, 2, None), ("view", -1, 2, None)],
)
def test_storage_may_be_a_view_of_another(key, start, size, expected, tmp_path):
    """The sixth part of a persistent id of PyTorch before 0.4."""
    view = b"(S'%s'\nI%d\nI%d\nt" % (key.encode(), start, size)
    data = _tensor((2,), (3,), 1).replace(b"I6\nt", b"I6\n" + view + b"t")
    data = data.replace(b"_tensor_v2", b"_tensor").replace(b"I00\nNtR", b"tR")
    path = tmp_path / "old.pth"
    elements = np.arange(6, dtype="<f4")
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    pickles = [*(pickle.dumps(item, protocol=2) for item in head), data, pickle.dumps(["0"], 2)]
    path.write_bytes(b"".join(pickles) + (6).to_bytes(8, "little") + elements.tobytes())
    if start == 0:
        np.testing.assert_array_equal(read(path)["weight"], expected)
    else:
        with pytest.raises(ConversionError, match="found"):
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
