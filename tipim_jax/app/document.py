"""The one page that is served: its style and its script are put into it here, as they are."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from tipim_jax.app.limits import Limits
from tipim_jax.app.strengths import Strength
from tipim_jax.engine import defaults

_PARTS = {
    "style": ("page.css",),
    "script": ("page.js", "cards.js", "compare.js", "panel.js"),  # the last one begins
}


class Document(NamedTuple):
    """The page, and the Content-Security-Policy under which nothing runs but what is on it, and
    nothing is loaded from elsewhere."""

    content: bytes
    policy: str


def document(strengths: Sequence[Strength], limits: Limits) -> Document:
    """The page.

    Args:
      strengths: to choose from.
      limits: of which the page tells before anything is sent.
    """
    folder = resources.files("tipim_jax.app") / "page"
    text = (folder / "page.html").read_text("utf-8")
    chosen = [
        {"name": one.name, "title": one.name.capitalize(), "words": one.words} for one in strengths
    ]
    known = {
        "strengths": chosen,
        "default": defaults.PRESET,
        "limits": {"upload": limits.upload},
    }
    hashes = {}
    for name, files in _PARTS.items():
        part = "".join((folder / file).read_text("utf-8") for file in files)
        part = part.replace('"KNOWN"', json.dumps(known).replace("<", "\\u003c"))
        text = text.replace(f"/* {name} */", part)
        hashes[name] = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "script-src": f"'sha256-{hashes['script']}'",
        "style-src": f"'sha256-{hashes['style']}'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Document(text.encode(), "; ".join(f"{what} {who}" for what, who in policy.items()))
