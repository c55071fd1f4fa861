"""SimpleRNNCell: one step of a SimpleRNN, written and recognised."""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.activations import write_activation
from modelfmt.layers.recurrent.body import Body, Cell, activated
from modelfmt.layers.recurrent.cells import GatedCell, biased, product, units_of
from modelfmt.layers.recurrent.gates import gate_of, gate_weights
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


def simple_rnn(body: Body) -> Cell | None:
    """The SimpleRNNCell that ``body`` computes, or None."""
    for state in body.states(body.output):
        for function, inner in activated(body.output, body.view):
            gate = gate_of(inner, state, body)
            if gate is not None:
                weights = gate_weights([gate])
                if weights is None:
                    return None
                return Cell({"activation": function, **weights[0]}, weights[1], (state,))
    return None


@register_layer
class SimpleRNNCell(GatedCell):
    """SimpleRNNCell.  h = activation(x @ kernel + bias + h @ recurrent_kernel)

    Shapes:  x (batch, in), kernel (in, units), recurrent_kernel (units, units), bias (units,)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, SimpleRNNCell.call
    """

    class_name = "SimpleRNNCell"
    config = {"units": units_of(1), "activation": "tanh", "use_bias": True}

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        of_x = biased(layer, product(layer, "kernel", x, graph), graph)
        total = graph.op("AddV2", of_x, product(layer, "recurrent_kernel", states[0], graph))
        output = write_activation(layer.config["activation"], total, graph)
        return output, [output]
