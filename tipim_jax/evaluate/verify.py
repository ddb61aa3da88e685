"""`python -m weights_convert verify`: how well networks tell the people of LFW apart."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tipim_jax.datasets.crops import CropCache
from tipim_jax.datasets.lfw import Lfw, LfwError, LfwPhoto, Pairs, open_lfw, read_pairs
from tipim_jax.evaluate.verify_figures import show, stated_thresholds, write
from tipim_jax.identification import (
    PhotoFace,
    Recogniser,
    Verification,
    embed,
    interleaved_folds,
    normalise,
    verify,
    verify_all_pairs,
)
from tipim_jax.networks import Network, get
from tipim_jax.photos import NO_FACE, YUNET, PhotoError, central_face, decode_photo
from tipim_jax.progress import progress
from weights_convert import home, obtain
from weights_convert.arguments import (
    InputError,
    add_networks,
    check_licences,
    check_networks,
    variables,
)

_DESCRIPTION = """\
Measure how well networks tell people apart, on Labeled Faces in the Wild or photos laid out like
it: A_Name/A_Name_0001.jpg. In each photo the face nearest the centre is found, and each network
looks at it through its own window; photos without one are named and their pairs left out. Where the
faces are is kept: a later run need not search again.

With --pairs: accuracy by LFW's protocol (ten folds; the threshold of each is the best on the other
nine). A list without folds, unlike LFW's pairs.txt, is dealt out to ten. With --all-pairs: every
photo with every other, which is how the thresholds that the networks come with were measured.

TAR is the accepted share of the pairs of the same person, FAR that of pairs of different people.
"""
_EXAMPLES = """\
examples:
  tipim weights verify mobileface sface --pairs pairs.txt --lfw lfw.tgz
  tipim weights verify sface --all-pairs --lfw lfw/ --json sface.json
"""


class _Embedded(NamedTuple):
    """The photos with a face, their embeddings by each network, and why the others have none."""

    photos: list[LfwPhoto]
    embeddings: dict[str, np.ndarray]
    left_out: dict[LfwPhoto, str]


def main(arguments: list[str]) -> int:
    """Runs the command.

    Raises:
      InputError, ConversionError, OSError: it cannot be done.
    """
    options = _parse(arguments)
    check_licences(options)
    networks = [get(name) for name in dict.fromkeys(options.names)]
    try:
        pairs = read_pairs(options.pairs) if options.pairs else None
        with open_lfw(options.lfw) as lfw:
            wanted = _wanted(pairs, lfw, options)
            recognisers = {
                network.name: Recogniser(network, variables(network.name, options))
                for network in networks
            }
            faces = _embedded(lfw, wanted, recognisers)
    except LfwError as error:
        raise InputError(str(error)) from None
    try:
        found = {network: _verify(network, faces, pairs) for network in networks}
    except ValueError as error:
        left_out = f"; photos without a face: {len(faces.left_out)}"
        raise InputError(f"{options.pairs or options.lfw}: {error}{left_out}") from None
    show(found, len(faces.photos), faces.left_out)
    if options.json:
        write(options.json, found, len(faces.photos), faces.left_out)
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tipim weights verify",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_networks(parser, "+")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pairs", type=Path, metavar="FILE", help="a list such as LFW's pairs.txt")
    which.add_argument("--all-pairs", action="store_true", help="every photo with every other")
    parser.add_argument(
        "--lfw",
        type=Path,
        required=True,
        metavar="PLACE",
        help="the photos: a folder, .tgz, .tar or .zip",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    options = parser.parse_args(arguments)
    check_networks(parser, options)
    if options.json and not (options.json.parent.is_dir() and not options.json.is_dir()):
        parser.error(f"--json {options.json}: expected a file in a folder that exists")
    read = [path.resolve() for path in (options.pairs, options.lfw, options.file) if path]
    if options.json and options.json.resolve() in read:
        parser.error(f"--json {options.json} would be written over what is read")
    return options


def _wanted(pairs: Pairs | None, lfw: Lfw, options: argparse.Namespace) -> list[LfwPhoto]:
    """The photos to look at, in the order in which they are read fastest."""
    if pairs is None:
        return list(lfw.entries)
    wanted = {photo for pair in pairs.photos for photo in pair}
    missing = sorted(wanted - lfw.entries.keys())
    if missing:
        raise InputError(
            f"{options.pairs} names {len(missing)} photos that {options.lfw} does not hold, the "
            f"first is {missing[0]}; give --lfw the photos that the list is about"
        )
    return [photo for photo in lfw.entries if photo in wanted]


class _Reading:
    """Reads photos, one at a time, and shows the face nearest the centre of each.

    Attributes:
      photos: Those in which a face was found.
      left_out: The others, and why.
    """

    def __init__(self, lfw: Lfw, wanted: list[LfwPhoto]):
        self.photos: list[LfwPhoto] = []
        self.left_out: dict[LfwPhoto, str] = {}
        self._lfw, self._wanted = lfw, wanted
        self._kept = CropCache(home() / "crops", obtain(YUNET))

    def faces(self, advance: Callable[[int], None]) -> Iterator[PhotoFace]:
        for photo in self._wanted:
            try:
                content = self._lfw.read(photo)
                found = self._kept.faces(content, str(photo))
                pixels = decode_photo(content, str(photo)).pixels
            except PhotoError as error:
                self.left_out[photo] = str(error)
            else:
                if found:
                    self.photos.append(photo)
                    yield PhotoFace(pixels, central_face(found, pixels))
                else:
                    self.left_out[photo] = NO_FACE
            advance(1)


def _embedded(lfw: Lfw, wanted: list[LfwPhoto], recognisers: Mapping[str, Recogniser]) -> _Embedded:
    """Shows the faces to each network."""
    reading = _Reading(lfw, wanted)
    with progress(f"looking at {len(wanted)} photos", len(wanted)) as advance:
        embeddings = embed(recognisers, reading.faces(advance))
    if not reading.photos:
        raise InputError(f"{lfw.place}: none of {len(wanted)} photos shows a face that is found")
    embeddings = {name: np.asarray(normalise(found)) for name, found in embeddings.items()}
    return _Embedded(reading.photos, embeddings, reading.left_out)


def _verify(network: Network, faces: _Embedded, pairs: Pairs | None) -> Verification:
    embeddings = faces.embeddings[network.name]
    thresholds = [stated.cosine for stated in stated_thresholds(network)]
    if pairs is None:
        people = {photo.person for photo in faces.photos}
        number = {person: number for number, person in enumerate(sorted(people))}
        identities = np.array([number[photo.person] for photo in faces.photos])
        return verify_all_pairs(embeddings, identities, thresholds=thresholds)
    row = {photo: number for number, photo in enumerate(faces.photos)}
    kept = np.array([all(photo in row for photo in pair) for pair in pairs.photos])
    rows = np.array([[row.get(photo, 0) for photo in pair] for pair in pairs.photos])[kept]
    first, second = embeddings[rows.T].astype(np.float64)
    same = pairs.same[kept]
    folds = interleaved_folds(same) if pairs.folds is None else pairs.folds[kept]
    return verify((first * second).sum(axis=1), same, folds, thresholds=thresholds)
