"""Activation functions that no template says, since they split or sort their input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.sizing import known_shape, lengths


def _glu(x: str, graph: GraphBuilder) -> str:
    """The first half of the last axis times sigmoid of the second."""
    size = known_shape(x, graph, "glu")[-1]
    if size is None or size % 2:
        raise MismatchError("glu halves the last axis", expected="an even size", found=size)
    first, second = graph.ops("Split", -1, x, num_split=2)
    return graph.op("Mul", first, graph.op("Sigmoid", second))


def _sparsemax(x: str, graph: GraphBuilder) -> str:
    """A sparse softmax along the last axis.

    With z sorted downwards and s its running sums, the support are those z[i] that lie above
    (s[i] - 1) / (i + 1), k of them; y = max(x - (the sum of s over the support - 1) / k, 0).
    Martins and Astudillo, 2016, take s[k - 1] in place of that sum; Keras does it so.
    """
    known_shape(x, graph, "sparsemax")
    size, dtype = lengths(x, graph)[-1], graph.dtype(x)
    ordered = graph.ops("TopKV2", x, size)[0]
    sums = graph.op("Cumsum", ordered, -1)
    places = graph.op("Cast", graph.op("Range", 1, graph.op("AddV2", size, 1), 1), DstT=dtype)
    above = graph.op("RealDiv", graph.op("Sub", sums, 1.0), places)
    support = graph.op("Greater", graph.op("Sub", ordered, above), 0.0)
    kept = graph.op("Cast", support, DstT=dtype)
    count = graph.op("Sum", kept, [-1], keep_dims=True)
    total = graph.op("Sum", graph.op("Mul", sums, kept), [-1], keep_dims=True)
    return graph.op(
        "Maximum",
        graph.op("Sub", x, graph.op("RealDiv", graph.op("Sub", total, 1.0), count)),
        0.0,
    )


#: Name -> what writes the function and returns its output. Source: Keras, activations.py.
WRITTEN: Mapping[str, Callable[[str, GraphBuilder], str]] = {
    "glu": _glu,
    "sparsemax": _sparsemax,
}
