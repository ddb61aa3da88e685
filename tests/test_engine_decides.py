"""What decides a mask decides whether one that is there is taken for it."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tipim_jax import Protector, TipIm, networks
from tipim_jax.engine.targets import Targets
from tipim_jax.identification import PhotoFaces, Recogniser
from tipim_jax.photos import TEMPLATE, Face

FACE = Face(np.array([0, 0, 99, 99], np.float32), TEMPLATE.astype(np.float32), 0.9)


def _targets(contents=("a", "b"), people=("Ann", "Bob"), faces=(FACE, FACE)):
    return Targets("here", PhotoFaces(people, people, faces, contents, read=None), {})


def _protector(**changes):
    one = object.__new__(Protector)  # what it loads is of no concern here
    weights = changes.pop("weights", {"kernel": np.arange(4.0)})
    name = changes.pop("network", "mobileface")
    values = {
        "method": TipIm.fast(),
        "surrogates": {name: Recogniser(networks.get(name), weights)},
        "targets": _targets(),
        "seed": 0,
        "dtype": "float32",
        "batch_size": 8,
        "chooser": None,
    }
    vars(one).update(values | changes)
    return one


def _decides(**changes):
    return _protector(**changes).decides


def test_the_same_is_the_same():
    assert _decides() == _decides()
    moved = Targets("elsewhere", _targets().faces, {"left": "out"})
    assert _decides(targets=moved) == _decides()
    assert _decides(batch_size=4) == _decides(), "a face alone decides its mask"


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": {"kernel": np.arange(4.0)[::-1]}},  # as many, with the same sum
        {"network": "sface"},
        {"targets": _targets(contents=("b", "a"))},  # the same pixels in another order
        {"targets": _targets(contents=("a", "c"))},
        {"targets": _targets(people=("Bob", "Ann"))},
        {"targets": _targets(faces=(FACE, dataclasses.replace(FACE, box=FACE.box + 1)))},
        {"method": TipIm.strong()},
        {"seed": 1},
        {"dtype": "bfloat16"},
        {"chooser": SimpleNamespace(decides="other faces")},
    ],
)
def test_whatever_decides_a_mask_makes_another_run_of_it(changes):
    assert _decides(**changes) != _decides()


def test_what_other_code_found_and_wrote_does_not_count_as_protected(monkeypatch):
    before = _decides()
    monkeypatch.setattr("tipim_jax.engine.protector.aligner_version", lambda: "other")
    assert _decides() != before


def test_a_batch_that_was_under_way_does_not_go_on_with_other_settings(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(
        "tipim_jax.engine.protector.masks", lambda *_, **how: kept.append(how["kept"]) or iter(())
    )
    monkeypatch.setattr(Protector, "layout", lambda *_: None)
    monkeypatch.setattr(Targets, "crops", None)
    for changes in ({}, {}, {"targets": _targets(contents=("a", "c"))}, {"method": TipIm.strong()}):
        protector = _protector(_surrogates=(), _on_cpu=True, _several=False, **changes)
        assert not list(protector.masked([], kept=tmp_path))
    same, again, *others = kept
    assert same == again and len({same, *others}) == 3
