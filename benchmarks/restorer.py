"""Whether a small network takes masks off that has seen other people's, with and without.

    python -m benchmarks.restorer --protected out/ --clean photos/ --gallery people/ \\
        --others-protected others-out/ --others-clean others/ --recogniser lightcnn

Whoever has the tool can protect any photos and train on the pairs: a residual U-Net learns, from
the faces' regions of other people, to give the clean pixels back; then it is shown the photos that
are judged, and `python -m tipim_jax.evaluate --threats` judges what it makes of them, as any other
photos. They lie in `--output`/restored, with the figures beside them. The more and the more varied
the others are, the stronger the restorer: say how many there were.

Training that was stopped goes on where it was; the same seed gives the same network.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import machine, table
from benchmarks.restoring import Training, face_regions, restored, train
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import person
from tipim_jax.evaluate.pairs import PhotoPair, pair_photos
from tipim_jax.evaluate.run import run
from tipim_jax.evaluate.settings import Evaluate, parse
from tipim_jax.identification import HARMS, Recogniser
from tipim_jax.networks import names
from tipim_jax.photos import YUNET, FaceDetector, PhotoError, read_photo, write_photo
from tipim_jax.progress import Bars
from tipim_jax.runtime import configure
from weights_convert import ConversionError, obtain

COLUMNS = {
    "threat": ("threat", ""),
    "recogniser": ("recogniser", ""),
    "photos": ("photos", ""),
    "people": ("people", ""),
    "figure": ("", ""),
    "unprotected": ("unprotected", ""),
    "protected": ("protected", ""),
    "restored": ("restored", ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for flag, what in {
        "protected": "protected photos that are judged, several of each person",
        "clean": "the photos that they were made of",
        "gallery": "photos of other people, as of `evaluate --gallery`",
        "others-protected": "protected photos of other people, to train on",
        "others-clean": "the photos that these were made of",
    }.items():
        parser.add_argument(f"--{flag}", type=Path, metavar="DIR", required=True, help=what)
    parser.add_argument("--recogniser", action="append", choices=names(), help="default: lightcnn")
    parser.add_argument("--steps", type=int, default=Training.steps, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("out/restorer"))
    options = parser.parse_args()
    if options.steps < 1:
        parser.error(f"--steps is {options.steps}; expected 1 or more")
    configure()
    console = Console(stderr=True)
    try:
        evaluations = _evaluations(options)
        for name in evaluations["protected"].recognisers:
            Recogniser.load(name)  # what cannot be had is to be known before the training
        others, judged = (
            pair_photos(*places)
            for places in (
                (options.others_protected, options.others_clean),
                (options.protected, options.clean),
            )
        )
        both = _people(others) & _people(judged)
        if both:
            parser.error(
                f"--others-protected and --protected both hold photos of {min(both)}: a restorer "
                "is to be shown people whom it never saw; take their photos out of one of them"
            )
        detector = FaceDetector(obtain(YUNET))
        with Bars(console) as bars:
            advance = bars.add("faces of others", len(others), "photos")
            regions = face_regions(others, detector, advance)
            advance = bars.add("training", options.steps, "steps")
            training = Training(steps=options.steps, seed=options.seed)
            restore = train(*regions, training, options.output, progress=advance)
            advance = bars.add("restoring", len(judged), "photos")
            folder = evaluations["restored"].protected
            for pair in judged:
                photo = read_photo(pair.protected.source)
                photo = dataclasses.replace(
                    photo, pixels=restored(photo.pixels, detector, restore), grey=False
                )
                # Lossless, and still paired with the clean photo by its name.
                write_photo(folder / pair.protected.relative.with_suffix(".png"), photo)
                advance(1)
        figures, closeness = _figures(evaluations, console)
    except (SettingsError, ConversionError, PhotoError, ValueError, OSError) as error:
        console.error(error)
        sys.exit(1)
    about = machine.describe() | {
        "others": {"people": len(_people(others)), "faces": len(regions[0])},
        "training": dataclasses.asdict(training),
        "psnr": closeness,
    }
    print(f"trained on {len(regions[0])} faces of {len(_people(others))} other people")
    near = ", ".join(f"{what} {db:.1f} dB" for what, db in closeness.items())
    print(f"PSNR to the clean crops: {near}")
    print(table.text(figures, COLUMNS))
    table.save(options.output / "results.json", about, figures)


def _evaluations(options: argparse.Namespace) -> dict[str, Evaluate]:
    """How the protected photos are judged, and the restored ones."""
    shared = ["--clean", str(options.clean), "--gallery", str(options.gallery), "--threats"]
    for name in options.recogniser or ["lightcnn"]:
        shared += ["--recogniser", name]
    folders = {"protected": options.protected, "restored": options.output / "restored"}
    return {
        what: parse([str(folder), *shared, "--output", str(options.output / f"evaluation-{what}")])
        for what, folder in folders.items()
    }


def _figures(evaluations: Mapping[str, Evaluate], console: Console):
    """What `evaluate` says of the protected photos and of the restored ones, and their PSNR."""
    found, closeness = {}, {}
    for what, settings in evaluations.items():
        psnr = run(settings, console)[1][1].quality["psnr"]
        closeness[what] = psnr.value if psnr else float("inf")
        rows = json.loads((settings.output / "threats.json").read_text("utf-8"))
        found[what] = {(row["threat"], row["recogniser"]): row for row in rows}
    figures = []
    for (threat, recogniser), before in found["protected"].items():
        after = found["restored"].get((threat, recogniser))
        for name in before["after"] if after else ():
            values = (before["before"][name], before["after"][name], after["after"][name])
            shown = map(_shown, values)
            figures.append(
                {"threat": threat, "recogniser": recogniser, "figure": HARMS[name]}
                | {key: str(before[key]) for key in ("photos", "people")}
                | dict(zip(("unprotected", "protected", "restored"), shown, strict=True))
            )
    return figures, closeness


def _shown(figure: dict[str, float] | None) -> str:
    return "–" if figure is None else "{value:.2f} [{low:.2f}, {high:.2f}]".format(**figure)


def _people(pairs: Sequence[PhotoPair]) -> set[str]:
    return {person(pair.protected) for pair in pairs}


if __name__ == "__main__":
    main()
