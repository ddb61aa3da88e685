"""From nothing to the first protected photo in a browser: how long each step takes.

    .venv/bin/python -m benchmarks.front_door
    .venv/bin/python -m benchmarks.front_door --surrogate mobileface --iterations 2   # in short

Two commands, `pip install` and `tipim app`, in a fresh environment and with an empty cache, so that
packages and weights are downloaded; then `tipim app` again, with all of it there. It takes Chromium
and Playwright, of the extra `test`. Seconds; written to --output as JSON, too.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from benchmarks.machine import describe
from tipim_jax.datasets import bundled

_ROOT = Path(__file__).parents[1]
_SECONDS = 1800  # after which something is wrong
_SHOWN = {
    "faces": "document.querySelectorAll('.face').length >= {count}",
    "done": "document.querySelectorAll('.card.done').length >= {count}",
    "trouble": "!document.getElementById('trouble').hidden || "
    "document.querySelectorAll('.card:not(.done) .state.bad').length > 0",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--surrogate", action="append", default=[], help="as of tipim app")
    parser.add_argument("--iterations", type=int, help="as of tipim app")
    parser.add_argument("--output", type=Path, default=Path("out/front_door.json"))
    options = parser.parse_args(arguments)
    chosen = [f"--surrogate={name}" for name in options.surrogate]
    chosen += [f"--iterations={options.iterations}"] if options.iterations else []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        bin_ = environment / ("Scripts" if sys.platform == "win32" else "bin")
        with _timed(seconds, "pip install, into a fresh environment"):
            venv.create(environment, with_pip=True)
            install = [bin_ / "python", "-m", "pip", "install", "-qq", "--no-cache-dir", _ROOT]
            subprocess.run(install, check=True)
        for when in ("the first time", "again"):
            app = [bin_ / "tipim", "app", "--no-open", *chosen]
            with _started(app, Path(folder), seconds, when) as address:
                _protect(address, seconds, when)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": describe(), "options": chosen, "seconds": seconds}
    options.output.write_text(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


@contextlib.contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Prints and notes how long a step takes."""
    began = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - began, 1)
    print(f"{seconds[step]:7.1f} s  {step}", flush=True)


@contextlib.contextmanager
def _started(command: list, folder: Path, seconds: dict[str, float], when: str) -> Iterator[str]:
    """The page's address while the command runs, with a cache of its own in the folder."""
    # What JAX, imported here, says of how much is logged is nothing that a user would have said.
    clean = {n: value for n, value in os.environ.items() if not n.startswith(("PYTHON", "TF_"))}
    home = {"TIPIM_JAX_HOME": str(folder / "home")}
    with _timed(seconds, f"tipim app {when}: until it says its address"):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=clean | home, cwd=folder
        )
        said = process.stdout.readline()
    try:
        yield said.removeprefix("The page: ").strip()
    finally:
        process.terminate()
        process.communicate()


def _protect(address: str, seconds: dict[str, float], when: str) -> None:
    """Two photos of one face each, one after the other, as somebody would who tries the page."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        for count, photo in enumerate(bundled.demonstration_photos()[:2], start=1):
            which = f"tipim app {when}: photo {count}"
            with _timed(seconds, f"{which}, until its face is outlined"):
                page.set_input_files("#files", str(photo))
                _until(page, "faces", count)
            with _timed(seconds, f"{which}, from Protect until it can be saved"):
                page.click("#protect")
                _until(page, "done", count)
        browser.close()


def _until(page, what: str, count: int) -> None:
    """Waits until so many are shown.

    Raises:
      RuntimeError: the page says that something is wrong, or nothing happens.
    """
    end = time.monotonic() + _SECONDS
    while not page.evaluate(_SHOWN[what].format(count=count)):
        if time.monotonic() > end or page.evaluate(_SHOWN["trouble"]):
            raise RuntimeError(f"no {what}: {page.inner_text('body')}")
        page.wait_for_timeout(20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
