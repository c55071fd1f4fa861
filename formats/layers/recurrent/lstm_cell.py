"""LSTMCell: one step of an LSTM, written and recognised."""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.activations import write_activation
from modelfmt.layers.recurrent.body import Body, Cell, activated, factors, operands
from modelfmt.layers.recurrent.cells import GatedCell, split, units_of
from modelfmt.layers.recurrent.conv_sums import ConvSums
from modelfmt.layers.recurrent.gates import Gate, activated_gate, gate_weights, gates_of
from modelfmt.layers.registry import register_layer
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


@register_layer
class LSTMCell(GatedCell):
    """LSTMCell.  i, f, g, o = x @ kernel + h @ recurrent_kernel + bias;
    c' = r(f) * c + r(i) * a(g);  h' = r(o) * a(c'), a and r being the (recurrent) activation

    Shapes:  x (batch, in), kernel (in, 4 units), recurrent_kernel (units, 4 units),
             bias (4 units,), h and c (batch, units)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, LSTMCell.call
    """

    class_name = "LSTMCell"
    config = {
        "units": units_of(4), "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True,
    }  # fmt: skip

    def state_sizes(self, layer: Layer) -> list[int]:
        return [int(layer.config["units"])] * 2

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        gates = split(self.sums(layer, x, states[0], graph), 4, graph)
        return lstm_step(layer, gates, states[1], graph)


def lstm_step(
    layer: Layer, gates: Sequence[str], carry: str, graph: GraphBuilder
) -> tuple[str, list[str]]:
    """Output and states of an LSTM, given the sums of its gates i, f, c, o."""
    activation, recurrent = layer.config["activation"], layer.config["recurrent_activation"]
    i = write_activation(recurrent, gates[0], graph)
    f = write_activation(recurrent, gates[1], graph)
    g = write_activation(activation, gates[2], graph)
    c = graph.op("AddV2", graph.op("Mul", f, carry), graph.op("Mul", i, g))
    o = write_activation(recurrent, gates[3], graph)
    h = graph.op("Mul", o, write_activation(activation, c, graph))
    return h, [h, c]


def lstm(body: Body) -> Cell | None:
    """The LSTMCell that ``body`` computes, or None."""
    for out, shown in factors(body.output, body.view):
        for activation, carry in activated(shown, body.view):
            for state in body.states(body.output):
                for cell in body.states(carry):
                    found = _lstm(body, out, activation, carry, state, cell)
                    if found is not None:
                        return found
    return None


def _lstm(body: Body, out: str, activation: str, carry: str, state: str, cell: str) -> Cell | None:
    for kept, new in operands(carry, "AddV2", body.view):
        for forget, old in factors(kept, body.view):
            if old != cell:
                continue
            for enter, proposed in factors(new, body.view):
                g = activated_gate(proposed, state, body, activation)
                gates = [gates_of(t, state, body) for t in (enter, forget, out)]
                for recurrent in gates[0]:
                    if g is None or any(recurrent not in found for found in gates):
                        continue
                    i, f, o = (found[recurrent] for found in gates)
                    weights = _weights([i, f, g, o], state, body)
                    if weights is None:
                        continue
                    config = {"activation": activation, "recurrent_activation": recurrent}
                    return Cell({**config, **weights[0]}, weights[1], (state, cell))
    return None


def _weights(
    gates: Sequence[Gate], state: str, body: Body
) -> tuple[Config, dict[str, Tensor]] | None:
    """The flags and weights of the gates, products or convolutions."""
    if isinstance(body.sums, ConvSums):
        return body.sums.gate_weights(gates, body.x, state)
    return gate_weights(gates)
