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
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import asdict
from functools import cached_property, partial
from operator import methodcaller
from pathlib import Path
from typing import Literal

import jax

from tipim_jax.backend import backend, on_the_cpu
from tipim_jax.datasets.crops import aligner_version
from tipim_jax.engine import defaults
from tipim_jax.engine.batches import Layouts, Sizes
from tipim_jax.engine.choosing import Chooser, Chosen
from tipim_jax.engine.found import (
    FAULTS,
    FoundPhoto,
    MaskedPhoto,
    Protected,
    said_of,
)
from tipim_jax.engine.loop import masks
from tipim_jax.engine.pictures import Picture, pixels_of
from tipim_jax.engine.stream import PhotoStream
from tipim_jax.engine.targets import Targets, load_targets
from tipim_jax.engine.threads import Crew, ahead, threads
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.method import PRESETS, Layout, Surrogate, TipIm
from tipim_jax.networks import PRECISIONS, PrecisionName, onet
from tipim_jax.networks.precision import chosen
from tipim_jax.photos import YUNET, FaceDetector, region
from tipim_jax.runtime import configure
from weights_convert import obtain

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
      batch_size: Number of faces that are protected together, if there are so many.
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
        batch_size: int | None = None,
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
          batch_size: Number of faces that are protected together. None: 8 on a CPU; on an
            accelerator up to 64 for each device, and more in a long run, up to 256.
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
        # Whether the size of a batch depends on the run, too.
        self._several = batch_size is None and kind != "cpu"
        if batch_size is not None and batch_size < 1:
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
        if self._several:
            batch_size = self._layouts.most
        self.batch_size = batch_size or defaults.BATCH_SIZE
        self.chooser = chooser

    def with_settings(self, method: TipIm, *, seed: int | None = None) -> "Protector":
        """Another one with the same networks, targets and detector."""
        method.check()
        other = copy.copy(self)
        other.method = method
        vars(other).pop("_layouts", None)
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
        return masked.protected(self.method)

    def protect_many(self, pictures: Iterable[Picture]) -> Iterator[Protected]:
        """Protects a stream of pictures, in order; faces are found while the device works.

        No more than a few batches of pictures are in memory, and of files the faces alone. A file
        that cannot be read costs the others nothing: its `fault` says why.

        Raises:
          ValueError, TypeError: as `protect`, when the stream comes to such a picture.
        """
        crew = Crew.here()
        count = len(pictures) if isinstance(pictures, Sized) else None
        added = methodcaller("protected", self.method)
        with (
            threads(crew.writers) as adding,
            threads(crew.finders, one_core_each=crew.one_core_each) as finders,
        ):
            found = ahead(
                self.find_or_fault, pictures, finders, READ_AHEAD * self._sizes.most_of(count)
            )
            masked = self.masked(found, expected=count)
            beside = partial(ahead, pool=adding, most=2 * crew.writers)
            yield from map(added, masked) if self._on_cpu else beside(added, masked)

    def find(self, picture: Picture, *, first_frame: bool = False) -> FoundPhoto:
        """Finds the faces of one picture; errors as `protect`.

        Args:
          first_frame: Of a file that is an animation take the first picture.
        """
        pixels, digest = pixels_of(picture, first_frame=first_frame)
        with on_the_cpu():
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
        expected: int | None = None,
        progress: Callable[[float], None] = lambda _: None,
        waited: Callable[[float], None] = lambda _: None,
        kept: Path | None = None,
        one_size: bool = False,
    ) -> Iterator[MaskedPhoto]:
        """Makes the masks of a stream of photos, in order.

        Args:
          photos: Taken a batch at a time; on an accelerator by a thread, ahead of time.
          expected: Number of photos, where it is known and they are no list: if they are not just
            a few an accelerator then need not wait for the first ones to know how many faces to
            protect together.
          progress: Called with the number of photos' worth of work just done.
          waited: Called with seconds in which the device had nothing to do, since there was a face.
          kept: Folder in which the state of a batch under way is kept, so that it can go on.
          one_size: Pad few faces to the size of a whole batch, of which there is one program;
            otherwise few are a program of their own, to be compiled first.
        """
        photos, size = self._sizes.begin(photos, expected, one_size=one_size)
        nobody, size = not size, size or 1
        stream = PhotoStream(photos, self.targets.names, progress)
        found = masks(
            self._surrogates,
            stream.regions(),
            self.targets.crops,
            self.method,
            size=size,
            seed=self.seed,
            layout=self.layout(size),
            progress=stream.advance,
            waited=waited,
            compiled=None if self._on_cpu or nobody else self._layouts.to_compile(size),
            kept=kept and kept / self.decides[:16],  # whose state is no use to other settings
        )
        for mask in found:
            stream.add(mask)
            yield from stream.complete()
        yield from stream.complete()

    @cached_property
    def _layouts(self) -> Layouts:
        return Layouts(self._surrogates, self.targets.crops, self.method)

    def layout(self, size: int) -> Layout:
        """How a batch of so many faces is laid out on the devices; the same each time."""
        return self._layouts.of(size)

    @property
    def work(self) -> dict[str, str | int]:
        """How masks are made, for who reads the results: numbers of faces, types, devices."""
        size = self.batch_size if self._on_cpu else self._layouts.last or self.batch_size
        return {"batch_size": size, "dtype": self.dtype, "layout": str(self.layout(size))}

    @property
    def _sizes(self) -> Sizes:
        return Sizes(
            self.batch_size,
            several=self._several,
            devices=jax.local_device_count(),
            group=self.method.mmd_group_size,
            on_cpu=self._on_cpu,
        )


def as_surrogate(recogniser: Recogniser, dtype: str = "float32") -> Surrogate:
    """A recogniser as the method takes it."""
    network = recogniser.network
    if dtype == "float32":
        return Surrogate(network.embed, recogniser.variables)
    precision = PRECISIONS[dtype]
    variables = network.weights_in(recogniser.variables, precision)
    return Surrogate(partial(network.embed, precision=precision), variables)


def _digest(*decides) -> str:
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
