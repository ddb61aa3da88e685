"""Draws docs/gamma.svg from a run of configs/sweeps/gamma_study.toml.

.venv/bin/python docs/gamma.py out/gamma_study/tables.csv
"""

import csv
import sys
from pathlib import Path

from matplotlib import pyplot

# γ' = γ / this: D of mobileface for the sum, N² for the sets.
SCALES = {"mean, N = 1": 1, "sum, N = 1": 512, "mean, N = 10": 100, "mean, N = 50": 2500}
MARKERS = "osx+"
FIGURES = {"rank1_t": "Rank-1-T, white box", "psnr": "PSNR, dB"}


def main(table: str) -> None:
    with open(table, encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["recogniser"] == "mobileface"]
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), sharey="row", layout="constrained")
    for (method, scale), marker in zip(SCALES.items(), MARKERS, strict=True):
        chosen = [row for row in rows if row["method"] == method and float(row["gamma"])]
        gammas = [float(row["gamma"]) for row in chosen]
        for axis, (name, title) in zip(axes, FIGURES.items(), strict=True):
            values = [float(row[name]) for row in chosen]
            for panel, x in zip(axis, (gammas, [g / scale for g in gammas]), strict=True):
                panel.semilogx(x, values, marker=marker, linewidth=1, markersize=7, label=method)
            axis[0].set_ylabel(title)
    axes[1, 0].set_xlabel("γ as printed")
    axes[1, 1].set_xlabel("γ' = γ / N², for the sum γ / (D N²)")
    axes[0, 0].legend()
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    figure.savefig(Path(__file__).with_name("gamma.svg"))


if __name__ == "__main__":
    main(sys.argv[1])
