"""What a step shows where its mask hides it."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.loops import loop_of
from modelfmt.layers import write_network
from modelfmt.layers.recurrent.hidden import masked_value
from modelfmt.network import Call, Layer, Ref


@pytest.mark.parametrize("masked", [False, True])
def test_states_behind_a_mask(single: Any, masked: bool) -> None:
    network = single("SimpleRNN", {}, [(None, 5, 4)], kernel=(4, 3), recurrent_kernel=(3, 3))
    if masked:
        it = network.layer("it")
        it.calls = [Call([Ref("masking")])]
        masking = Layer("Masking", "masking", {}, calls=[Call([Ref("in0")])])
        network.layers.insert(1, masking)
    network.layer("it").config["use_bias"] = False
    graph = GraphBuilder()
    write_network(network, graph)
    view = look(graph)
    (exit_,) = [name for name, node in view.live.items() if node.op == "Exit"][:1]
    left = loop_of(exit_, view)
    assert left is not None
    loop, variable = left
    found = masked_value(variable.following, loop)
    assert (found is not None) is masked
    if found is not None:
        makers = view.producer(found.mask.tensor)
        assert makers is not None and makers.op == "Any"
