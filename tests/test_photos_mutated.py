"""Whatever a file holds, reading it gives a photo or an error that names it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(sys.platform == "win32", reason="time limits by signals")
@pytest.mark.parametrize(
    ("first", "count"),
    [
        pytest.param(60, 60, id="some"),  # none of which declares a giant picture and has it
        pytest.param(0, 2000, marks=pytest.mark.slow, id="many"),
    ],
)
def test_damaged_and_hostile_files_are_read_or_refused(first, count):
    command = [sys.executable, "-m", "tests.mutated_photos", "15", str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    lines = done.stdout.splitlines() or [""]
    assert done.returncode == 0, f"{done.returncode} after {lines[-1]}: {done.stderr[-2000:]}"
    assert lines[-1] == "all read"
    # Lines of the C libraries may stand there.
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr, done.stderr[-2000:]
    read = sum(line.startswith("  read") for line in lines)
    refused = sum(line.startswith("  refused") for line in lines)
    assert read + refused == count
    assert min(read, refused) > count / 20, "damage that nobody notices, or that nothing survives"
