"""The page of a sweep."""

import numpy as np

from tests.measurement_cases import CLEAN, row
from tests.page import read
from tipim_jax.sweep.figures import draw
from tipim_jax.sweep.page import sweep_page

HOSTILE = "<script>alert(1)</script>\u202e"
FACES = np.full((2, 112, 112, 3), 100, np.uint8)


def made(tmp_path, title="γ"):
    rows = [CLEAN, row(0.0), row(0.5), row(0.0, "MIM")]
    figures = draw(rows, tmp_path)
    faces = [(cell, FACES) for cell in rows[1:]]
    return figures, read(sweep_page(title, ["What was done."], rows, figures, FACES, faces))


def test_it_holds_the_figures_the_tables_and_some_faces(tmp_path):
    figures, page = made(tmp_path)
    pictures = page.all("img")
    assert all(a["src"].startswith("data:image/") for a in pictures)
    assert [a["alt"] for a in pictures if a["alt"]] == [*figures.values()]
    assert len(pictures) == len(figures) + 4 * len(FACES)
    assert "What was done." in page.text
    assert "Rank-1-T / Rank-5-T (surrogates mobileface, epsilon 12" in page.text
    assert "mobileface, MIM: γ = 0, ε = 12, T = 4, seed = 0; PSNR 0.5 dB, SSIM 0.500" in page.text


def test_each_figure_says_what_it_shows_to_those_who_cannot_see_it(tmp_path):
    figures, _ = made(tmp_path)
    said = "\n".join(figures.values())
    assert len({*figures.values()}) == len(figures)
    for words in ("Rank-1-T / Rank-5-T of", "against γ: mobileface, TIP-IM", "N nearest, γ = 0"):
        assert words in said


def test_no_title_can_become_markup(tmp_path):
    _, page = made(tmp_path, HOSTILE)
    assert not page.all("script")
    assert page.text.count(HOSTILE.replace("\u202e", r"\u202e")) == 2  # title and heading
