"""Compiled programs, kept for the next run."""


def keep_compiled() -> None:
    """Keeps what XLA compiles from now on in the cache, and takes from it what is there.

    Raises:
      ConversionError: the cache cannot be made.
    """
    # Imported here: a command that only says how it is used need not wait for JAX.
    import jax

    from weights_convert import home

    jax.config.update("jax_compilation_cache_dir", str(home() / "compiled"))
