"""`python -m tipim_jax.attack`: see `--help`."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from tipim_jax.attack.settings import Attack, parse
from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.engine import defaults
from tipim_jax.runtime import configure

_MANY = 4  # files left out for one reason, beyond which they are counted
_LINES = 40  # for files that are named one by one

if TYPE_CHECKING:
    from tipim_jax.report import Results


def main(arguments: list[str]) -> int:
    """Returns the exit status, which --help explains."""
    errors = Console(stderr=True)
    if "" in arguments:  # a variable that is not set, say; it would stand for the folder one is in
        errors.error("an argument is empty; expected a photo, a folder or an option")
        return 1
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
    from tipim_jax.photos import PhotoError

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
    if (page := settings.output / "report.html").is_file():  # not so on a disk that is full
        if results.photos:
            console.print("report.html shows faces as they were, too: do not post it with photos")
        console.print(str(page))
    return status(results)


def status(results: "Results") -> int:
    """0 where all is protected, 1 where something failed, 3 where there was nothing to protect."""
    if any(missed.failed for missed in results.not_protected):
        return 1
    return 3 if results.not_protected else 0


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
    for what, photos in results.left_out().items():
        console.one_line(f"left out of the protected photos: {what} ({_names(photos, 3)})")
    if still := results.still_recognised():
        console.print(f"masked, and recognised still ({len(still)}):")
        for photo, recognisers in list(still.items())[:_LINES]:
            console.one_line(f"  {photo}: by {', '.join(recognisers)}")
        if len(still) > _LINES:
            console.print(f"  and {len(still) - _LINES} more, which report.html shows")
    if results.not_protected:
        console.print(f"not protected ({len(results.not_protected)}):")
        for line in _not_protected(results):
            console.one_line(f"  {line}")


def _not_protected(results: "Results") -> Iterator[str]:
    """A line for each file, or for many of a kind."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for missed in results.not_protected:
        # What happened to a photo names it; of the others the suffix says more than the name.
        suffix = Path(missed.input).suffix.lower() if not missed.failed else ""
        kinds.setdefault((missed.reason, suffix), []).append(missed.input)
    single = 0
    for (reason, suffix), inputs in kinds.items():
        if len(inputs) > _MANY:
            kind = f" ({suffix})" if suffix else ""
            yield f"{len(inputs)} files: {reason}{kind}: {_names(inputs, 3)}"
            continue
        for name in inputs:
            single += 1
            if single <= _LINES:
                yield f"{name}: {reason}"
    if single > _LINES:
        yield f"and {single - _LINES} more, which report.html names"


def _names(names: list[str], most: int) -> str:
    """The first few, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
