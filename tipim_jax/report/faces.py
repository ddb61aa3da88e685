"""The section of the page that shows each face: pictures, cosines, ranks, target."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from tipim_jax.report.markup import element, foreign
from tipim_jax.report.pictures import FacePictures, Picture
from tipim_jax.report.results import Face, Photo, RecogniserResult, Results, Scores
from tipim_jax.report.wording import decimal

MOST_PHOTOS = 100  # shown with pictures; results.json lists all


def photos_section(
    results: Results,
    pictures: Mapping[str, Sequence[FacePictures]],
    targets: Mapping[str, Picture],
) -> list[Element]:
    if not results.photos:
        return []
    intro = "The mask is shown ten times as strong as it is, around mid-grey: grey is no change."
    if len(results.photos) > MOST_PHOTOS:
        intro += (
            f" Shown are the first {MOST_PHOTOS} of {len(results.photos):,} photos;"
            " results.json lists all of them."
        )
    made = [element("h2", {}, "The photos"), element("p", {"class": "note"}, intro)]
    for photo in results.photos[:MOST_PHOTOS]:
        shown = pictures.get(photo.output)
        if shown is not None and len(shown) != len(photo.faces):
            raise ValueError(
                f"{photo.output}: {len(shown)} pictures for {len(photo.faces)} faces; give one each"
            )
        for i, face in enumerate(photo.faces):
            made.append(_face(results, photo, i, face, shown[i] if shown else None, targets))
    return made


def _face(
    results: Results,
    photo: Photo,
    index: int,
    face: Face,
    shown: FacePictures | None,
    targets: Mapping[str, Picture],
) -> Element:
    place = f"face {index + 1} of {len(photo.faces)}" if len(photo.faces) > 1 else ""
    details = [place, face.identity or "", f"PSNR {decimal(face.psnr, 1, ' dB')}"]
    details.append(f"SSIM {decimal(face.ssim, 3)}")
    header = element(
        "header",
        {},
        element("h3", {}, foreign(photo.input)),
        element("span", {"class": "fine"}, " · ".join(detail for detail in details if detail)),
    )
    if shown is None:
        images = element("p", {"class": "fine"}, "No pictures of this face were kept.")
    else:
        whose = f"{photo.input}, {place}" if place else photo.input
        images = element(
            "div",
            {"class": "pictures"},
            _figure(shown.original, "original", f"{whose}: original"),
            _figure(shown.protected, "protected", f"{whose}: protected"),
            _figure(shown.mask, "mask × 10", f"{whose}: the mask, ten times as strong"),
        )
    measured = [_scores_table(results, face)] if face.recognisers else []
    measured += [_target(face.target, targets.get(face.target))] if face.target else []
    return element("article", {"class": "face"}, header, images, element("div", {}, *measured))


def _scores_table(results: Results, face: Face) -> Element:
    heads = [
        element("th", {"scope": "col"}, title)
        for title in ("Recogniser", "before", "after", "own rank", "target’s rank")
    ]
    rows = [
        _scores_row(recogniser, face.recognisers[recogniser.name])
        for recogniser in results.recognisers
        if recogniser.name in face.recognisers
    ]
    return element(
        "table",
        {},
        element("thead", {}, element("tr", {}, *heads)),
        element("tbody", {}, *rows),
    )


def _scores_row(recogniser: RecogniserResult, scores: Scores) -> Element:
    first = element("th", {"scope": "row"}, recogniser.name)
    before = element("td", {}, decimal(scores.clean.own_cosine, 3))
    after = scores.protected
    if after is None:
        lost = element("td", {"colspan": "3", "class": "unknown-after"}, "no face found any more")
        return element("tr", {}, first, before, lost)
    known = after.own_cosine is not None and after.own_cosine > recogniser.threshold
    style = "" if after.own_cosine is None else "known-after" if known else "unknown-after"
    said = {"class": style, "title": "still recognised" if known else "no longer recognised"}
    return element(
        "tr",
        {},
        first,
        before,
        element(
            "td", said if style else {}, decimal(after.own_cosine, 3) + (" ◆" if known else "")
        ),
        element("td", {}, decimal(after.own_rank, 0)),
        element("td", {}, decimal(after.target_rank, 0)),
    )


def _target(name: str, shown: Picture | None) -> Element:
    images = [] if shown is None else [_image(shown, f"target {name}")]
    return element(
        "div", {"class": "target"}, *images, element("span", {}, "imitates ", foreign(name))
    )


def _figure(shown: Picture, caption: str, description: str) -> Element:
    return element("figure", {}, _image(shown, description), element("figcaption", {}, caption))


def _image(shown: Picture, description: str) -> Element:
    size = {"width": str(shown.width), "height": str(shown.height)}
    return element("img", {"src": shown.address, "alt": description, **size})
