"""`tipim protect`, and `python -m tipim_jax.attack`: see `--help`."""

import dataclasses
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from tipim_jax import source
from tipim_jax.attack.settings import PIPE, Attack, parse
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.runtime import configure


def main(arguments: list[str]) -> int:
    """Returns the exit status, which --help explains."""
    errors = Console(stderr=True)
    if "" in arguments:  # a variable that is not set, say; it would stand for the folder one is in
        errors.error("an argument is empty; expected a photo, a folder or an option")
        return 1
    try:
        settings = parse(arguments)
        if PIPE in settings.paths:
            # Imported here, as is all that help and a mistake need not wait for.
            from tipim_jax.attack.pipe import piped

            return piped(lambda *places: _protect(settings, arguments, errors, places))
        return _protect(settings, arguments, errors)
    except (SettingsError, OSError) as error:  # of the latter a disk that is full, say
        errors.error(error)
        return 1
    except KeyboardInterrupt:  # while looking for faces or measuring
        errors.print("stopped: photos that were written stay; the same command goes on from there")
        return 130


def _protect(
    settings: Attack,
    arguments: list[str],
    errors: Console,
    piped: tuple[Path, Path] | None = None,
) -> int:
    """Runs the command.

    Args:
      piped: the photo from a pipe and where its copy goes, in place of those of the settings.
    """
    # Imported here, as they take a second, which --help and a mistake need not wait for.
    import weights_convert
    from tipim_jax.attack.run import run, watch
    from tipim_jax.attack.summary import print_names, print_outcome, print_table, status
    from tipim_jax.engine import Stopped
    from tipim_jax.engine.processes import join
    from tipim_jax.photos import PhotoError

    console = Console()

    def summarise(results, page=None):
        if settings.verbose and results.photos:
            print_table(results, console)
        print_names(results, console)
        print_outcome(results, console, page)
        return status(results)

    try:
        configure()
        process = join(settings.coordinator, settings.num_processes, settings.process_id)
        command = shlex.join(["tipim", "protect", *arguments])
        if settings.watch:
            return _worst(map(summarise, watch(settings, command, errors, process)))
        if piped:
            photo, output = piped
            settings = dataclasses.replace(settings, paths=(photo,), output=output)
        results = run(settings, command, errors, process)
    except (PhotoError, weights_convert.ConversionError) as error:
        errors.error(error)
        return 1
    except Stopped as stopped:
        errors.print("stopped" if piped else str(stopped))
        return 130
    if results is None:  # the first of the processes says it
        return 0
    page = settings.output / "report.html"
    # It is not there on a disk that is full, nor for long where a pipe's folder goes.
    return summarise(results, page if page.is_file() and not piped else None)


def _worst(statuses: Iterable[int]) -> int:
    """Of exit statuses: something failed, or there was nothing to protect, or all is well."""
    return max(statuses, key=(0, 3, 1).index, default=0)


if __name__ == "__main__":
    source.begin()
    sys.exit(main(sys.argv[1:]))
