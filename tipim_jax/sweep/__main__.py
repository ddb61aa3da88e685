"""`python -m tipim_jax.sweep`: see `--help`."""

import dataclasses
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tipim_jax import flags, source
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.networks import PrecisionName
from tipim_jax.runtime import configure
from tipim_jax.sweep.settings import Overrides, read_sweep

_EXAMPLES = """\
examples:
  tipim sweep configs/sweeps/reproduction.toml
  tipim sweep configs/sweeps/paper.toml --lfw lfw.tgz --probes 50
  tipim sweep configs/sweeps/paper.toml --lfw lfw.tgz \\
      --coordinator host:1234 --num-processes 2 --process-id 0

A sweep that was stopped or killed goes on where it was when the same command is given again."""


_Dtype = Literal["auto", PrecisionName]


@dataclass(frozen=True, kw_only=True)
class Command:
    """Protect faces with every setting of a grid, and measure what each does.

    The grid stands in a TOML file, see configs/sweeps/. Every cell of it is protected, saved, and
    judged by all recognisers. Tables (text, CSV, LaTeX), figures (PNG, SVG) and index.html are
    written under --output, and one JSON file for each cell as soon as it is done. Without --lfw the
    faces are those of the bundled people, who do not exist.

    Attributes:
      config: The grid.
      output: Folder for everything.
      lfw: Labeled Faces in the Wild: an archive or a folder.
      roles: JSON file that says who of LFW may be a probe, a target, a distractor.
      probes: Identities to protect.
      distractors: Identities of LFW that are in the gallery beside probes and targets.
      distractor_photos: Photos of strangers, whose faces are added to the gallery: a folder of any
        photos, or an archive in LFW's layout. They have no identity and can only be in the way:
        nobody of the other photos should be among them. Faces that are there already are passed
        over.
      drawn_distractors: Embeddings of nobody that are added to the gallery, drawn with the mean and
        the covariance of the real ones.
      iterations: Of every cell.
      batch_size: How many faces are protected together.
      dtype: What the surrogates compute in; auto is float32 on a CPU, bfloat16 on an accelerator.
        tf32 is float32 whose products NVIDIA's GPUs may round to 10 bits.
      crops: Attack aligned crops as crops, as the published protocols have it, and not whole
        photos.
      coordinator: Address of the first of several processes that share the work.
      num_processes: How many there are.
      process_id: Which one this is, from 0.
    """

    config: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    output: Annotated[Path | None, flags.unset("out/, called as the file is", "DIR")] = None
    lfw: Annotated[Path | None, flags.unset("the bundled people", "PLACE")] = None
    roles: Annotated[Path | None, flags.unset("everybody may be anything", "FILE")] = None
    probes: Annotated[int | None, flags.unset("as in the file", "N")] = None
    distractors: Annotated[int | None, flags.unset("as in the file", "N")] = None
    distractor_photos: Annotated[Path | None, flags.unset("none", "PLACE")] = None
    drawn_distractors: Annotated[int | None, flags.unset("as in the file", "N")] = None
    iterations: Annotated[int | None, flags.unset("as in the file", "N")] = None
    batch_size: Annotated[int | None, flags.unset("as in the file", "N")] = None
    dtype: Annotated[
        _Dtype | None, flags.unset("as in the file", "{auto,float32,tf32,bfloat16}", _Dtype)
    ] = None
    crops: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    coordinator: Annotated[str | None, flags.unset("one process alone", "HOST:PORT")] = None
    num_processes: Annotated[int | None, flags.unset("1", "N")] = None
    process_id: Annotated[int | None, flags.unset("0", "N")] = None


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, 1 for an error, 130 after Ctrl-C."""
    errors = Console(stderr=True)
    try:
        return _sweep(flags.parse(Command, arguments, "tipim sweep", more=_EXAMPLES), errors)
    except (SettingsError, OSError) as error:
        errors.error(error)
        return 1
    except KeyboardInterrupt:
        errors.print("stopped: what is done stays; the same command goes on from there")
        return 130


def _sweep(command: Command, errors: Console) -> int:
    began = time.perf_counter()
    given = {field.name: getattr(command, field.name) for field in dataclasses.fields(Overrides)}
    overrides = Overrides(**given | {"crops": command.crops or None})
    sweep = read_sweep(command.config, overrides)
    output = command.output or Path("out") / command.config.stem

    # Imported here, as they take a second, which --help and a mistake need not wait for.
    import weights_convert
    from tipim_jax.engine.processes import join
    from tipim_jax.progress import Bars
    from tipim_jax.sweep.data import load_experiment
    from tipim_jax.sweep.outcome import write_outcome
    from tipim_jax.sweep.run import run

    try:
        configure()
        process = join(command.coordinator, command.num_processes, command.process_id)
        output.mkdir(parents=True, exist_ok=True)
        with Bars(errors) as bars:
            experiment = load_experiment(
                sweep, command.lfw, command.roles, command.distractor_photos, output, bars
            )
            way, found = run(sweep, experiment, output, bars)
    except weights_convert.ConversionError as error:
        errors.error(error)
        return 1
    if process.index == 0:
        console = Console()
        seconds = time.perf_counter() - began
        console.print(write_outcome(sweep, experiment, way, found, output, seconds))
        console.print(str(output / "index.html"))
    return 0


if __name__ == "__main__":
    source.begin()
    sys.exit(main(sys.argv[1:]))
