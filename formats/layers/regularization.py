"""Layers that act in training only: at inference they leave no node."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import MOST_ELEMENTS, Cut, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


class VanishingCodec(LayerCodec):
    """A layer that is the identity at inference: no graph of inference has a trace of it."""

    supports_masking = True

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing is left of it."""
        return []

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return list(inputs)


@register_layer
class Dropout(VanishingCodec):
    """Dropout.  y = x

    A training graph that was frozen still draws its random numbers. Where they change nothing, the
    share that is kept being 1, that is a Dropout; of a share that a Placeholder would give, and
    does not, inference means 1.
    """

    class_name = "Dropout"
    root_ops = frozenset({"Mul", "AddV2", "SelectV2", "RealDiv"})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        from modelfmt.ops.numbers import RANDOM

        for cut in reversed(cuts(graph, tensor, 2)):
            if not cut.ops & RANDOM or cut.escapes:
                continue
            given = [i for i in cut.inputs if not _is_share(i, graph)]
            if len(given) == 1 and _changes_nothing(cut, given[0]):
                shares = tuple(i for i in cut.inputs if i not in given)
                return Claim((given[0],), {"rate": 0.0}, {}, (*cut.nodes, *shares))
        return None


def _is_share(tensor: str, view: View) -> bool:
    """Whether nothing gives this number."""
    node = view.producer(tensor)
    is_number = view.shape(tensor) in ((), None)
    return node is not None and node.op == "Placeholder" and is_number and (
        tensor not in view.inputs
    )


def _changes_nothing(cut: Cut, x: str) -> bool:
    """Whether a part gives x back, whatever the random numbers are: the least and the largest."""
    import numpy as np

    shape = cut.shape(cut.inputs.index(x))
    if shape is None or math.prod(shape) > MOST_ELEMENTS:
        return False
    value = np.random.default_rng(0).normal(size=shape)
    inputs = [value if i == x else np.ones(()) for i in cut.inputs]
    # TensorFlow's uniform numbers are multiples of 2**-23 below 1.
    for drawn in (0.0, 0.5, 1 - 2**-23) if "RandomUniform" in cut.ops else (-8.0, 0.0, 8.0):
        made = cut.run(inputs, drawn=drawn)
        if made is None or not np.array_equal(made, value):
            return False
    return True


for _name in (
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization",
):  # fmt: skip
    register_layer(
        type(_name, (VanishingCodec,), {"class_name": _name, "__doc__": f"{_name}.  y = x"})
    )
