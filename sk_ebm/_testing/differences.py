"""Derivatives by differences."""

_STEP = 1e-6  # of central differences, whose error is then about 1e-10


def difference(f, at, along, step=_STEP):
    """The derivative of f along a direction, by central differences."""
    return (f(at + step * along) - f(at - step * along)) / (2 * step)
