"""Operations among the layers of a functional model: codecs, and the tables of what they compute.

Importing the package registers the codecs and fills the tables.
"""

from modelfmt.layers.operations import (
    arrays,
    codecs,
    linalg,
    logic,
    making,
    math,
    nn,
    orders,
    reductions,
    slices,
    windows,
)

__all__ = [
    "arrays", "codecs", "linalg", "logic", "making", "math", "nn", "orders", "reductions",
    "slices", "windows",
]  # fmt: skip
