"""LFW as a TensorFlow Datasets data set that is built and read without TensorFlow.

The builder that TensorFlow Datasets brings along lists LFW's files through TensorFlow. Ours writes
array_record files, whose records are found by number, and takes the photos as they are: encoded.

A data set is built once from each source, into the user's cache. Beside the files of TensorFlow
Datasets it has `photos.json`, the key of each record in their order, as LFW writes it
(`A_Name/A_Name_0001.jpg`), and `SHA256SUMS` with the hashes of all, in the form of `sha256sum`.
"""

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tipim_jax.datasets.lfw import Lfw, LfwError, LfwPhoto, open_lfw
from tipim_jax.disk import replace
from tipim_jax.networks.origin import Download
from tipim_jax.progress import progress
from weights_convert import ConversionError, cache, obtain

# The address, and the hash of what is there, are those of TensorFlow Datasets (and scikit-learn):
# tensorflow_datasets/datasets/lfw/checksums.tsv. LFW's own site is not always up.
LFW = Download(
    url="https://ndownloader.figshare.com/files/5976018",
    sha256="055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0",
    licence="not stated",
    file_name="lfw.tgz",
    way_out="name it as the source of LFW",
)
_KEYS = "photos.json"
_SUMS = "SHA256SUMS"
_KEY = re.compile(r"(?P<person>[^/]+)/(?P=person)_(?P<number>\d{4,9})\.jpg")


class LfwRecords(tfds.core.GeneratorBasedBuilder):
    """Labeled Faces in the Wild, each photo as its file holds it."""

    VERSION = tfds.core.Version("1.0.0")
    # Nothing beside the code is read: no checksums, as the download is ours. To look for it takes a
    # package that TensorFlow Datasets 4.9 does not ask for: importlib_resources.
    code_path = None

    def __init__(self, lfw: Lfw, advance: Callable[[int], None] = lambda _: None, **options: Any):
        """Prepares to build.

        Args:
          lfw: the photos.
          advance: called with the number of photos just written.
          **options: those of `tfds.core.DatasetBuilder`, `data_dir` above all.
        """
        self._lfw = lfw
        self._advance = advance
        super().__init__(file_format="array_record", **options)

    def _info(self) -> tfds.core.DatasetInfo:
        # `Text` is what TensorFlow Datasets calls a string of bytes, whatever they are.
        features = {
            "photo": tfds.features.Text(doc="the photo's file, nearly always JPEG"),
            "person": tfds.features.Text(),
            "number": np.int32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(features),
            homepage="http://vis-www.cs.umass.edu/lfw/",
            disable_shuffling=True,  # record and place in photos.json have the same number
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        return {"train": self._generate_examples()}  # LFW's one split in TensorFlow Datasets

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        # In the archive's own order: any other would unpack it from its start again and again.
        for photo in self._lfw.entries:
            content = self._lfw.read(photo)
            person = photo.person.encode(errors="surrogateescape")  # as a folder may be called
            yield _key(photo), {"photo": content, "person": person, "number": photo.number}
            self._advance(1)


class LfwReader:
    """Random access to the photos of a data set that is built; can be sent to other processes.

    Attributes:
      place: the data set's folder.
      photos: sorted.
    """

    def __init__(self, place: Path):
        """Opens it; `build` has made sure that it is whole."""
        self.place = place
        matches = map(_KEY.fullmatch, json.loads((place / _KEYS).read_bytes()))
        photos = [LfwPhoto(match["person"], int(match["number"])) for match in matches]
        self._record = {photo: number for number, photo in enumerate(photos)}
        self.photos = tuple(sorted(photos))
        self._open()

    def __call__(self, photo: LfwPhoto) -> bytes:
        """A photo's file.

        Raises:
          KeyError: there is no such photo.
          LfwError: the data set was changed since it was opened.
        """
        number = self._record[photo]
        try:
            record = self._source[number]
            person = record["person"].decode(errors="surrogateescape")
            found = LfwPhoto(person, int(record["number"]))
        except Exception as fault:  # whatever the library raises for damaged files
            found = f"{type(fault).__name__}: {fault}"
        if found != photo:
            raise LfwError(
                f"{self.place}, record {number}: found {found}, expected {photo}; run this again, "
                "the data set is then built anew"
            )
        return record["photo"]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_source"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def _open(self) -> None:
        self._source = tfds.builder_from_directory(self.place).as_data_source("train")


def build(source: Path | None) -> Path:
    """The folder of the data set made of a source, built if it is not there or damaged.

    Args:
      source: LFW or photos laid out like it, as `photos.open_lfw` takes them; None for the original
        LFW, which is downloaded (173 MiB).

    Raises:
      LfwError: the source cannot be had or is no such thing, or the cache cannot be written.
    """
    try:
        place = cache.home() / "lfw" / f"{_content(source)[:16]}-{LfwRecords.VERSION}"
        if _is_whole(place):
            return place
        with cache.alone(place.parent):
            if not _is_whole(place):  # else another process was quicker
                _build(source or obtain(LFW), place)
    except ConversionError as error:
        raise LfwError(str(error)) from None
    return place


def _build(source: Path, place: Path) -> None:
    with cache.workshop() as folder, open_lfw(source) as lfw:
        try:
            made = _written(lfw, folder)
            if place.exists():  # damaged
                replace(place, folder / "damaged")
            replace(made, place)
        except (OSError, RuntimeError) as error:  # array_record's own errors are of the latter kind
            raise LfwError(
                f"cannot write to the cache {cache.home()} ({error}); set TIPIM_JAX_HOME to a "
                "folder that you can write and that has room for the photos"
            ) from None


def _written(lfw: Lfw, folder: Path) -> Path:
    """Builds in a folder, and gives the data set's own folder within that."""
    with progress(f"reading {lfw.place.name}", len(lfw.entries)) as advance, _quiet():
        builder = LfwRecords(lfw, advance, data_dir=folder)
        options = tfds.download.DownloadConfig(try_download_gcs=False)
        builder.download_and_prepare(download_config=options)
    made = Path(builder.data_dir)
    (made / _KEYS).write_text(json.dumps([*map(_key, lfw.entries)], indent=0))
    sums = "".join(f"{cache.sha256(file)}  {file.name}\n" for file in sorted(made.iterdir()))
    (made / _SUMS).write_text(sums, encoding="utf-8", newline="\n")
    return made


def _content(source: Path | None) -> str:
    """Hash of what a source holds: of the archive, or of the names and photos of a folder."""
    if source is None:
        return LFW.sha256
    if not source.is_dir():
        try:
            return cache.sha256(source)
        except OSError as error:
            raise LfwError(f"cannot read {source}: {error.strerror}") from None
    digest = hashlib.sha256()
    with open_lfw(source) as lfw:
        for photo in sorted(lfw.entries):
            content = hashlib.sha256(lfw.read(photo)).hexdigest()
            digest.update(f"{content}  {_key(photo)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _is_whole(place: Path) -> bool:
    """Whether the files are those that were written, no more and no less."""
    try:
        lines = (place / _SUMS).read_text(encoding="utf-8").splitlines()
        expected = dict(line.split("  ", 1)[::-1] for line in lines)
        files = [file for file in place.iterdir() if file.name != _SUMS]
        return bool(files) and expected == {file.name: cache.sha256(file) for file in files}
    except (OSError, ValueError):
        return False


def _key(photo: LfwPhoto) -> str:
    return f"{photo.person}/{photo}.jpg"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and the announcements on stdout of TensorFlow Datasets."""
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        yield
