"""Operations among the layers of a functional model: codecs, and the tables of what they compute.

Importing the package registers the codecs and fills the tables.
"""

from modelfmt.layers.operations import (
    arrays,
    attending,
    codecs,
    groups,
    images,
    linalg,
    logic,
    losses,
    making,
    math,
    matrices,
    nn,
    orders,
    rearranging,
    reductions,
    signals,
    single,
    slices,
    windows,
)

__all__ = [
    "arrays", "attending", "codecs", "groups", "images", "linalg", "logic", "losses", "making",
    "math", "matrices", "nn", "orders", "rearranging", "reductions", "signals", "single", "slices",
    "windows",
]  # fmt: skip
