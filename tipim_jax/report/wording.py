"""Sentences and numbers of the page, in plain words."""

import math
from collections.abc import Sequence

from tipim_jax.identification import Estimate
from tipim_jax.report.results import Face, RecogniserResult, Results, Setting

_ONE_FACE = {  # by whether it was recognised before, and is now
    (True, False): "no longer recognises it",
    (True, True): "still recognises it",
    (False, False): "did not recognise it even before",
    (False, True): "recognises it now, though not before",
}


def headline(results: Results) -> str:
    """What came of it, in one sentence."""
    faces = results.faces()
    if not faces:
        return "No photo was protected."
    what = f"{counted(len(faces), 'face')} in {counted(len(results.photos), 'photo')}"
    if not results.recognisers:
        return f"{_capital(what)} protected; no recogniser was asked whether it still knows them."
    measured = [(r, recognition(faces, r)) for r in results.recognisers]
    measured = [(r, counts) for r, counts in measured if counts[2]]
    if not measured:
        return (
            f"{_capital(what)} protected; whether a recogniser still knows them was not measured, "
            "because the gallery holds no photo of these people."
        )
    of = max(counts[2] for _, counts in measured)
    clauses = []
    for recogniser, (before, after, _) in measured:
        who = recogniser.name
        who += ", which the protection never saw," if recogniser.held_out else ""
        if of == 1:
            clauses.append(f"{who} {_ONE_FACE[bool(before), bool(after)]}")
        else:
            verb = "" if clauses else "now recognises "
            clauses.append(f"{who} {verb}{f'{after:,}' if after else 'none'} ({before:,} before)")
    start = "There is one face: " if of == 1 else f"Of {of:,} faces, "
    return f"{start}{listed(clauses)}."


def unseen(results: Results) -> str:
    """What recognisers make of the photos that had no part in the masks; empty without any."""
    clauses = []
    for recogniser in results.recognisers:
        before, after, of = recognition(results.faces(), recogniser)
        if not (recogniser.held_out and of):
            continue
        if of == 1:
            what = _ONE_FACE[bool(before), bool(after)]
        else:
            what = f"recognises {after:,} of {of:,} faces ({before:,} before)"
        never = "" if clauses else ", which never saw the masks,"
        clauses.append(f"{recogniser.name}{never} {what}")
    return listed(clauses)


def recognition(faces: Sequence[Face], recogniser: RecogniserResult) -> tuple[int, int, int]:
    """How many faces a recogniser knows before, how many after, and of how many it could."""
    scores = [f.recognisers[recogniser.name] for f in faces if recogniser.name in f.recognisers]
    scores = [s for s in scores if s.clean.own_cosine is not None]
    before = sum(recogniser.recognises(s.clean.own_cosine) for s in scores)
    after = sum(recogniser.recognises(s.protected.own_cosine) for s in scores if s.protected)
    return before, after, len(scores)


def chart_caption(
    before: int, after: int, of: int, drawable: int, medians: Sequence[float], most: int
) -> str:
    """What stands below a chart.

    Args:
      before, after: faces recognised.
      of: faces of people in the gallery.
      drawable: those of them that were found again.
      medians: of their cosines before and after.
      most: faces that a chart shows.
    """
    if not of:
        return "Not measured: the gallery holds no photo of these people."
    if not drawable:
        return "No face was found in the saved photos any more."
    caption = (
        f"Recognised: {before:,} of {of:,} before, {after:,} of {of:,} after. "
        f"Median {decimal(medians[0], 3)} before, {decimal(medians[1], 3)} after."
    )
    if drawable < of:
        caption += f" Not drawn: {counted(of - drawable, 'face')} not found in the saved photo."
    if drawable > most:
        caption += f" Drawn: {most} of the {drawable:,} faces."
    return caption


def counted(count: int, thing: str) -> str:
    number = {0: "no", 1: "one"}.get(count, f"{count:,}")
    several = {"person": "people"}.get(thing, f"{thing}s")
    return f"{number} {thing if count == 1 else several}"


def listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def decimal(value: float | None, places: int, unit: str = "") -> str:
    """With a true minus sign; never minus zero; a dash for what was not measured."""
    if value is None:
        return "–"
    text = f"{value:,.{places}f}"
    return (text.lstrip("-") if round(value, places) == 0 else text.replace("-", "\u2212")) + unit


def percentage(rate: Estimate | None, of: int) -> str:
    """With as many decimals as `of` cases can tell apart: none up to 100 cases, one up to 1,000."""
    places = max(0, math.ceil(math.log10(of)) - 2) if of else 0
    return "–" if rate is None else f"{100 * rate.value:.{places}f}\u202f%"


def interval(rate: Estimate | None) -> str:
    """The bounds of a share in percent."""
    return "" if rate is None else f"{100 * rate.low:.0f} – {100 * rate.high:.0f}"


def chance(rate: float | None) -> str:
    """A false match rate, with two digits that count."""
    return "–" if rate is None else f"{100 * rate:.2g}\u202f%"


def setting(value: Setting) -> str:
    if isinstance(value, tuple):
        return listed(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def duration(seconds: float) -> str:
    if seconds < 0.1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
