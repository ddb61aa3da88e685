"""Pages: each one HTML file that needs nothing else, neither network nor script.

The templates escape all that is put into them, so that no name can become markup, and show control
characters as escapes.
"""

from collections.abc import Mapping, Sequence
from statistics import median

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tipim_jax.console import printable
from tipim_jax.report import charts, wording
from tipim_jax.report.pictures import FacePictures, Picture
from tipim_jax.report.results import Face, RecogniserResult, Results

MOST_PHOTOS = 100  # shown with pictures; results.json lists all


def render(template: str, **values) -> str:
    """A page out of one of the templates; write it as UTF-8."""
    return _TEMPLATES.get_template(template).render(values)


def report(
    results: Results,
    faces: Mapping[str, Sequence[FacePictures]],
    targets: Mapping[str, Picture],
) -> str:
    """The page about a run of the attack.

    Args:
      results: what was measured.
      faces: pictures of the faces of each photo, in the order of its `faces`, by the photo's
        `output`. Only the first `MOST_PHOTOS` photos are shown; a photo left out of the mapping is
        shown without pictures.
      targets: a picture of each target identity, by its name; those left out are only named.

    Raises:
      ValueError: a photo has another number of pictures than of faces.
    """
    for photo in results.photos:
        shown = faces.get(photo.output)
        if shown is not None and len(shown) != len(photo.faces):
            raise ValueError(
                f"{photo.output}: {len(shown)} pictures for {len(photo.faces)} faces; give one each"
            )
    found = results.faces()
    return render(
        "attack.html.j2",
        title="Photos protected from face recognition",
        results=results,
        charts=[(r, *_chart(found, r)) for r in results.recognisers] if found else [],
        held_out=[r.name for r in results.recognisers if r.held_out],
        pictures=faces,
        targets=targets,
        most_photos=MOST_PHOTOS,
        settings=[
            ("device", results.device),
            ("surrogates", wording.listed(results.surrogates)),
            *((name, wording.setting(value)) for name, value in results.settings.items()),
            *((f"{name}, version", version) for name, version in results.versions.items()),
            *((f"{name}, time", wording.duration(time)) for name, time in results.seconds.items()),
        ],
    )


def _chart(faces: Sequence[Face], recogniser: RecogniserResult) -> tuple[Markup | None, str]:
    """The drawing, where there is something to draw, and the caption below."""
    scores = [f.recognisers[recogniser.name] for f in faces if recogniser.name in f.recognisers]
    pairs = [
        (s.clean.own_cosine, s.protected.own_cosine)
        for s in scores
        if s.clean.own_cosine is not None and s.protected and s.protected.own_cosine is not None
    ]
    counts = wording.recognition(faces, recogniser)
    medians = [median(column) for column in zip(*pairs, strict=True)]
    caption = wording.chart_caption(*counts, len(pairs), medians, charts.MOST_FACES)
    return charts.slope_chart(pairs, recogniser) if pairs else None, caption


def _shown(value):
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = Environment(
    loader=PackageLoader("tipim_jax.report"),
    autoescape=True,
    finalize=_shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {
    "headline": wording.headline,
    "mark": charts.mark,
    "view_box": charts.VIEW_BOX,
}
_TEMPLATES.filters |= {
    function.__name__: function
    for function in (
        wording.chance,
        wording.counted,
        wording.decimal,
        wording.duration,
        wording.listed,
        wording.interval,
        wording.percentage,
    )
}
