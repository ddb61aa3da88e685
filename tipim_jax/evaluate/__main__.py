"""`python -m tipim_jax.evaluate`: see `--help`."""

import sys

from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.evaluate.settings import Evaluate, parse
from tipim_jax.runtime import configure


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, 1 where photos could not be judged, 130 after Ctrl-C."""
    errors = Console(stderr=True)
    try:
        return _judge(parse(arguments), errors)
    except (SettingsError, OSError) as error:
        errors.error(error)
        return 1
    except KeyboardInterrupt:
        errors.print("stopped")
        return 130


def _judge(settings: Evaluate, errors: Console) -> int:
    # Imported here, as they take a second, which --help and a mistake need not wait for.
    import weights_convert
    from tipim_jax.evaluate.programs.table import by_programs
    from tipim_jax.evaluate.run import SHOWN, run
    from tipim_jax.report.tables import as_text, text_tables

    try:
        configure()
        backend()
        seen, measured, posted = run(settings, errors)
    except weights_convert.ConversionError as error:
        errors.error(error)
        return 1
    console = Console()
    say = console.print
    if settings.all_windows:
        say((settings.output / "windows.txt").read_text(encoding="utf-8"))
    else:
        say(text_tables(measured))
    if settings.programs:
        say(by_programs(*measured), end="")
    if settings.threats:
        say((settings.output / "threats.txt").read_text("utf-8"))
    if posted:
        # Here, as it imports matplotlib.
        from tipim_jax.evaluate.outcome import summary

        say(as_text([summary(posted)]), end="")
        if settings.aligned:
            say("another detector is left out: in --aligned photos none is used")
    if lost := seen.posted[0].lost:
        console.one_line(f"no face is found any more in {len(lost)}: {', '.join(lost[:10])}")
    if seen.left_out:
        say(f"not judged ({len(seen.left_out)}):")
        for name, reason in list(seen.left_out.items())[:SHOWN]:
            console.one_line(f"  {name}: {reason}")
        if len(seen.left_out) > SHOWN:
            say(f"  and {len(seen.left_out) - SHOWN} more, all of which results.json names")
    if settings.all_windows:
        say(str(settings.output / "tables.txt"))
    say(str(settings.output / "results.json"))
    if settings.threats:
        say(str(settings.output / "threats.json"))
    if posted:
        say(str(settings.output / "posting.png"))
    return int(bool(seen.left_out))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
