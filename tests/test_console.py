"""What commands print, on consoles of all kinds."""

import io
import sys

import pytest

from tipim_jax.console import Console
from tipim_jax.progress import Bars, progress


@pytest.mark.parametrize(
    "text",
    [
        "trip[old]/a.jpg",
        "[red]a[/red]",
        "a[/x]",  # what closes nothing is an error in Rich's markup
        "\\[b]",
        ":smile:.png",
        "C:\\Users\\José",
        "a" * 300 + " " + "b" * 300,  # no line is broken
    ],
)
def test_a_text_is_printed_as_it_is(text, capsys):
    Console().print(text)
    Console(stderr=True).error(ValueError(text))
    assert capsys.readouterr() == (f"{text}\n", f"error: {text}\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("a\udcff", r"a\udcff"),  # as the system's undecodable bytes are read
        ("a\rb\tc", r"a\rb\tc"),
        ("one\ntwo\u2009three", "one\ntwo\u2009three"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text, shown, capsys):
    Console().print(text)
    Console(stderr=True).error(ValueError(text))
    in_error = shown.replace("\n", "\n  ")
    assert capsys.readouterr() == (f"{shown}\n", f"error: {in_error}\n")


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "0.98→0.05 – 2×2 é … 王 γ"),
        ("cp1252", r"0.98->0.05 – 2×2 é … \u738b gamma"),
        ("ascii", r"0.98->0.05 - 2x2 \xe9 ... \u738b gamma"),
    ],
)
def test_a_sign_that_the_console_lacks_has_a_stand_in(encoding, shown, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # strict, as stdout is
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console()
    console.print("0.98→0.05 – 2×2 é … 王 γ")
    print("→")  # whatever else is printed after it
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert lines == [shown, "→" if encoding == "utf-8" else "->"]


def test_what_is_being_done_may_be_called_anything(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # bars as on a terminal
    with progress("reading trip[/x]", 1) as advance:
        advance(1)
    with Bars(Console(stderr=True)) as bars:
        bars.add("finding a[/x]", 1, "photos")(1)
    with Console(stderr=True).status("waiting for b[/x]"):
        pass
    said = capsys.readouterr().err
    for name in ("trip[/x]", "a[/x]", "b[/x]"):
        assert name in said


def test_a_name_cannot_pass_for_a_line_of_ours(capsys):
    name = "a\nerror: nothing is wrong\n"
    Console().one_line(f"left out: {name}")
    Console(stderr=True).error(ValueError(f"cannot read {name}: why"))
    said = capsys.readouterr()
    assert said.out == "left out: a\\nerror: nothing is wrong\\n\n"
    assert said.err == "error: cannot read a\n  error: nothing is wrong\n  : why\n"


def test_what_the_system_refuses_is_named_without_its_number(capsys):
    console = Console(stderr=True)
    for arguments in ((28, "No space left", "/out/a.png"), (28, "No space left"), ("odd",)):
        console.error(OSError(*arguments))
    assert capsys.readouterr().err.splitlines() == [
        "error: /out/a.png: No space left",
        "error: No space left",
        "error: odd",
    ]


def test_bars_obey_no_name(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("reading a\x1b]0;title\x07b", 1) as advance:
        advance(1)
    with Bars(Console(stderr=True)) as bars:
        bars.add("a\x1b]0;title\x07b", 1, "photos")(1)
    said = capsys.readouterr().err
    assert "\x1b]0;" not in said and r"a\x1b]0;title\x07b" in said


def test_something_of_a_bar_moves_every_second_however_long_a_step_takes():
    clock = [0.0]
    console = Console(file=io.StringIO(), width=80)
    bars = Bars(console, get_time=lambda: clock[0], auto_refresh=False)
    advance = bars.add("protecting", 9, "photos")

    def shown():
        with console.capture() as capture:
            for row in bars.get_renderables():
                console.print(row)
        clock[0] += 1
        return capture.get()

    assert len({shown() for _ in range(5)}) == 5, "a program is compiled"
    advance(4)
    assert len({shown() for _ in range(5)}) == 5, "a step takes long"
    assert max(map(len, shown().splitlines())) <= 80 and "4/9 photos" in shown()
    bars.say("17 faces [x]")
    assert shown().splitlines()[-1].strip() == "17 faces [x]"


def test_bars_need_no_sign_that_a_console_lacks(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp437")  # strict, as stderr is not
    with Bars(Console(file=stream, width=100)) as bars:
        bars.add("protecting", 2, "photos")(1)
        bars.say("17 faces")
    stream.flush()
    assert b"17 faces" in stream.buffer.getvalue()
