"""What the attack command prints in the end."""

import dataclasses

from tests.report_cases import photo, results
from tipim_jax import report
from tipim_jax.attack.__main__ import main, status, summarise
from tipim_jax.console import Console


def test_the_summary_says_what_is_held_out_only_where_something_is(capsys):
    some = results([photo(0)])
    none = [dataclasses.replace(r, held_out=False) for r in some.recognisers]
    summarise(some, Console())
    said = capsys.readouterr().out
    assert "dlib*" in said and "* held out" in said
    summarise(dataclasses.replace(some, recognisers=tuple(none)), Console())
    said = capsys.readouterr().out
    assert "dlib" in said and "held out" not in said and "*" not in said


def test_the_summary_fits_into_80_columns_and_nothing_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    some = results([photo(0)])
    names = ("mobileface-mv", "facenet-128", "lightcnn")
    longest = [dataclasses.replace(r, name=n, held_out=True, false_match_rate=0.000123)
               for r, n in zip(some.recognisers, names, strict=True)]  # fmt: skip
    summarise(dataclasses.replace(some, recognisers=tuple(longest)), Console())
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert next(line.split() for line in said.splitlines() if "*" in line) == [
        "mobileface-mv*", "1.00→0.00", "0.00012", *["0.00→1.00"] * 2, "0.00→0.00", "1.00→1.00"
    ]  # fmt: skip


def test_the_summary_names_what_was_left_out_as_it_is_called(capsys):
    name = "trip[old]/[red]a[/red] :smile:.jpg"
    summarise(results([], [report.NotProtected(name, "no face [0] found")]), Console())
    assert capsys.readouterr().out == f"not protected (1):\n  {name}: no face [0] found\n"


def test_many_that_were_left_out_for_one_reason_are_counted_by_kind(capsys):
    missed = [report.NotProtected(f"clip_{n}.mov", "a video", failed=False) for n in range(9)]
    missed += [report.NotProtected(f"note_{n}.TXT", "no photo", failed=False) for n in range(12)]
    missed += [report.NotProtected("a.pdf", "no photo", failed=False)]
    missed += [report.NotProtected("b.jpg", "cannot read b.jpg: damaged")]
    summarise(results([], missed), Console())
    assert capsys.readouterr().out.splitlines() == [
        "not protected (23):",
        "  9 files: a video (.mov): clip_0.mov, clip_1.mov, clip_2.mov and 6 more",
        "  12 files: no photo (.txt): note_0.TXT, note_1.TXT, note_2.TXT and 9 more",
        "  a.pdf: no photo",
        "  b.jpg: cannot read b.jpg: damaged",
    ]


def test_the_summary_says_what_protected_photos_have_no_longer(capsys):
    some = [dataclasses.replace(photo(n), left_out=("gain map",)) for n in range(5)]
    summarise(results([*some, photo(5)]), Console())
    names = ", ".join(one.input for one in some[:3])
    said = capsys.readouterr().out
    assert f"left out of the protected photos: gain map ({names} and 2 more)\n" in said


def test_the_exit_status_says_whether_all_is_protected():
    nothing_there = report.NotProtected("meadow.jpg", "no face found", failed=False)
    damaged = report.NotProtected("b.jpg", "cannot read b.jpg: damaged")
    assert status(results([photo(0)])) == 0
    assert status(results([photo(0)], [nothing_there])) == 3
    assert status(results([photo(0)], [nothing_there, damaged])) == 1


def test_a_face_that_is_masked_in_vain_is_named_with_those_who_know_it(capsys):
    some = results([photo(0), photo(1)])
    summarise(some, Console())
    assert "recognised still" not in capsys.readouterr().out
    face = some.photos[1].faces[0]
    (name, scores), *_ = face.recognisers.items()
    known = dataclasses.replace(scores.protected, own_cosine=0.99)
    scores = face.recognisers | {name: dataclasses.replace(scores, protected=known)}
    photos = (
        some.photos[0],
        dataclasses.replace(some.photos[1], faces=(dataclasses.replace(face, recognisers=scores),)),
    )
    summarise(dataclasses.replace(some, photos=photos), Console())
    said = capsys.readouterr().out
    assert f"masked, and recognised still (1):\n  {photos[1].input}: by {name}\n" in said


def test_an_empty_argument_is_not_the_folder_that_one_is_in(capsys):
    assert main([""]) == 1
    assert "an argument is empty" in capsys.readouterr().err
