"""What whole programs that people search with make of protected photos.

    make demo programs
    python -m benchmarks.programs
    python -m benchmarks.programs PROTECTED --clean DIR --gallery DIR [--targets DIR]

The table that `python -m tipim_jax.evaluate --programs` ends with, of the demonstration's photos or
of any; everything else that the command writes lies in `--output`. InsightFace takes part after
`python -m weights_convert w600k --accept-licence`.
"""

import argparse
import shutil
import sys
from pathlib import Path

from tipim_jax.datasets import bundled
from tipim_jax.engine.defaults import SURROGATES
from tipim_jax.evaluate.__main__ import main as evaluate


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "protected", type=Path, nargs="?", default=Path("out/demo"), help="default: out/demo"
    )
    for name in ("clean", "gallery", "targets"):
        help = "as of `python -m tipim_jax.evaluate` (default: the bundled people)"
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=help)
    parser.add_argument(
        "--surrogate", action="append", help="default: of the bundled people, the presets' own"
    )
    parser.add_argument("--output", type=Path, default=Path("out/programs"))
    options = parser.parse_args(arguments)
    if bool(options.clean) != bool(options.gallery):
        parser.error("--clean and --gallery go together; without both the bundled people are used")
    if not options.clean:
        options.surrogate = options.surrogate or SURROGATES
        for name, folder in demonstration(options.output / "people").items():
            setattr(options, name, folder)
    command = [str(options.protected), "--clean", str(options.clean)]
    command += ["--gallery", str(options.gallery), "--output", str(options.output), "--programs"]
    command += ["--targets", str(options.targets)] if options.targets else []
    for name in options.surrogate or ():
        command += ["--surrogate", name]
    return evaluate(command)


def demonstration(folder: Path) -> dict[str, Path]:
    """Lays the demonstration's clean photos, its gallery and its targets out, by these names."""
    photos = {
        "clean": bundled.demonstration_photos(),
        "gallery": [photo for _, photo in bundled.gallery_photos()],
        "targets": [*bundled.target_photos().values()],
    }
    for name, files in photos.items():
        for file in files:
            place = folder / name / file.parent.name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place / file.name)
    return {name: folder / name for name in photos}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
