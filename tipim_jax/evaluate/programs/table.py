"""What whole programs make of photos, as a table."""

from tipim_jax.identification import FIGURES, Recognition
from tipim_jax.report import Measurement
from tipim_jax.report.tables import Table, as_text, chance

_SHOWN = ("rank1_ut", "rank5_ut", "rank1_t")


def by_programs(clean: Measurement, protected: Measurement) -> str:
    """The table as text, with a line for whatever a program left out, or why it did not judge."""
    about = protected.about
    text = as_text([programs_table(clean, protected)]) if "programs" in about else ""
    for name, one in about.get("programs", {}).items():
        if one["gallery_without_face"]:
            some = f"{one['gallery_without_face']} of {one['gallery']} photos of the gallery"
            text += f"{name} finds no face in {some}, which it does not search\n"
        if one["not_readable"]:
            text += f"{name} cannot read {one['not_readable']} of {one['photos']} photos\n"
    for name, reason in about.get("programs_missing", {}).items():
        text += f"{name} did not judge: {reason}\n"
    return text


def programs_table(clean: Measurement, protected: Measurement) -> Table:
    """A line for each program that `about` of the protected ones tells of: clean → protected."""
    lines = []
    for name, about in protected.about["programs"].items():
        both = clean.recognisers[name], protected.recognisers[name]
        rate = both[0].thresholds["recognised"].false_match_rate
        lines.append(
            [
                name if both[1].held_out else f"[{name}]",
                str(about["judged"]),
                str(about["no_face_in_clean"]),
                _change(both, "detected"),
                f"{about['distance']} ≤ {about['threshold']:.3g}",
                _change(both, "recognised"),
                chance(rate),
                *(_change(both, figure) for figure in _SHOWN),
            ]
        )
    title = (
        "Whole programs, each with its own detector, crop, network and threshold, unprotected → "
        "protected; a protected photo in which a program detects no face is not found by it"
    )
    columns = ["photos", "no clean face", "detected", "distance", "recognised"]
    return title, ["program", *columns, "by chance", *(FIGURES[name] for name in _SHOWN)], lines


def _change(both: tuple[Recognition, Recognition], figure: str) -> str:
    values = (one.figures.get(figure) for one in both)
    return " → ".join(f"{value.value:.2f}" if value else "–" for value in values)
