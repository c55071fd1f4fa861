"""Activation functions that no template says, since they split or sort their input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import MOST_ELEMENTS, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.likeness import close
from modelfmt.layers.sizing import known_shape, lengths

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


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


# -- recognising ---------------------------------------------------------------------------------

#: What takes a row apart; without any of them a part of a graph is none of these functions.
_TAKES_APART = {"Split", "SplitV", "StridedSlice", "TopKV2"}


def written_function(tensor: str, view: View) -> Claim | None:
    """The claim of an Activation on a part that computes one of these functions."""
    import numpy as np

    for cut in cuts(view, tensor):
        shape = cut.shape() if cut.ops & _TAKES_APART else None
        if not shape or cut.escapes or cut.weights or math.prod(shape) > MOST_ELEMENTS:
            continue
        dtype = view.dtype(cut.inputs[0])
        if dtype is None or not dtype.is_floating:
            continue
        random = np.random.default_rng(0)
        for x in (random.normal(0, 1, shape), random.normal(0, 30, shape)):
            y = cut.run([x])
            like = {n for n, f in _COMPUTED.items() if y is not None and close(y, f(x))}
            if not like:
                break
        else:
            return Claim(cut.inputs, {"activation": like.pop()}, {}, cut.nodes)
    return None


def _glu_of(x: Array) -> Any:
    import numpy as np

    half = x.shape[-1] // 2
    return x[..., :half] * 0.5 * (1 + np.tanh(0.5 * x[..., half : 2 * half]))


def _sparsemax_of(x: Array) -> Any:
    import numpy as np

    ordered = -np.sort(-x, -1)
    sums = ordered.cumsum(-1)
    kept = ordered > (sums - 1) / np.arange(1, x.shape[-1] + 1)
    total = (sums * kept).sum(-1, keepdims=True) - 1
    return np.maximum(x - total / kept.sum(-1, keepdims=True), 0)


_COMPUTED: Mapping[str, Callable[[Array], Any]] = {"glu": _glu_of, "sparsemax": _sparsemax_of}
