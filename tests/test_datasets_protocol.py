"""Protocols keep their promises, and are the same whenever they are drawn."""

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tipim_jax.datasets import (
    FaceSet,
    Protocol,
    ProtocolError,
    Roles,
    bundled,
    paper,
    people,
    reproduction,
)
from tipim_jax.datasets.draw import Draw
from tipim_jax.datasets.lfw import LfwPhoto

SHARED = Path(__file__).parents[2] / "shared" / "lfw"


@pytest.fixture(scope="module")
def faces():
    """The names of a set of 400 people with 1 to 4 photos; nothing reads them."""
    counts = np.random.default_rng(0).integers(1, 5, 400)
    photos = [
        LfwPhoto(f"A_Name_{person:03d}", number)
        for person, count in enumerate(counts)
        for number in range(1, count + 1)
    ]
    return FaceSet("a set", tuple(sorted(photos)), lambda photo: b"")


def digest(protocol, tmp_path):
    protocol.write(tmp_path / "protocol.json")
    return hashlib.sha256((tmp_path / "protocol.json").read_bytes()).hexdigest()


def persons(photos):
    return {photo.person for photo in photos}


SIZES = {"probes": 60, "targets": 10, "distractors": 80}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rules", [paper, reproduction])
def test_every_photo_is_where_the_rules_put_it(rules, seed, faces):
    protocol = rules(faces, seed, **SIZES)
    gallery, targets, probes = map(set, (protocol.gallery, protocol.targets, protocol.probes))
    assert (len(probes), len(targets)) == (60, 10)
    assert not probes & gallery
    assert not persons(probes) & persons(targets)
    assert len(persons(gallery) - persons(probes) - persons(targets)) == 80
    whole = {photo for person in persons(gallery) for photo in faces.people[person]}
    if rules is paper:
        assert gallery == whole - probes - targets
    else:
        assert gallery == whole - probes
        assert targets <= gallery
    assert persons(probes) | persons(targets) <= persons(gallery)
    assert protocol.photos == tuple(sorted(gallery | targets | probes))
    assert protocol.target_identities == persons(targets)
    assert (protocol.name, protocol.seed) == (rules.__name__, seed)


def test_seed_decides(faces):
    assert paper(faces, 3, **SIZES) == paper(faces, 3, **SIZES)
    assert paper(faces, 3, **SIZES) != paper(faces, 4, **SIZES)


def test_fewer_people_are_the_first_of_more(faces):
    more = paper(faces, 0, **SIZES)
    fewer = paper(faces, 0, probes=20, targets=10, distractors=0)
    assert fewer.targets == more.targets
    assert fewer.probes == more.probes[:20]
    assert set(fewer.gallery) <= set(more.gallery)


def test_roles_are_kept_to(faces):
    names = list(faces.people)
    several = [name for name in names if len(faces.people[name]) > 1]
    roles = Roles(frozenset(several[:100]), frozenset(several[90:120]), frozenset(names[200:]))
    protocol = paper(faces, 0, roles, **SIZES)
    assert persons(protocol.probes) <= roles.probes
    assert persons(protocol.targets) <= roles.targets
    others = persons(protocol.gallery) - persons(protocol.probes) - persons(protocol.targets)
    assert others <= roles.distractors


def test_bundled_people_have_the_targets_of_the_product(tmp_path):
    protocol = people(0)
    assert protocol.target_identities == set(bundled.TARGETS)
    assert persons(protocol.probes) == set(bundled.identities()) - set(bundled.TARGETS)
    assert len(protocol.gallery) == 140
    assert len(people(0, probes=5, targets=3).gallery) == 16


def test_protocols_of_seed_0_are_those_they_always_were(tmp_path):
    """What somebody measured with them is to be comparable forever."""
    whole = FaceSet.bundled()
    drawn = {
        "people": people(0),
        "paper": paper(whole, 0, probes=40, targets=5, distractors=20),
        "reproduction": reproduction(whole, 0),
    }
    assert {name: digest(protocol, tmp_path) for name, protocol in drawn.items()} == {
        "people": "575adfe5677fe27a961fc871803a175f5dc57b931c2ae08d0cc27bf07429dfa9",
        "paper": "6b7076b89889b38a20694c8467c4560046ba4c0bccef8a96946b0f27999bca4d",
        "reproduction": "8cc765c72af955f2b528c51588c4919a7b25b9ab56c19d97da6d3235d4b94378",
    }


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        (
            {"probes": 500},
            r"^a set: found \d+ people with two photos or more that may be probes, needed 500; "
            r"ask for fewer \(`--probes \d+`\)",
        ),
        ({"targets": 401, "probes": 1}, r"may be targets, needed 401; .*`--targets \d+`"),
        ({"probes": 1, "distractors": 390}, r"found 389 people that may be distractors.*390"),
        ({"probes": 0}, "probes is 0, expected 1 or more"),
        ({"targets": 0}, "targets is 0, expected 1 or more"),
        ({"probes": 1, "distractors": -1}, "distractors is -1, expected 0 or more"),
    ],
)
def test_what_a_set_cannot_give_is_refused_with_the_numbers(counts, match, faces):
    with pytest.raises(ValueError, match=match):
        paper(faces, 0, **counts)


def test_number_that_the_error_names_is_enough(faces):
    with pytest.raises(ProtocolError) as error:
        paper(faces, 0, probes=500, distractors=0)
    enough = int(str(error.value).split("`--probes ")[1].split("`")[0])
    assert len(paper(faces, 0, probes=enough, distractors=0).probes) == enough


def test_seed_below_0_is_refused(faces):
    with pytest.raises(ProtocolError, match="seed is -1, expected 0 or more"):
        paper(faces, -1, **SIZES)


A1, A2, A3 = (LfwPhoto("A", number) for number in (1, 2, 3))
B1, B2 = (LfwPhoto("B", number) for number in (1, 2))
SOUND = Protocol("own", 0, (A1,), (B1,), (A2, B2))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"gallery": (A1, A2)}, "1 probes are in the gallery too, the first is A_0001"),
        ({"targets": (A3,)}, "1 people are probe and target at once, the first is A"),
        ({"probes": (A1, A3)}, "probes of protocol 'own': found A twice"),
        ({"targets": (B1, B2)}, "targets of protocol 'own': found B twice"),
        ({"gallery": (A2, A2)}, "gallery of protocol 'own': found A_0002 twice"),
        ({"probes": ()}, "has no probes"),
        ({"targets": ()}, "has no targets"),
        ({"gallery": ()}, "has no gallery"),
    ],
)
def test_protocol_that_would_measure_nothing_cannot_be_made(changes, match, tmp_path):
    with pytest.raises(ProtocolError, match=match):
        dataclasses.replace(SOUND, **changes)
    fields = {"name": "own", "seed": 0, "probes": ["A_0001"], "targets": ["B_0001"]}
    fields |= {"gallery": ["A_0002", "B_0002"]}
    fields |= {role: [*map(str, photos)] for role, photos in changes.items()}
    (tmp_path / "p.json").write_text(json.dumps(fields))
    with pytest.raises(ProtocolError, match=rf"p\.json: .*{match}"):
        Protocol.read(tmp_path / "p.json")


def test_protocol_is_read_as_it_was_written(faces, tmp_path):
    for protocol in (paper(faces, 0, **SIZES), people(1), SOUND):
        protocol.write(tmp_path / "new" / "p.json")
        assert Protocol.read(tmp_path / "new" / "p.json") == protocol


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, r"cannot read .*p\.json: No such file"),
        ("{", r"p\.json is no JSON .*expected an object of 'name', 'seed', 'probes'"),
        ("[1]", r"p\.json: found list, expected an object of 'name'"),
        ("{}", r"p\.json: found nothing, expected an object of"),
        ('{"probes": []}', r"p\.json: found 'probes', expected an object of"),
        ({"seed": "0"}, r"p\.json, seed: found 0, expected int"),
        ({"seed": True}, r"p\.json, seed: found True, expected int"),
        ({"name": None}, r"p\.json, name: found None, expected str"),
        ({"probes": "A_0001"}, r"p\.json, probes: found A_0001, expected a list of texts"),
        ({"gallery": [1]}, r"p\.json, gallery: found \[1\], expected a list of texts"),
        ({"targets": ["B"]}, r"p\.json, targets: found 'B', expected a photo such as A_Name_0001"),
    ],
)
def test_file_that_is_no_protocol_is_named_with_the_field(content, match, tmp_path):
    if isinstance(content, dict):
        sound = {"name": "own", "seed": 0, "probes": ["A_0001"], "targets": ["B_0001"]}
        content = json.dumps(sound | {"gallery": ["A_0002"]} | content)
    if content is not None:
        (tmp_path / "p.json").write_text(content)
    with pytest.raises(ProtocolError, match=match):
        Protocol.read(tmp_path / "p.json")


def test_roles_are_read_from_lists_of_names(tmp_path):
    (tmp_path / "roles.json").write_text('{"probes": ["A"], "targets": ["B"], "distractors": []}')
    expected = Roles(frozenset("A"), frozenset("B"), frozenset())
    assert Roles.read(tmp_path / "roles.json") == expected
    (tmp_path / "roles.json").write_text('{"probes": [1], "targets": [], "distractors": []}')
    with pytest.raises(ProtocolError, match=r"roles\.json, probes: found \[1\]"):
        Roles.read(tmp_path / "roles.json")


def test_every_order_is_equally_likely():
    """With 24 orders of 4 things in 4,800 samples, chi squared has 23 degrees of freedom."""
    draw = Draw(0, "a test")
    counts = Counter(tuple(draw.sample("abcd", 4)) for _ in range(4800))
    assert len(counts) == 24
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 49.7  # 99.9 % are lower


def test_draws_are_those_of_pcg64_as_it_is_specified():
    """Step and output function of O'Neill, "PCG" (HMC-CS-2014-0905), written out in whole numbers.

    The state that the seed sequence gives is NumPy's; SeedSequence is stable by NEP 19.
    """
    draw = Draw(7, "a test")
    bits = np.random.PCG64()
    bits.state = draw._bits.state
    state, increment = (bits.state["state"][name] for name in ("state", "inc"))

    def word():
        nonlocal state
        state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + increment) % 2**128
        mixed, turn = (state >> 64) ^ (state % 2**64), state >> 122
        return (mixed >> turn | mixed << (64 - turn)) % 2**64

    pool = list("abcdefgh")
    for place in range(5):
        other = place + word() % (8 - place)
        pool[place], pool[other] = pool[other], pool[place]
    assert draw.sample("abcdefgh", 5) == pool[:5]


def test_published_roles_give_the_papers_protocol_on_the_real_lfw(tmp_path, monkeypatch):
    if not (SHARED / "lfw.tgz").is_file():
        pytest.skip(f"{SHARED} has no lfw.tgz: the real LFW is not tested")
    monkeypatch.setenv("TIPIM_JAX_HOME", str(tmp_path / "cache"))
    faces = FaceSet.lfw(SHARED / "lfw.tgz")
    protocol = paper(faces, 0, Roles.read(SHARED / "protocol.json"))
    assert (len(protocol.probes), len(protocol.targets)) == (500, 10)
    others = persons(protocol.gallery) - persons(protocol.probes) - persons(protocol.targets)
    assert len(others) == 500
    assert set(protocol.photos) <= set(faces.photos)
