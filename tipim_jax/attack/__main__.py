"""`python -m tipim_jax.attack`: see `--help`."""

import shlex
import sys
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from tipim_jax.attack.settings import Attack, parse
from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.engine import defaults
from tipim_jax.runtime import configure

if TYPE_CHECKING:
    from tipim_jax.report import Results


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, 1 where something is left unprotected, 130 after Ctrl-C."""
    errors = Console(stderr=True)
    try:
        return _protect(parse(arguments), arguments, errors)
    except (SettingsError, OSError) as error:  # of the latter a disk that is full, say
        errors.error(error)
        return 1
    except KeyboardInterrupt:  # while looking for faces or measuring
        errors.print("stopped: photos that were written stay; the same command goes on from there")
        return 130


def _protect(settings: Attack, arguments: list[str], errors: Console) -> int:
    # Imported here, as they take a second, which --help and a mistake need not wait for.
    import weights_convert
    from tipim_jax.attack.run import run
    from tipim_jax.engine import Stopped
    from tipim_jax.engine.processes import join
    from tipim_jax.photos import NO_FACE, PhotoError

    try:
        configure()
        process = join(settings.coordinator, settings.num_processes, settings.process_id)
        if settings.preset == defaults.AUTO:  # JAX has its devices now
            settings = parse(arguments, auto=defaults.preset(backend()))
        command = shlex.join(["python", "-m", "tipim_jax.attack", *arguments])
        results = run(settings, command, errors, process)
    except (PhotoError, weights_convert.ConversionError) as error:
        errors.error(error)
        return 1
    except Stopped as stopped:
        errors.print(str(stopped))
        return 130
    if results is None:  # the first of the processes says it
        return 0
    console = Console()
    summarise(results, console)
    console.print(str(settings.output / "report.html"))
    return int(any(missed.reason != NO_FACE for missed in results.not_protected))


def summarise(results: "Results", console: Console) -> None:
    """Prints the table of rates and the files that were left out."""
    from tipim_jax.report.tables import chance

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        title="share of faces, before→after",
        title_justify="left",
    )
    columns = ("recogniser", "recognised", "FMR", "Rank-1-UT", "Rank-5-UT", "Rank-1-T", "Rank-5-T")
    for column in columns:
        table.add_column(
            column, justify="left" if column == "recogniser" else "right", no_wrap=True
        )
    for recogniser in results.recognisers:
        recognised, *ranks = (
            "→".join(
                "–" if (rate := getattr(rates, name)) is None else f"{rate.value:.2f}"
                for rates in (recogniser.clean, recogniser.protected)
            )
            for name in ("recognised", "rank1_ut", "rank5_ut", "rank1_t", "rank5_t")
        )
        name = recogniser.name + ("*" if recogniser.held_out else "")
        table.add_row(name, recognised, chance(recogniser.false_match_rate), *ranks)
    if results.photos:
        console.print(table)
        console.print(
            "\nFMR: what chance gives, the share of pairs of different people among these faces\n"
            "that the recogniser's threshold takes for one person"
        )
        if any(recogniser.held_out for recogniser in results.recognisers):
            console.print("* held out: the masks were made without it")
    if results.not_protected:
        console.print(f"not protected ({len(results.not_protected)}):")
        for missed in results.not_protected:
            console.one_line(f"  {missed.input}: {missed.reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
