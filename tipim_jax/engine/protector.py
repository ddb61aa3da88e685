"""`Protector`: everything that protecting takes, loaded and compiled once, and the way through it.

    protector = Protector()
    found = protector.protect("me.jpg")
    found.pixels, found.faces

Pictures are RGB, uint8 in [0, 255], height × width × 3. Nothing here writes files: `engine.files`
does.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import jax
import numpy as np

from tipim_jax.backend import backend
from tipim_jax.datasets.crops import aligner_version
from tipim_jax.engine import defaults
from tipim_jax.engine.choosing import Chooser, Chosen
from tipim_jax.engine.found import (
    FAULTS,
    NOT_FINITE,
    FaceOutcome,
    FoundPhoto,
    MaskedPhoto,
    Protected,
    said_of,
)
from tipim_jax.engine.loop import masks, size_of_batch
from tipim_jax.engine.pictures import Picture, pixels_of
from tipim_jax.engine.stream import PhotoStream, Waiting
from tipim_jax.engine.targets import Targets, load_targets
from tipim_jax.engine.threads import ahead, threads
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.method import PRESETS, Layout, Surrogate, TipIm
from tipim_jax.networks import PRECISIONS, PrecisionName, onet
from tipim_jax.networks.precision import chosen
from tipim_jax.photos import YUNET, FaceDetector, PhotoError, region
from tipim_jax.runtime import configure, cores
from weights_convert import obtain

# Threads that find faces. On a machine whose CPU is the device they are to leave it alone.
FINDERS = max(1, min(8, cores() // 2))
# Batches whose faces are found before their turn comes; a photo has one face more often than not.
READ_AHEAD = 2


class Protector:
    """Protects the faces in pictures; networks, targets and detector are loaded once.

    Attributes:
      method: Settings of TIP-IM.
      targets: Whom the masks imitate.
      surrogates: Networks that masks are made against, by name.
      dtype: What they compute in.
      seed: Start of all random numbers.
      batch_size: Number of faces that are protected together.
      detector: Finds the faces.
      chooser: Chooses which of them are protected; None: all are.
    """

    def __init__(
        self,
        method: TipIm | None = None,
        *,
        surrogates: Sequence[str | Recogniser] = defaults.SURROGATES,
        targets: str | Path | Targets | None = None,
        seed: int = 0,
        batch_size: int = defaults.BATCH_SIZE,
        dtype: Literal["auto", PrecisionName] = "auto",
        chooser: Chooser | None = None,
    ):
        """Loads everything; what is not there yet is downloaded and converted, as the command does.

        Args:
          method: None: the command's default, `strong`.
          surrogates: Names in the registry, or networks that are loaded already.
          targets: Folder with one photo of each person who is to be imitated, or such people that
            are loaded already; None: ten of the bundled people.
          seed: The same seed gives the same masks.
          batch_size: Number of faces that are protected together.
          dtype: What the surrogates compute in, see `networks.precision`; auto: float32 on a CPU,
            bfloat16 on an accelerator.
          chooser: Chooses which faces are protected; None: all are.

        Raises:
          ValueError: a setting is out of its range, or a network is unknown.
          SettingsError, PhotoError: the targets cannot be used, or JAX finds no device.
          ConversionError: weights cannot be had.
        """
        configure()
        kind = backend()
        self.method = PRESETS[defaults.PRESET]() if method is None else method
        self.method.check()
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected 1 or more")
        self.seed = seed
        self.detector = FaceDetector(obtain(YUNET))
        obtain(onet.WEIGHTS)  # it asks O-Net now and then, and may be offline by then
        if not isinstance(targets, Targets):
            targets = load_targets(None if targets is None else Path(targets))
        self.targets = targets
        self._on_cpu = kind == "cpu"
        self.dtype = chosen(dtype, kind)
        loaded = [Recogniser.load(one) if isinstance(one, str) else one for one in surrogates]
        self.surrogates = {one.network.name: one for one in loaded}
        self._surrogates = tuple(as_surrogate(one, self.dtype) for one in self.surrogates.values())
        self.batch_size = batch_size
        self.chooser = chooser

    def with_settings(self, method: TipIm, *, seed: int | None = None) -> "Protector":
        """Another one with the same networks, targets and detector."""
        method.check()
        other = copy.copy(self)
        other.method = method
        other.seed = self.seed if seed is None else seed
        return other

    @property
    def decides(self) -> str:
        """Stands for all that decides a mask besides the picture itself."""
        # Only the MMD of a group makes faces depend on the batch around them.
        together = bool(self.method.gamma) and self.method.mmd_group_size > 1
        return _digest(
            asdict(self.method),
            sorted(one.digest for one in self.surrogates.values()),
            self.targets.digest,
            self.seed,
            self.dtype,
            self.batch_size if together else None,
            self.chooser and self.chooser.decides,
            aligner_version(),  # a run does not count as protected what other code found
        )

    def protect(self, picture: Picture) -> Protected:
        """Protects all faces of one picture.

        Args:
          picture: Path of a photo, PIL image, or uint8 array [height, width, 3].

        Returns:
          The picture; as it was where no face was found (`faces` is empty then).

        Raises:
          PhotoError: the file cannot be read.
          ValueError, TypeError: the picture is no such thing; the message says what would be.
        """
        found = self.find(picture)
        (masked,) = self.masked([found])
        return _protected(masked, self.method)

    def protect_many(self, pictures: Iterable[Picture]) -> Iterator[Protected]:
        """Protects a stream of pictures, in order; faces are found while the device works.

        No more than a few batches of pictures are in memory. A file that cannot be read costs the
        others nothing: its `fault` says why.

        Raises:
          ValueError, TypeError: as `protect`, when the stream comes to such a picture.
        """
        with threads(FINDERS) as pool:
            found = ahead(self.find_or_fault, pictures, pool, READ_AHEAD * self.batch_size)
            for masked in self.masked(found):
                yield _protected(masked, self.method)

    def find(self, picture: Picture, *, first_frame: bool = False) -> FoundPhoto:
        """Finds the faces of one picture; errors as `protect`.

        Args:
          first_frame: Of a file that is an animation take the first picture.
        """
        pixels, digest = pixels_of(picture, first_frame=first_frame)
        faces, unsure = map(tuple, self.detector.find(pixels))
        chosen = self.chooser(pixels, faces, unsure) if self.chooser else Chosen(faces, unsure)
        return FoundPhoto(
            source=picture,
            pixels=None if digest else pixels,
            digest=digest,
            faces=chosen.faces,
            regions=tuple(region(pixels, face.matrix) for face in chosen.faces),
            unsure=chosen.unsure,
            doubts=chosen.doubts,
            left_alone=chosen.left,
        )

    def find_or_fault(self, picture: Picture, *, first_frame: bool = False) -> FoundPhoto:
        """As `find`; one that cannot be read or is too large is without faces and says why."""
        try:
            return self.find(picture, first_frame=first_frame)
        except FAULTS as error:
            return FoundPhoto(picture, None, "", (), (), fault=said_of(error))

    def masked(
        self,
        photos: Iterable[FoundPhoto],
        *,
        progress: Callable[[float], None] = lambda _: None,
        kept: Path | None = None,
        one_size: bool = False,
    ) -> Iterator[MaskedPhoto]:
        """Makes the masks of a stream of photos, in order.

        Args:
          progress: Called with the number of photos' worth of work just done.
          kept: Folder in which the state of a batch under way is kept, so that it can go on.
          one_size: Pad few faces to the size of a whole batch, of which there is one program;
            otherwise few are a program of their own, to be compiled first.
        """
        photos = iter(photos)
        first, size = ([], self._size(self.batch_size)) if one_size else self._first_batch(photos)
        stream = PhotoStream(chain(first, photos), progress)
        found = masks(
            self._surrogates,
            stream.regions(),
            self.targets.crops,
            self.method,
            size=size,
            seed=self.seed,
            layout=self.layout(size),
            progress=stream.advance,
            kept=kept and kept / self.decides[:16],  # whose state is no use to other settings
        )
        for mask in found:
            stream.add(mask)
            yield from map(self._with_outcomes, stream.complete())
        yield from map(self._with_outcomes, stream.complete())

    def layout(self, size: int) -> Layout:
        """How a batch of so many faces is laid out on the devices."""
        batch_of = jax.ShapeDtypeStruct((size, *self.targets.crops.shape[1:]), np.float32)
        count = self.method.gradients(len(self.targets.crops))
        return Layout.choose(self._surrogates, batch_of, count)

    def _first_batch(self, photos: Iterator[FoundPhoto]) -> tuple[list[FoundPhoto], int]:
        """The first photos, as many as tell the size of the batches, and that size."""
        first: list[FoundPhoto] = []
        faces = 0
        for photo in photos:
            first.append(photo)
            faces += len(photo.faces)
            if faces > (1 if self._on_cpu else self.batch_size):
                break
        return first, self._size(faces)

    def _size(self, faces: int) -> int:
        return size_of_batch(
            faces,
            self.batch_size,
            devices=jax.local_device_count(),
            group=self.method.mmd_group_size,
            padding_is_free=self._on_cpu,
        )

    def _with_outcomes(self, one: Waiting) -> MaskedPhoto:
        outcomes, values = [], []
        doubts = one.photo.doubts or (None,) * len(one.masks)
        for face, mask, doubt in zip(one.photo.faces, one.masks, doubts, strict=True):
            finite = bool(np.isfinite(mask.values).all())
            target = self.targets.names[mask.target] if finite and mask.target >= 0 else None
            reason = doubt if finite else NOT_FINITE
            outcomes.append(FaceOutcome(face, target, finite, reason, finite and bool(doubt)))
            values.append(mask.values if finite else np.zeros_like(mask.values))
        return MaskedPhoto(one.photo, tuple(values), (*outcomes, *one.photo.others))


def as_surrogate(recogniser: Recogniser, dtype: str = "float32") -> Surrogate:
    """A recogniser as the method takes it."""
    network = recogniser.network
    if dtype == "float32":
        return Surrogate(network.embed, recogniser.variables)
    precision = PRECISIONS[dtype]
    variables = network.weights_in(recogniser.variables, precision)
    return Surrogate(partial(network.embed, precision=precision), variables)


def _protected(masked: MaskedPhoto, method: TipIm) -> Protected:
    photo = masked.photo
    if photo.fault:
        return Protected(photo.source, None, fault=photo.fault)
    try:
        pixels = photo.read()
    except PhotoError as error:
        return Protected(photo.source, None, fault=str(error))
    return Protected(photo.source, masked.added_to(pixels, method), masked.outcomes)


def _digest(*decides) -> str:
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
