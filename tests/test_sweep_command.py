"""The sweep's command as users run it: killed, shared among processes, told nonsense."""

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import bundled as people
from tipim_jax.identification import kept as kept_module
from tipim_jax.sweep.__main__ import main

GRID = """
title = "Small"
protocol = "people"
probes = 4
targets = 3
recognisers = ["sface"]
batch_size = 2
[grid]
surrogates = [["mobileface"]]
gamma = [0.0, 0.0007]
[methods.TIP-IM]
preset = "official"
iterations = 4
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep that nothing disturbed."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "grid.toml").write_text(GRID)
    assert main([str(folder / "grid.toml"), "--output", str(folder / "out")]) == 0
    return folder


def command(folder, output, *more):
    arguments = [str(folder / "grid.toml"), "--output", str(output), *more]
    return [sys.executable, "-m", "tipim_jax.sweep", *arguments]


def contents(output):
    """Rows and protected crops by name."""
    rows = {path.name: json.loads(path.read_text()) for path in (output / "rows").iterdir()}
    crops = {
        str(path.relative_to(output)): np.asarray(Image.open(path)).tobytes()
        for path in (output / "cells").rglob("*.png")
    }
    return rows, crops


@pytest.mark.thorough
def test_it_writes_rows_crops_tables_figures_and_a_page(swept):
    output = swept / "out"
    rows, crops = contents(output)
    assert len(rows) == 3 and len(crops) == 8
    for row in rows.values():
        assert row["recognisers"].keys() == {"mobileface", "sface"}
        clean = row["about"]["method"] == "clean"
        figures = row["recognisers"]["mobileface"]["figures"]
        assert figures["rank5_ut"]["value"] <= figures["rank1_ut"]["value"]
        assert clean == (figures["rank1_ut"]["value"] == 0)
        if not clean:
            assert row["quality"]["difference"]["value"] <= 12
            assert row["quality"]["psnr"]["value"] >= 26.55
    for name in ("tables.txt", "tables.csv", "tables.tex", "index.html", "protocol.json"):
        assert (output / name).stat().st_size > 100
    assert len([*(output / "figures").glob("*.svg")]) == len([*(output / "figures").glob("*.png")])
    assert not (output / "unfinished").exists()


@pytest.mark.thorough
def test_a_damaged_row_is_made_again(swept, tmp_path):
    shutil.copytree(swept / "out", tmp_path / "out")
    row = next((tmp_path / "out" / "rows").iterdir())
    row.write_text(row.read_text()[:100])
    assert main([str(swept / "grid.toml"), "--output", str(tmp_path / "out")]) == 0
    assert contents(tmp_path / "out") == contents(swept / "out")


@pytest.mark.thorough
def test_a_second_run_changes_nothing_that_is_done(swept):
    before = contents(swept / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (swept / "out" / "rows").iterdir()}
    assert main([str(swept / "grid.toml"), "--output", str(swept / "out")]) == 0
    assert contents(swept / "out") == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def strangers(folder, identities):
    folder.mkdir()
    for identity in identities:
        shutil.copy(people.photos(identity)[0], folder)
    Image.new("RGB", (90, 90)).save(folder / "no face.png")
    return folder


@pytest.mark.thorough
def test_photos_of_strangers_make_other_rows_of_the_same_masks(
    swept, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(kept_module, "home", lambda: tmp_path / "home")
    output = tmp_path / "out"
    shutil.copytree(swept / "out", output)
    rows, crops = contents(output)
    probe = json.loads((output / "protocol.json").read_text())["probes"][0]
    folders = [
        strangers(tmp_path / "few", people.identities()[10:12]),
        strangers(tmp_path / "more", people.identities()[10:15]),
    ]
    shutil.copy(people.FOLDER / probe[:-5] / f"{probe}.jpg", folders[0])
    counts = []
    for folder in folders:
        arguments = ["--output", str(output), "--distractor-photos", str(folder)]
        assert main([str(swept / "grid.toml"), *arguments]) == 0
        new, same = contents(output)
        assert same == crops
        added = {name: row for name, row in new.items() if name not in rows}
        assert len(added) == 3
        counts += {row["about"]["distractor_photos"] for row in added.values()}
        rows = new
        assert f"{counts[-1]} photos of strangers" in (output / "index.html").read_text()
        assert f"distractor_photos {counts[-1]}" in (output / "tables.txt").read_text()
    assert counts == [2, 5]  # the probe is there already
    everything = {path: len(np.load(path)) for path in (tmp_path / "home").rglob("*.npy")}
    kept = sorted(path for path, count in everything.items() if count in counts)
    assert sorted((path.parent.name, everything[path]) for path in kept) == [
        *(("mobileface", count) for count in counts),
        *(("sface", count) for count in counts),
    ]
    assert "left out of the distractors: no face.png: no face found" in capsys.readouterr().err

    stamps = [path.stat().st_mtime_ns for path in kept]
    (output / "rows" / next(iter(added))).unlink()
    kept[0].write_bytes(kept[0].read_bytes()[:-9])  # damaged, and made again
    for folder in folders:
        arguments = ["--output", str(output), "--distractor-photos", str(folder)]
        assert main([str(swept / "grid.toml"), *arguments]) == 0
    assert contents(output) == (rows, crops)
    assert [path.stat().st_mtime_ns for path in kept][1:] == stamps[1:]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ("", ["--probes", "61"], "found 60 people"),
        ("", ["--probes", "0"], "probes is 0"),
        ("", ["--lfw", "nowhere.tgz"], "--lfw goes with the protocols 'paper' and 'reproduction'"),
        ('protocol = "paper"', ["--lfw", "nowhere.tgz"], "nowhere.tgz"),
        ('protocol = "paper"', [], "needed 500"),
        ("", ["--num-processes", "2"], "--coordinator, --num-processes and --process-id go toget"),
        ("", ["--distractor-photos", "nowhere"], "--distractor-photos: "),
        ("surrogates = 3", [], "surrogates is 3"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(change, arguments, message, tmp_path, capsys):
    name = change.partition(" ")[0]
    lines = [change if name and line.startswith(name) else line for line in GRID.splitlines()]
    text = "\n".join(lines)
    (tmp_path / "grid.toml").write_text(text)
    assert main([str(tmp_path / "grid.toml"), "--output", str(tmp_path / "o"), *arguments]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said and "Traceback" not in said


@pytest.mark.slow
def test_killed_ten_times_it_ends_with_the_same_rows(swept, tmp_path):
    moments = random.Random(0)
    killed = 0
    longer = ("--iterations", "60")
    for _ in range(10):
        process = subprocess.Popen(
            command(swept, tmp_path / "out", *longer), stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(3, 14))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert killed >= 3
    for name in ("out", "never killed"):
        subprocess.run(command(swept, tmp_path / name, *longer), check=True, capture_output=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "never killed")


@pytest.mark.slow
def test_two_processes_give_the_rows_that_one_gives(swept, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = ("--coordinator", f"127.0.0.1:{port}", "--num-processes", "2")
    processes = [
        subprocess.Popen(
            command(swept, tmp_path / "out", *shared, "--process-id", str(number)),
            stderr=subprocess.PIPE,
        )
        for number in (0, 1)
    ]
    said = [process.communicate(timeout=900)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert contents(tmp_path / "out") == contents(swept / "out")
    assert (tmp_path / "out" / "index.html").is_file()
