"""What commands say of what cannot be done."""

import re


def assert_error(capsys, said):
    """One line, no traceback, and nothing on stdout that could be taken for a result."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.endswith("…")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert re.search(said, lines[0]), lines[0]
