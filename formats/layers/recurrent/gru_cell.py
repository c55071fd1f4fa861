"""GRUCell: one step of a GRU, written and recognised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.activations import write_activation
from modelfmt.layers.recurrent.blocks import Row
from modelfmt.layers.recurrent.body import Body, Cell, activated, factors, operands
from modelfmt.layers.recurrent.cells import GatedCell, biased, product, split, units_of
from modelfmt.layers.recurrent.gates import Gate, gate_weights, gate_weights_after, gates_of
from modelfmt.layers.recurrent.sums import Affine
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


@register_layer
class GRUCell(GatedCell):
    """GRUCell.  z, r: gates;  h' = z * h + (1 - z) * a(x_h + r * (h @ R_h + b_h)) with reset_after,
    else a(x_h + (r * h) @ R_h)

    Shapes:  x (batch, in), kernel (in, 3 units), recurrent_kernel (units, 3 units),
             bias (2, 3 units) with reset_after: of x and of h; else (3 units,)
    Weights: kernel, recurrent_kernel, bias
    Source:  Keras, GRUCell.call
    """

    class_name = "GRUCell"
    config = {
        "units": units_of(3), "activation": "tanh", "recurrent_activation": "sigmoid",
        "use_bias": True, "reset_after": True,
    }  # fmt: skip

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        h = states[0]
        mixed = self._reset_after if layer.config["reset_after"] else self._reset_before
        z, candidate = mixed(layer, x, h, graph)
        proposed = write_activation(layer.config["activation"], candidate, graph)
        rest = graph.op("Mul", graph.op("Sub", 1.0, z), proposed)
        output = graph.op("AddV2", graph.op("Mul", z, h), rest)
        return output, [output]

    def _reset_after(
        self, layer: Layer, x: str, h: str, graph: GraphBuilder
    ) -> tuple[str, str]:
        """The gate z, and what the activation is applied to."""
        sums = [product(layer, "kernel", x, graph), product(layer, "recurrent_kernel", h, graph)]
        if "bias" in layer.weights:
            units = layer.weight("bias").shape[-1] // 3
            if layer.weight("bias").shape != (2, 3 * units):
                raise MismatchError(
                    "with reset_after a bias has two rows", expected=[2, 3 * units],
                    found=list(layer.weight("bias").shape),
                )
            bias = graph.weight(layer.weight("bias"), "bias")
            rows = graph.ops("Unpack", bias, num=2, axis=0)
            sums = [
                graph.op("BiasAdd", total, row) for total, row in zip(sums, rows, strict=True)
            ]
        x_z, x_r, x_h = split(sums[0], 3, graph)
        h_z, h_r, h_h = split(sums[1], 3, graph)
        recurrent = layer.config["recurrent_activation"]
        z = write_activation(recurrent, graph.op("AddV2", x_z, h_z), graph)
        r = write_activation(recurrent, graph.op("AddV2", x_r, h_r), graph)
        return z, graph.op("AddV2", x_h, graph.op("Mul", r, h_h))

    def _reset_before(
        self, layer: Layer, x: str, h: str, graph: GraphBuilder
    ) -> tuple[str, str]:
        sums = biased(layer, product(layer, "kernel", x, graph), graph)
        x_z, x_r, x_h = split(sums, 3, graph)
        kernel = graph.weight(layer.weight("recurrent_kernel"), "recurrent_kernel")
        of_z, of_r, of_h = split(kernel, 3, graph, axis=1)
        recurrent = layer.config["recurrent_activation"]
        z = write_activation(
            recurrent, graph.op("AddV2", x_z, graph.op("MatMul", h, of_z)), graph
        )
        r = write_activation(
            recurrent, graph.op("AddV2", x_r, graph.op("MatMul", h, of_r)), graph
        )
        kept = graph.op("MatMul", graph.op("Mul", r, h), of_h)
        return z, graph.op("AddV2", x_h, kept)


def gru(body: Body) -> Cell | None:
    """The GRUCell that ``body`` computes, or None."""
    view = body.view
    for state in body.states(body.output):
        for kept, new in operands(body.output, "AddV2", view):
            for update, old in factors(kept, view):
                if old != state:
                    continue
                for rest, proposed in factors(new, view):
                    node = view.producer(rest)
                    if node is None or node.op != "Sub" or view.scalar(node.inputs[0]) != 1:
                        continue
                    if view.resolve(node.inputs[1]) != update:
                        continue
                    found = _gru(body, state, update, proposed)
                    if found is not None:
                        return found
    return None


def _gru(body: Body, state: str, update: str, proposed: str) -> Cell | None:
    for activation, candidate in activated(proposed, body.view):
        total = body.sums.sum(candidate)
        if total is None or total.offset:
            continue
        after = bool(total.rest)
        for reset, gate, inner in _candidates(total, state, body):
            z, r = gates_of(update, state, body), gates_of(reset, state, body)
            for recurrent in z:
                if recurrent not in r:
                    continue
                three = [z[recurrent], r[recurrent], gate]
                weights = gate_weights_after(three, inner) if after else gate_weights(three)
                if weights is None:
                    continue
                config = {
                    "activation": activation, "recurrent_activation": recurrent,
                    "reset_after": after,
                }  # fmt: skip
                return Cell({**config, **weights[0]}, weights[1], (state,))
    return None


def _candidates(
    total: Affine, state: str, body: Body
) -> Iterator[tuple[str, Gate, tuple[Row, ...]]]:
    """For each way to read a candidate's sum: the reset gate, the weights, the bias of h."""
    kernel = total.products.get(body.x)
    if kernel is None:
        return
    if total.rest:
        if len(total.rest) != 1 or len(total.products) != 1:
            return
        for reset, inner in factors(total.rest[0], body.view):
            found = body.sums.sum(inner)
            if found is None or found.products.keys() != {state} or found.rest or found.offset:
                continue
            yield reset, Gate(kernel, found.products[state], total.biases, 0.0), found.biases
        return
    if len(total.products) != 2:
        return
    other = next(source for source in total.products if source != body.x)
    for reset, old in factors(other, body.view):
        if old == state:
            yield reset, Gate(kernel, total.products[other], total.biases, 0.0), ()
