"""What the command says in the end: who is not protected, by name, and three lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from tipim_jax.console import Console
from tipim_jax.report import LeftAlone, NotProtected, Results
from tipim_jax.report.tables import chance
from tipim_jax.report.wording import counted, unseen

_MANY = 4  # files left out for one reason, beyond which they are counted
_LINES = 40  # for files that are named one by one


def status(results: Results) -> int:
    """0 where all is protected, 1 where something failed, 3 where there was nothing to protect.

    Who is left alone as the user chose is none of these.
    """
    if any(missed.failed for missed in results.not_protected):
        return 1
    return 3 if results.not_protected else 0


def print_table(results: Results, console: Console) -> None:
    """What each recogniser makes of the photos."""
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
    console.print(table)
    console.print(
        "\nFMR: what chance gives, the share of pairs of different people among these faces\n"
        "that the recogniser's threshold takes for one person"
    )
    if any(recogniser.held_out for recogniser in results.recognisers):
        console.print("* held out: the masks were made without it")


def print_names(results: Results, console: Console) -> None:
    """Names whatever is to be looked at before the photos are posted, and who was left alone."""
    for what, photos in results.left_out().items():
        console.one_line(f"left out of the protected photos: {what} ({_names(photos, 3)})")
    if still := results.still_recognised():
        console.print(f"masked, and recognised still ({len(still)}):")
        for photo, recognisers in list(still.items())[:_LINES]:
            console.one_line(f"  {photo}: by {', '.join(recognisers)}")
        if len(still) > _LINES:
            console.print(f"  and {len(still) - _LINES} more, which report.html shows")
    nobody = dict.fromkeys(results.without_copies())
    some = [one for one in results.left_alone if one not in nobody]
    for what, files in (
        ("left alone as you chose, or in doubt", some),
        ("not copied to the output, as nobody in them was to be masked", nobody),
        ("not protected", results.not_protected),
    ):
        if files:
            console.print(f"{what} ({len(files)}):")
            for line in _lines(files):
                console.one_line(f"  {line}")


def print_outcome(results: Results, console: Console, page: Path | None) -> None:
    """Three lines: how many are protected, what others make of them, and where the report is."""
    not_all = "".join(
        f"; {what}: {counted(len(files), 'file')}, named above"
        for what, files in (
            ("not copied, as nobody was to be masked", results.without_copies()),
            ("not protected", results.not_protected),
        )
        if files
    )
    if results.photos:
        faces, photos = len(results.faces()), len(results.photos)
        done = f"{counted(faces, 'face')} in {counted(photos, 'photo')}"
        console.print(f"protected: {done}{not_all}")
        console.print(
            unseen(results)
            or "no recogniser judged that never saw the masks; --recogniser NAME adds one"
        )
    else:
        console.print(f"protected: nothing{not_all}")
    if page:
        warning = ", not to be posted as it shows faces as they were" if results.photos else ""
        console.print(f"report{warning}: {page}")


def _lines(files: Sequence[NotProtected | LeftAlone]) -> Iterator[str]:
    """A line for each file, or for many of a kind."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for file in files:
        # What happened to a photo names it; of the others the suffix says more than the name.
        photo = isinstance(file, LeftAlone) or file.failed
        suffix = "" if photo else Path(file.input).suffix.lower()
        kinds.setdefault((file.reason, suffix), []).append(file.input)
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
