"""What became of every node: claimed, folded, dropped, or where recognition stopped."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.layers.account import NodeFate
from modelfmt.tensor import Tensor


def graph() -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    kernel = Tensor.from_numpy("kernel", np.ones((4, 3), "f4"))
    with graph.scope("d"):
        y = graph.op("Relu", graph.op("MatMul", graph.op("Identity", x), kernel))
    graph.op("Floor", graph.op("Atan2", y, 0.3), name="out")
    graph.op("Lgamma", x, name="aside")
    return graph


def test_every_node_is_told_of() -> None:
    fates: list[NodeFate] = []
    view = View(graph(), outputs=["out"])
    recognise(view, fates=fates)
    assert [fate.node for fate in fates] == list(view.graph)
    told = {fate.node: (fate.fate, fate.layer, fate.class_name) for fate in fates}
    assert told["x"] == ("input", "", "") and told["aside"][0] == "dropped"
    assert told["d/MatMul"] == told["d/Relu"] == ("layer", "d", "Dense")  # fused
    assert told["d/Identity"] == ("folded", "", "")
    assert told["out"] == ("operation", "out", "Floor")
    assert {fate.fate for fate in fates if fate.op == "Const"} == {"weight", "constant"}


def test_where_recognition_stops() -> None:
    fates: list[NodeFate] = []
    with pytest.raises(UnrecognisedGraphError):
        recognise(View(graph(), outputs=["out"]), layers_only=True, fates=fates)
    told = {fate.node: fate.fate for fate in fates}
    assert told["out"] == told["Atan2"] == "unclaimed"
    assert told["d/Relu"] == "layer or operation" and told["aside"] == "dropped"
