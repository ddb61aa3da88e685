"""The command `python -m tipim_jax.evaluate`: judges protected photos, whoever made them."""
