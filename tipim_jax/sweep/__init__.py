"""The command `python -m tipim_jax.sweep`: a grid of settings, protected, judged and tabulated."""
