"""A whole page: one HTML file that needs nothing else, neither network nor script."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tipim_jax.report.markup import element, page
from tipim_jax.report.style import STYLE

# The browser itself is told to fetch nothing, whatever the page holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, sections: Sequence[Element]) -> str:
    """The page as text, in the project's style; write it as UTF-8."""
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", {}, title),
        element("style", {}, STYLE),
    )
    body = element("body", {}, element("main", {}, *sections))
    return page(element("html", {"lang": "en"}, head, body))
