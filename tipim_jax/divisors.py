"""Work in pieces of one size, so that one compiled program serves them all."""


def greatest_divisor(number: int, limit: int) -> int:
    """The greatest divisor of a number above 0 that is no greater than the limit, 1 or more."""
    return max(n for n in range(1, min(number, limit) + 1) if number % n == 0)
