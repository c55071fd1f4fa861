"""Masks traced to the layers that make them."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.layers.binding import prepared
from modelfmt.layers.mask_recognition import Source, mask_nodes, mask_source
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def test_what_masks_are_made_of() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    ids = graph.placeholder("ids", dtypes.int32, (None, 5))
    graph.op("Any", graph.op("NotEqual", x, -1.0), [2], name="masking")
    graph.op("NotEqual", ids, 0, name="embedding")
    graph.op("NotEqual", ids, 3, name="neither")
    view = View(graph)
    assert mask_source("masking", view) == Source("Masking", "x", -1.0)
    assert mask_source("embedding", view) == Source("Embedding", "ids", 0.0)
    assert mask_source("neither", view) is None
    assert {view.graph[name].op for name in mask_nodes("masking", view)} == {"Any", "NotEqual"}


@pytest.mark.parametrize("of_graph", [True, False])
def test_a_mask_that_is_not_the_one_keras_hands_over(of_graph: bool) -> None:
    """A Masking hides 0; the LSTM heeds another mask, or none."""
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    masking = prepared(Layer("Masking", "m", {}))
    (seen,) = codec_for(masking).write(masking, [x], graph)
    if of_graph:
        graph.masks[seen] = graph.op("Any", graph.op("NotEqual", x, 7.0), [-1])
    shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    weights = {k: Tensor.from_numpy(k, np.ones(s, np.float32)) for k, s in shapes.items()}
    lstm = prepared(Layer("LSTM", "lstm", {}, weights))
    (y,) = codec_for(lstm).write(lstm, [seen], graph)
    message = "no layer makes the mask" if of_graph else "Keras would hand the mask"
    with pytest.raises(UnrecognisedGraphError, match=message):
        recognise(look(graph, outputs=[y]))
