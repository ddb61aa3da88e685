"""What the attack command prints in the end."""

import dataclasses
from pathlib import Path

from tests.report_cases import photo, results
from tipim_jax import report
from tipim_jax.attack.__main__ import main
from tipim_jax.attack.summary import print_names, print_outcome, print_table, status
from tipim_jax.console import Console


def test_the_summary_says_what_is_held_out_only_where_something_is(capsys):
    some = results([photo(0)])
    none = [dataclasses.replace(r, held_out=False) for r in some.recognisers]
    print_table(some, Console())
    said = capsys.readouterr().out
    assert "dlib*" in said and "* held out" in said
    print_table(dataclasses.replace(some, recognisers=tuple(none)), Console())
    said = capsys.readouterr().out
    assert "dlib" in said and "held out" not in said and "*" not in said


def test_the_summary_fits_into_80_columns_and_nothing_is_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    some = results([photo(0)])
    names = ("mobileface-mv", "facenet-128", "lightcnn")
    longest = [dataclasses.replace(r, name=n, held_out=True, false_match_rate=0.000123)
               for r, n in zip(some.recognisers, names, strict=True)]  # fmt: skip
    print_table(dataclasses.replace(some, recognisers=tuple(longest)), Console())
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert next(line.split() for line in said.splitlines() if "*" in line) == [
        "mobileface-mv*", "1.00→0.00", "0.00012", *["0.00→1.00"] * 2, "0.00→0.00", "1.00→1.00"
    ]  # fmt: skip


def test_the_summary_names_what_was_left_out_as_it_is_called(capsys):
    name = "trip[old]/[red]a[/red] :smile:.jpg"
    print_names(results([], [report.NotProtected(name, "no face [0] found")]), Console())
    assert capsys.readouterr().out == f"not protected (1):\n  {name}: no face [0] found\n"


def test_many_that_were_left_out_for_one_reason_are_counted_by_kind(capsys):
    missed = [report.NotProtected(f"clip_{n}.mov", "a video", failed=False) for n in range(9)]
    missed += [report.NotProtected(f"note_{n}.TXT", "no photo", failed=False) for n in range(12)]
    missed += [report.NotProtected("a.pdf", "no photo", failed=False)]
    missed += [report.NotProtected("b.jpg", "cannot read b.jpg: damaged")]
    print_names(results([], missed), Console())
    assert capsys.readouterr().out.splitlines() == [
        "not protected (23):",
        "  9 files: a video (.mov): clip_0.mov, clip_1.mov, clip_2.mov and 6 more",
        "  12 files: no photo (.txt): note_0.TXT, note_1.TXT, note_2.TXT and 9 more",
        "  a.pdf: no photo",
        "  b.jpg: cannot read b.jpg: damaged",
    ]


def test_the_summary_says_what_protected_photos_have_no_longer(capsys):
    some = [dataclasses.replace(photo(n), left_out=("gain map",)) for n in range(5)]
    print_names(results([*some, photo(5)]), Console())
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
    print_names(some, Console())
    assert "recognised still" not in capsys.readouterr().out
    face = some.photos[1].faces[0]
    (name, scores), *_ = face.recognisers.items()
    known = dataclasses.replace(scores.protected, own_cosine=0.99)
    scores = face.recognisers | {name: dataclasses.replace(scores, protected=known)}
    photos = (
        some.photos[0],
        dataclasses.replace(some.photos[1], faces=(dataclasses.replace(face, recognisers=scores),)),
    )
    print_names(dataclasses.replace(some, photos=photos), Console())
    said = capsys.readouterr().out
    assert f"masked, and recognised still (1):\n  {photos[1].input}: by {name}\n" in said


def test_three_lines_say_what_came_of_it(capsys):
    """How many are protected, what one makes of them that never saw the masks, the report."""
    missed = [report.NotProtected("b.jpg", "damaged"), report.NotProtected("c.mov", "a video")]
    some = results([photo(0, faces=2), photo(1)], missed)
    print_outcome(some, Console(), Path("out/report.html"))
    assert capsys.readouterr().out.splitlines() == [
        "protected: 3 faces in 2 photos; not protected: 2 files, named above",
        "dlib, which never saw the masks, recognises 0 of 3 faces (3 before)",
        "report, not to be posted as it shows faces as they were: out/report.html",
    ]
    print_outcome(results([photo(0)]), Console(), None)
    assert capsys.readouterr().out.splitlines() == [
        "protected: one face in one photo",
        "dlib, which never saw the masks, no longer recognises it",
    ]


def test_three_lines_promise_nothing_that_was_not_measured(capsys):
    some = results([photo(0)])
    none = [dataclasses.replace(r, held_out=False) for r in some.recognisers]
    print_outcome(dataclasses.replace(some, recognisers=tuple(none)), Console(), None)
    assert "no recogniser judged that never saw the masks" in capsys.readouterr().out
    print_outcome(results([], [report.NotProtected("b.jpg", "damaged")]), Console(), Path("r.html"))
    assert capsys.readouterr().out.splitlines() == [
        "protected: nothing; not protected: one file, named above",
        "report: r.html",
    ]


def test_who_is_left_alone_by_choice_is_named_and_is_no_failure(capsys):
    reason = "1 of its 2 faces: not the face in me.jpg"
    some = dataclasses.replace(photo(0), input="[a]/b.jpg")
    some = results([some], left_alone=[report.LeftAlone("[a]/b.jpg", reason)])
    print_names(some, Console())
    assert (
        capsys.readouterr().out
        == f"left alone as you chose, or in doubt (1):\n  [a]/b.jpg: {reason}\n"
    )
    assert status(some) == 0


def test_photos_in_which_nobody_was_chosen_are_said_to_have_no_copies(capsys):
    written = photo(0)
    left = [report.LeftAlone(written.input, "1 of its 2 faces: not the face in me.jpg")]
    left += [report.LeftAlone("b.jpg", "2 of its 3 faces: small")]  # and could not be read back
    left += [report.LeftAlone(f"{n}.jpg", "not the face in me.jpg") for n in range(2)]
    failed = [report.NotProtected("b.jpg", "cannot read b.jpg")]
    some = results([written], failed, left_alone=left)
    print_names(some, Console())
    assert capsys.readouterr().out.splitlines()[:6] == [
        "left alone as you chose, or in doubt (2):",
        f"  {left[0].input}: {left[0].reason}",
        "  b.jpg: 2 of its 3 faces: small",
        "not copied to the output, as nobody in them was to be masked (2):",
        "  0.jpg: not the face in me.jpg",
        "  1.jpg: not the face in me.jpg",
    ]
    print_outcome(some, Console(), None)
    assert capsys.readouterr().out.splitlines()[0] == (
        "protected: one face in one photo; not copied, as nobody was to be masked: 2 files, named "
        "above; not protected: one file, named above"
    )


def test_many_of_whom_nobody_was_chosen_are_counted(capsys):
    many = [report.LeftAlone(f"{n}.jpg", "not the face in me.jpg") for n in range(9)]
    print_names(results([], left_alone=many), Console())
    assert capsys.readouterr().out.splitlines() == [
        "not copied to the output, as nobody in them was to be masked (9):",
        "  9 files: not the face in me.jpg: 0.jpg, 1.jpg, 2.jpg and 6 more",
    ]


def test_an_empty_argument_is_not_the_folder_that_one_is_in(capsys):
    assert main([""]) == 1
    assert "an argument is empty" in capsys.readouterr().err
