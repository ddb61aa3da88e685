"""What tests of the page do in a real browser."""

import base64
import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np

from tipim_jax.datasets import bundled as people

PEOPLE = ("Person_002", "Person_005", "Person_010")


@contextlib.contextmanager
def a_tab(chromium, address, **how):
    """A page that has to run without a mistake; leaving is never asked about."""
    size = {"width": 1280, "height": 860}
    context = chromium.new_context(viewport=size, **how)
    page = context.new_page()
    mistakes = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda said: mistakes.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: dialog.accept())
    page.set_default_timeout(20_000)
    page.goto(address)
    yield page
    context.close()
    assert [one for one in mistakes if "404" not in one] == []


def portraits():
    return [people.photos(name)[0] for name in PEOPLE]


def until(page, holds, seconds=20):
    """Waits for an expression; Playwright's own way would evaluate it on the page, which the page
    forbids."""
    for _ in range(10 * seconds):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{holds} does not come true; {page.inner_text('body')}")


def drop(page, files):
    """Drops files on the page, as a mouse does: names with what is in them."""
    data = page.evaluate_handle(
        """files => { const data = new DataTransfer();
        for (const [name, kind, content] of files) data.items.add(new File(
          [Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, { type: kind }));
        return data; }""",
        [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})


def choose(page):
    """Sends portraits and waits for their faces."""
    page.set_input_files("#files", [str(path) for path in portraits()])
    until(page, "document.querySelectorAll('.face').length === 3")


def saved(page):
    with page.expect_download() as download:
        page.click("#save-all")
    return zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))


def contrast(tab, selector):
    """WCAG 2.2's ratio of an element's text to what is behind it."""
    ink, paper = tab.evaluate(
        """selector => {
          let at = document.querySelector(selector);
          const ink = getComputedStyle(at), clear = /, 0\\)$/;
          let behind = ink;
          while (clear.test(behind.backgroundColor))
            behind = getComputedStyle(at = at.parentElement);
          const both = [ink.color, behind.backgroundColor];
          return both.map(colour => colour.match(/[\\d.]+/g).map(Number)); }""",
        selector,
    )

    def luminance(colour):
        levels = np.array(colour[:3]) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    low, high = sorted(map(luminance, (ink, paper)))
    return (high + 0.05) / (low + 0.05)
