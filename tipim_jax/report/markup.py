"""HTML as a tree: the serialiser escapes all text, so that no name can become markup."""

from unicodedata import category
from xml.etree.ElementTree import Element, tostring


def element(name: str, attributes: dict[str, str], *children: Element | str) -> Element:
    """An element with its children; strings become text, never markup."""
    made = Element(name, {key: printable(value) for key, value in attributes.items()})
    last = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + printable(child)
        else:
            last.tail = (last.tail or "") + printable(child)
    return made


def printable(text: str) -> str:
    """Control characters, direction overrides and undecodable bytes, which file names may hold,
    as visible escapes: they could falsify the page or make it unwritable as UTF-8."""
    return "".join(
        c
        if c.isprintable() or c == "\n" or category(c) == "Zs"  # Zs: spaces of all widths
        else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def page(root: Element) -> str:
    """The whole document as text."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def foreign(text: str) -> Element:
    """A name from outside, whose direction of writing stays its own."""
    return element("bdi", {}, text)
