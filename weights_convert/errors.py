"""The one error of this package."""


class ConversionError(Exception):
    """Weights could not be obtained, read or converted; the message says what to do."""
