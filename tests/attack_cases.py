"""How tests run the attack command."""

from tipim_jax.attack.__main__ import main
from tipim_jax.report import Results

# Few people and iterations: what is tested is the command, not how well it protects.
FAST = ["--surrogate", "mobileface", "--recogniser", "mobileface", "--iterations", "4"]


def attack(*arguments, capsys=None):
    """Exit status, and what was printed."""
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr() if capsys else None


def results_in(output) -> Results:
    return Results.from_json((output / "results.json").read_text())
