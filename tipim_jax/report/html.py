"""The report: one HTML file that needs nothing else, neither network nor script."""

from collections.abc import Mapping, Sequence
from statistics import median
from xml.etree.ElementTree import Element

from tipim_jax.report import charts
from tipim_jax.report.document import document
from tipim_jax.report.faces import photos_section
from tipim_jax.report.markup import element, foreign
from tipim_jax.report.pictures import FacePictures, Picture
from tipim_jax.report.results import Rates, RecogniserResult, Results, Setting
from tipim_jax.report.wording import (
    LIMITS,
    counted,
    decimal,
    duration,
    headline,
    listed,
    percentage,
    recognition,
)


def report(
    results: Results,
    faces: Mapping[str, Sequence[FacePictures]],
    targets: Mapping[str, Picture],
) -> str:
    """The page as text; write it as UTF-8.

    Args:
      results: what was measured.
      faces: pictures of the faces of each photo, in the order of its `faces`, by the photo's
        `output`. Only the first `MOST_PHOTOS` photos are shown; a photo left out of the mapping is
        shown without pictures.
      targets: a picture of each target identity, by its name; those left out are only named.

    Raises:
      ValueError: a photo has another number of pictures than of faces.
    """
    title = "Photos protected from face recognition"
    sections = [*_opening(results, title), *_warning(results)]
    if results.photos and results.recognisers:
        sections += [*_charts(results), *_rates(results)]
    sections += [_limits(), *photos_section(results, faces, targets)]
    sections += [*_not_protected(results), *_settings(results)]
    return document(title, sections)


def _opening(results: Results, title: str) -> list[Element]:
    quality, seconds = results.quality, results.seconds
    facts = [
        ("Similarity to the original (SSIM)", decimal(quality.ssim, 3)),
        ("Noise (PSNR)", decimal(quality.psnr, 1, " dB")),
        ("Greatest change of a pixel", decimal(quality.max_difference, 0, " of 255")),
        ("Photos, faces", f"{len(results.photos):,}, {len(results.faces()):,}"),
    ]
    facts = facts if results.photos else []
    facts += [("Took", duration(seconds["total"]))] if "total" in seconds else []
    surrogates = listed(results.surrogates)
    opening = [
        element("p", {"class": "kicker"}, f"{title} · {results.created.replace('T', ' ')}"),
        element("h1", {}, headline(results)),
    ]
    if results.photos:
        held_out = listed([r.name for r in results.recognisers if r.held_out])
        unseen = f"; {held_out} had no part in them" if held_out else ""
        opening.append(
            element(
                "p",
                {},
                f"The masks were made against {surrogates}{unseen}. A recogniser recognises a face "
                "if its cosine similarity to the nearest gallery photo of the same person is "
                "above the recogniser's threshold. All of it was measured on the saved files.",
            )
        )
    if facts:
        pairs = [
            element("div", {}, element("dt", {}, name), element("dd", {}, value))
            for name, value in facts
        ]
        opening.append(element("dl", {"class": "facts"}, *pairs))
    return opening


def _warning(results: Results) -> list[Element]:
    if not results.not_protected:
        return []
    count = len(results.not_protected)
    return [
        element(
            "div",
            {"class": "warning"},
            element(
                "p",
                {},
                element("a", {"href": "#not-protected"}, f"{count:,} not protected"),
                f": {'this file was' if count == 1 else 'these files were'} left as "
                f"{'it is' if count == 1 else 'they are'}, and nothing was written for "
                f"{'it' if count == 1 else 'them'}.",
            ),
        ),
    ]


def _not_protected(results: Results) -> list[Element]:
    if not results.not_protected:
        return []
    rows = [(foreign(entry.input), entry.reason) for entry in results.not_protected]
    heading = element("h2", {"id": "not-protected"}, "Not protected")
    return [heading, _texts("File", "Reason", rows)]


def _charts(results: Results) -> list[Element]:
    legend = [
        ("before", "original photo"),
        ("unknown", "protected, no longer recognised"),
        ("known", "protected, still recognised"),
    ]
    figures = [_chart(results, recogniser) for recogniser in results.recognisers]
    return [
        element("h2", {}, "Similarity to the person’s other photos, before and after"),
        element(
            "p",
            {"class": "note"},
            "One line per face: cosine similarity to the nearest gallery photo of the same person, "
            "which is the unprotected photo itself where the gallery has no other of them. "
            "Each recogniser has its own scale; only its own threshold says what is similar.",
        ),
        element(
            "ul",
            {"class": "legend"},
            *(element("li", {}, charts.sample(state), text) for state, text in legend),
        ),
        element("div", {"class": "charts"}, *figures),
    ]


def _chart(results: Results, recogniser: RecogniserResult) -> Element:
    faces = results.faces()
    scores = [f.recognisers[recogniser.name] for f in faces if recogniser.name in f.recognisers]
    pairs = [
        (s.clean.own_cosine, s.protected.own_cosine)
        for s in scores
        if s.clean.own_cosine is not None and s.protected and s.protected.own_cosine is not None
    ]
    before, after, of = recognition(faces, recogniser)
    if not pairs:
        caption = (
            "No face was found in the saved photos any more."
            if of
            else "Not measured: the gallery holds no photo of these people."
        )
        return element(
            "figure", {}, _recogniser(recogniser, "h3"), element("figcaption", {}, caption)
        )
    middle = [decimal(median(column), 3) for column in zip(*pairs, strict=True)]
    caption = (
        f"Above the threshold: {before:,} of {of:,} before, {after:,} of {of:,} after. "
        f"Median {middle[0]} before, {middle[1]} after."
    )
    if len(pairs) < of:
        caption += f" Not drawn: {counted(of - len(pairs), 'face')} not found in the saved photo."
    if len(pairs) > charts.MOST_FACES:
        caption += f" Drawn: {charts.MOST_FACES} of the {len(pairs):,} faces."
    description = (
        f"{recogniser.name}: cosine to the own gallery photos of each face before and after, "
        f"threshold {decimal(recogniser.threshold, 3)}. {caption}"
    )
    return element(
        "figure",
        {},
        _recogniser(recogniser, "h3"),
        charts.slope_chart(pairs, recogniser.threshold, description),
        element("figcaption", {}, caption),
    )


def _rates(results: Results) -> list[Element]:
    groups = [
        ("Recognised", "recognised"),
        ("Rank-1-UT", "rank1_ut"),
        ("Rank-5-UT", "rank5_ut"),
        ("Rank-1-T", "rank1_t"),
        ("Rank-5-T", "rank5_t"),
    ]
    heads = [element("th", {"rowspan": "2", "scope": "col"}, "Recogniser")]
    heads += [element("th", {"colspan": "2", "scope": "colgroup"}, title) for title, _ in groups]
    subheads = []
    for _ in groups:
        subheads.append(element("th", {"scope": "col", "class": "first"}, "before"))
        subheads.append(element("th", {"scope": "col"}, "after"))
    rows = []
    for recogniser in results.recognisers:
        cells = []
        for _, rate in groups:
            before = _rate(recogniser.clean, rate, results)
            after = _rate(recogniser.protected, rate, results)
            cells.append(element("td", {"class": "first"}, before))
            cells.append(element("td", {"class": "after"}, after))
        rows.append(element("tr", {}, _recogniser(recogniser, "th"), *cells))
    table = element(
        "table",
        {"class": "rates"},
        element("thead", {}, element("tr", {}, *heads), element("tr", {}, *subheads)),
        element("tbody", {}, *rows),
    )
    gallery, targets = results.gallery, results.targets
    frame = {"class": "wide", "role": "region", "tabindex": "0", "aria-label": "Identification"}
    return [
        element("h2", {}, "Searching for each face in the gallery"),
        element(
            "p",
            {"class": "note"},
            f"The gallery: {counted(gallery.images, 'photo')} of "
            f"{counted(gallery.identities, 'person')} ({gallery.origin}). "
            "Targets, whom the masks imitate: "
            f"{counted(len(targets.identities), 'person')} ({targets.origin}).",
        ),
        element("div", frame, table),
        element(
            "p",
            {"class": "fine"},
            "Recognised: above the recogniser’s threshold; lower is better. "
            "Rank-1-UT and Rank-5-UT: none of the 1 or 5 nearest gallery photos is of the same "
            "person; higher is better. Rank-1-T and Rank-5-T: at least one of them is of a target; "
            "higher is better. Held out: the masks were made without this recogniser.",
        ),
    ]


def _rate(rates: Rates, name: str, results: Results) -> str:
    rate = getattr(rates, name)
    return percentage(rate and rate.value, len(results.faces()))


def _limits() -> Element:
    return element(
        "section",
        {"class": "limits"},
        element("h2", {}, "What the mask does not protect from"),
        element("p", {}, LIMITS),
    )


def _settings(results: Results) -> list[Element]:
    rows = [("command", results.command), ("device", results.device)]
    rows += [("surrogates", listed(results.surrogates))]
    rows += [(name, _setting(value)) for name, value in results.settings.items()]
    rows += [(f"{name}, version", version) for name, version in results.versions.items()]
    rows += [(f"{name}, time", duration(value)) for name, value in results.seconds.items()]
    return [element("h2", {}, "Settings, versions and times"), _texts("Name", "Value", rows)]


def _setting(value: Setting) -> str:
    if isinstance(value, tuple):
        return listed(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _texts(left: str, right: str, rows: Sequence[tuple[Element | str, str]]) -> Element:
    heads = [element("th", {"scope": "col"}, title) for title in (left, right)]
    cells = [
        element("tr", {}, element("th", {"scope": "row"}, first), element("td", {}, second))
        for first, second in rows
    ]
    head = element("thead", {}, element("tr", {}, *heads))
    return element("table", {"class": "texts"}, head, element("tbody", {}, *cells))


def _recogniser(recogniser: RecogniserResult, tag: str) -> Element:
    attributes = {"scope": "row"} if tag == "th" else {}
    badge = [element("span", {"class": "badge"}, "held out")] if recogniser.held_out else []
    return element(tag, attributes, recogniser.name, *badge)
