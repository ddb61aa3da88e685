"""Protects face photos from face recognition: TIP-IM in JAX.

`python -m tipim_jax.attack` is the command; `tipim_jax.method` is the method as functions of
arrays; `tipim_jax.networks` are the face recognition networks.
"""
