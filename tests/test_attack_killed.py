"""A run that is killed again and again writes the files of one that was left alone."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tipim_jax.datasets import bundled

ROOT = Path(__file__).parents[1]
PHOTOS, KILLS = 20, 50


def command(output: Path) -> list[str]:
    photos = [str(bundled.photos(f"Person_{number:03d}")[0]) for number in range(1, PHOTOS + 1)]
    networks = ["--surrogate", "mobileface", "--recogniser", "mobileface"]
    work = ["--iterations", "10", "--batch-size", "4", "--output", str(output)]
    work += ["--format", "png"]
    return [sys.executable, "-m", "tipim_jax.attack", *photos, *networks, *work]


def run(output: Path) -> tuple[int, str]:
    done = subprocess.run(command(output), cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout + done.stderr


def photos_in(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*.png")}


@pytest.mark.slow
def test_killed_fifty_times_at_random_moments_the_files_are_the_same_in_the_end(tmp_path):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    began = time.monotonic()
    assert run(alone)[0] == 0  # compiles, too
    began = time.monotonic()
    assert run(tmp_path / "again")[0] == 0
    seconds = time.monotonic() - began
    moments = random.Random(0)
    done_before = set()
    for number in range(KILLS):
        process = subprocess.Popen(
            command(killed),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:  # most of a run is over before its photos begin: what comes then is of interest
            process.communicate(timeout=moments.uniform(0.3, 1.05) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        there = {path.name for path in killed.rglob("*.png")}
        assert there >= done_before, f"kill {number} lost {done_before - there}"
        done_before = there
        if len(there) == PHOTOS:  # what is finished is made anew, so that all kills have work
            for path in killed.rglob("*.png"):
                if moments.random() < 0.5:
                    path.unlink()
            done_before = {path.name for path in killed.rglob("*.png")}
    status, said = run(killed)
    assert status == 0, said
    assert not re.search("is there and not from a run of this command", said)
    assert photos_in(killed) == photos_in(alone) == photos_in(tmp_path / "again")
    assert not list(killed.rglob("*.part")), "what was half written is cleared away"
