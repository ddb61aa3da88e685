"""The command `python -m tipim_jax.attack`: joins photos, networks, method, evaluation, report."""
