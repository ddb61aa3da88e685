"""The command's settings."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tipim_jax import flags, networks
from tipim_jax.configuration import SettingsError
from tipim_jax.evaluate.threat_words import threats_help
from tipim_jax.networks import DEFAULT_RECOGNISERS

_EXAMPLES = f"""\
examples:
  tipim evaluate protected/ --clean photos/ --gallery people/
  tipim evaluate fawkes/ --clean lfw/ --gallery lfw-others/ --recogniser facenet
  tipim evaluate protected/ --clean photos/ --gallery people/ --posting
  tipim evaluate protected/ --clean photos/ --gallery people/ --all-windows
  tipim evaluate protected/ --clean photos/ --gallery people/ --threats

{threats_help()}

networks: {", ".join(networks.names())}"""

NetworkName = tyro.extras.literal_type_from_choices(networks.names())


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure how well photos are protected from face recognition, by whatever made them.

    Every protected photo is searched for in a gallery, as is the clean photo that it was made of.
    Of each the face nearest the centre counts, found anew and seen through each network's own
    window; where a detector finds none any more, the place is used where it was in the clean photo.
    Photos never leave this machine.

    Attributes:
      protected: Protected photos; their names are those of the clean ones, whatever the format.
      clean: The photos that they were made of.
      gallery: Photos of the same people and of others: a folder for each person, whatever the files
        in it are called; or, without folders, files called as in LFW, A_Name_0001.jpg. The clean
        photos, whose people are told likewise, are passed over.
      targets: Photos of the people whom the protected ones shall be taken for, named likewise.
      recogniser: Network that judges; give it once per network.
      surrogate: Network that the masks were made against, as far as you know; it is marked.
      distractor_photos: Photos of strangers, whose faces are added to the gallery: a folder of any
        photos, or an archive in LFW's layout. They have no identity and can only be in the way:
        nobody of the other photos should be among them. Faces that are there already are passed
        over.
      drawn_distractors: Embeddings of nobody that are added to the gallery, drawn at random.
      aligned: The photos are 112x112 crops already, all of them, aligned as ArcFace's template.
      all_windows: Show every photo to each network through the windows of other programs, too. A
        window is the part of the photo that a network is shown of a face, and how that is turned
        and scaled. five-points: as ArcFace's template has eyes, nose and mouth. eyes: a detector's
        box, the eyes level, as in DeepFace. box: one with a margin, as for FaceNet. loose-box: one
        with hair, ears and chin, as in libraries in browsers. chips: dlib's. In the tables = stands
        for a window that is the network's own.
      posting: Judge the photos as they are after being posted, too: scaled down, compressed as JPEG
        and grey; and filtered: blurred, sharpened, with noise, their colours changed. The faces are
        found anew; and by another detector, the landmarks of MTCNN's O-Net in the box that was
        found. Clean photos are posted likewise. Every photo is searched for faces some 40 times in
        place of once.
      programs: Judge by whole programs that people search with, too, each with its own detector,
        crop, network and threshold: face_recognition, OpenCV Zoo's YuNet and SFace, InsightFace,
        DeepFace. `make programs` installs them, apart from this product. They search the gallery
        without distractors.
      threats: Judge what else people do with photos, too, as the table above has it; for that
        there should be several protected photos of each person, and other people in --gallery.
        Takes scikit-learn: pip install 'tipim-jax[threats]'.
      output: Folder for results.json and tables, with --posting for posting.json, tables and a
        picture, with --threats for threats.json and tables.
    """

    protected: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PROTECTED")]
    clean: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    gallery: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    targets: Annotated[Path | None, flags.unset("none")] = None
    recogniser: Annotated[
        tyro.conf.UseAppendAction[tuple[NetworkName, ...]],
        flags.unset(", ".join(DEFAULT_RECOGNISERS), "NETWORK"),
    ] = ()
    surrogate: Annotated[
        tyro.conf.UseAppendAction[tuple[NetworkName, ...]], flags.unset("none", "NETWORK")
    ] = ()
    distractor_photos: Annotated[Path | None, flags.unset("none", "PLACE")] = None
    drawn_distractors: int = 0
    aligned: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    all_windows: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    posting: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    programs: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    threats: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    output: Path = Path("evaluation")

    @property
    def recognisers(self) -> tuple[str, ...]:
        return self.recogniser or DEFAULT_RECOGNISERS


def parse(arguments: list[str]) -> Evaluate:
    """Reads the command line; exits with status 2 and a message where it makes no sense.

    Raises:
      SettingsError: a value out of its range.
    """
    settings = flags.parse(Evaluate, arguments, "tipim evaluate", more=_EXAMPLES)
    if settings.drawn_distractors < 0:
        raise SettingsError(
            f"--drawn-distractors is {settings.drawn_distractors}; expected 0 or more"
        )
    if settings.all_windows and settings.aligned:
        raise SettingsError(
            "--all-windows and --aligned cannot be given together: of a crop nothing is left that "
            "another window would show"
        )
    if settings.programs and settings.aligned:
        raise SettingsError("--programs find faces in photos, not in --aligned crops; give photos")
    if settings.threats and not importlib.util.find_spec("sklearn"):
        raise SettingsError(
            "--threats trains scikit-learn's classifier, which is not installed; "
            "run `pip install 'tipim-jax[threats]'` or `pip install scikit-learn`"
        )
    return settings
