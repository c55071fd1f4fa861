"""The cells of recurrent layers, recognised in the body of a loop by what they compute.

    SimpleRNN  h' = a(x K + h R + b)
    LSTM       h' = r(o) a(c'),  c' = r(f) c + r(i) a(g)     i, f, g, o: sums like that one
    GRU        h' = r(z) h + (1 - r(z)) a(candidate)
               candidate: x K + (r(r) h) R + b, or with reset_after x K + b + r(r) (h R + b')

Each writes its weights in another way; ``Sums`` sees through that. What is left is to put the
blocks of the gates beside each other in Keras' order. Source: Keras, layers/rnn; TensorFlow,
python/ops/rnn_cell_impl.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.graphs.view import View
from modelfmt.layers.activations import FUNCTIONS
from modelfmt.layers.affine import Affine, Block, Row, Sums, blocks_of, joined, width
from modelfmt.layers.template import Match
from modelfmt.network import Config
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Body:
    """What a cell is recognised in.

    Attributes:
        view: the graph.
        sums: of the tensors of the body.
        x: the name of the row of this turn, as a source of products.
        output: the tensor that each turn yields.
        states: for a tensor that the next turn gets, those that this turn may have got for it.
    """

    view: View
    sums: Sums
    x: str
    output: str
    states: Callable[[str], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A recognised cell.

    Attributes:
        config: its activations and flags.
        weights: canonical name to tensor, in canonical order.
        states: the tensors of the body that hold its states, in order.
    """

    config: Config
    weights: Mapping[str, Tensor]
    states: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Gate:
    """The sum of a gate: the weights of x and of the state, biases, a number added."""

    kernel: Row
    recurrent: Row
    biases: tuple[Row, ...]
    offset: float


def simple_rnn(body: Body) -> Cell | None:
    """The SimpleRNNCell that ``body`` computes, or None."""
    for state in body.states(body.output):
        for function, inner in activated(body.output, body.view):
            gate = _gate(inner, state, body)
            if gate is not None:
                weights = _weights([gate])
                if weights is None:
                    return None
                return Cell({"activation": function, **weights[0]}, weights[1], (state,))
    return None


def lstm(body: Body) -> Cell | None:
    """The LSTMCell that ``body`` computes, or None."""
    for out, shown in _factors(body.output, body.view):
        for activation, carry in activated(shown, body.view):
            for state in body.states(body.output):
                for cell in body.states(carry):
                    found = _lstm(body, out, activation, carry, state, cell)
                    if found is not None:
                        return found
    return None


def _lstm(body: Body, out: str, activation: str, carry: str, state: str, cell: str) -> Cell | None:
    for kept, new in _operands(carry, "AddV2", body.view):
        for forget, old in _factors(kept, body.view):
            if old != cell:
                continue
            for enter, proposed in _factors(new, body.view):
                g = _activated_gate(proposed, state, body, activation)
                gates = [_gates(t, state, body) for t in (enter, forget, out)]
                for recurrent in gates[0]:
                    if g is None or any(recurrent not in found for found in gates):
                        continue
                    i, f, o = (found[recurrent] for found in gates)
                    weights = _weights([i, f, g, o])
                    if weights is None:
                        continue
                    config = {"activation": activation, "recurrent_activation": recurrent}
                    return Cell({**config, **weights[0]}, weights[1], (state, cell))
    return None


def gru(body: Body) -> Cell | None:
    """The GRUCell that ``body`` computes, or None."""
    view = body.view
    for state in body.states(body.output):
        for kept, new in _operands(body.output, "AddV2", view):
            for update, old in _factors(kept, view):
                if old != state:
                    continue
                for rest, proposed in _factors(new, view):
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
            z, r = _gates(update, state, body), _gates(reset, state, body)
            for recurrent in z:
                if recurrent not in r:
                    continue
                three = [z[recurrent], r[recurrent], gate]
                weights = _weights_after(three, inner) if after else _weights(three)
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
) -> Iterator[tuple[str, _Gate, tuple[Row, ...]]]:
    """For each way to read a candidate's sum: the reset gate, the weights, the bias of h."""
    kernel = total.products.get(body.x)
    if kernel is None:
        return
    if total.rest:
        if len(total.rest) != 1 or len(total.products) != 1:
            return
        for reset, inner in _factors(total.rest[0], body.view):
            found = body.sums.sum(inner)
            if found is None or found.products.keys() != {state} or found.rest or found.offset:
                continue
            yield reset, _Gate(kernel, found.products[state], total.biases, 0.0), found.biases
        return
    if len(total.products) != 2:
        return
    other = next(source for source in total.products if source != body.x)
    for reset, old in _factors(other, body.view):
        if old == state:
            yield reset, _Gate(kernel, total.products[other], total.biases, 0.0), ()


# -- gates ------------------------------------------------------------------------------------


def _gate(tensor: str, state: str, body: Body) -> _Gate | None:
    found = body.sums.sum(tensor)
    if found is None or found.rest or found.products.keys() != {body.x, state}:
        return None
    kernel, recurrent = found.products[body.x], found.products[state]
    return _Gate(kernel, recurrent, found.biases, found.offset)


def _gates(tensor: str, state: str, body: Body) -> dict[str, _Gate]:
    """The gates that a tensor may be, by the function applied."""
    found = {
        function: _gate(inner, state, body) for function, inner in activated(tensor, body.view)
    }
    return {function: gate for function, gate in found.items() if gate is not None}


def _activated_gate(tensor: str, state: str, body: Body, function: str) -> _Gate | None:
    return _gates(tensor, state, body).get(function)


def activated(tensor: str, view: View) -> Iterator[tuple[str, str]]:
    """The ways to read a tensor as a function of another one."""
    tensor = view.resolve(tensor)
    node = view.producer(tensor)
    if node is None:
        return
    for name, templates in FUNCTIONS.items():
        for template in templates:
            if node.op not in template.roots():
                continue
            for match in template.match(tensor, view, Match()):
                yield name, match.inputs[0]
    yield "linear", tensor


def _operands(tensor: str, op: str, view: View) -> Iterator[tuple[str, str]]:
    """The operands of a commutative op, in both orders."""
    node = view.producer(tensor)
    if node is not None and node.op == op and len(node.inputs) == 2:
        a, b = (view.resolve(i) for i in node.inputs)
        yield a, b
        if a != b:
            yield b, a


def _factors(tensor: str, view: View) -> Iterator[tuple[str, str]]:
    return _operands(tensor, "Mul", view)


# -- weights ----------------------------------------------------------------------------------


def _weights(gates: Sequence[_Gate]) -> tuple[Config, dict[str, Tensor]] | None:
    """The flags and weights of gates in their order beside each other, with one bias or none."""
    units = _units(gates)
    if units is None:
        return None
    bias = _bias(gates, units)
    if bias is None:
        return None
    weights = {
        "kernel": joined(blocks_of([gate.kernel for gate in gates]), "kernel"),
        "recurrent_kernel": joined(blocks_of([gate.recurrent for gate in gates]), "recurrent"),
    }
    if bias:
        weights["bias"] = bias[0]
    return {"units": units, "use_bias": bool(bias)}, weights


def _units(gates: Sequence[_Gate]) -> int | None:
    """The width that all gates have; None where they differ or do not fit each other."""
    units = width(gates[0].kernel)
    heights = {block.height for gate in gates for block in gate.kernel}
    for gate in gates:
        if width(gate.kernel) != units or width(gate.recurrent) != units:
            return None
        if any(block.height != units for block in gate.recurrent):
            return None
    return units if len(heights) == 1 else None


def _bias(gates: Sequence[_Gate], units: int) -> list[Tensor] | None:
    """The bias beside each other, as a list of one; empty for none; None where it has no form.

    Several for one gate are added, and so is a number that the graph adds to a gate alone.
    """
    counts = {len(gate.biases) for gate in gates}
    if any(width(row) != units for gate in gates for row in gate.biases):
        return None
    if counts == {0} and not any(gate.offset for gate in gates):
        return []
    if counts == {1} and not any(gate.offset for gate in gates):
        return [joined(blocks_of([gate.biases[0] for gate in gates]), "bias", rank=1)]
    first = next((b for gate in gates for row in gate.biases for b in row), gates[0].kernel[0])
    return [_added(first, gates, units)]


def _added(first: Block, gates: Sequence[_Gate], units: int) -> Tensor:
    import numpy as np

    def change(array: Array) -> Array:
        total = np.zeros(units * len(gates), array.dtype)
        for k, gate in enumerate(gates):
            part = total[k * units : (k + 1) * units]
            for row in gate.biases:
                part += np.concatenate([block.numpy() for block in row], axis=1).ravel()
            part += total.dtype.type(gate.offset)
        return total

    return first.root.changed(change, (units * len(gates),))


def _weights_after(
    gates: Sequence[_Gate], inner: tuple[Row, ...]
) -> tuple[Config, dict[str, Tensor]] | None:
    """As ``_weights``, of a GRU with reset_after: two rows of biases, of x and of h.

    The gates z and r add both; which is which the file's order tells, x's stands first.
    """
    z, r, h = gates
    units = _units(gates)
    if units is None or any(gate.offset for gate in gates):
        return None
    kernels = {
        "kernel": joined(blocks_of([gate.kernel for gate in gates]), "kernel"),
        "recurrent_kernel": joined(blocks_of([gate.recurrent for gate in gates]), "recurrent"),
    }
    counts = [len(z.biases), len(r.biases), len(h.biases), len(inner)]
    config: Config = {"units": units, "use_bias": any(counts)}
    if not any(counts):
        return config, kernels
    if counts != [2, 2, 1, 1]:
        return None
    of_x = _aside(z, r, h.biases[0])
    rows = [
        blocks_of([z.biases[k], r.biases[k], last])
        for k, last in zip(of_x, (h.biases[0], inner[0]), strict=True)
    ]
    if any(width(row) != 3 * units for row in rows):
        return None
    return config, {**kernels, "bias": _in_rows(rows, units)}


def _aside(z: _Gate, r: _Gate, x: Row) -> tuple[int, int]:
    """Which of a gate's two biases is that of x, and which that of h."""
    same = [row[0].root is x[0].root and row[0].rows == x[0].rows for row in z.biases]
    return (1, 0) if same == [False, True] else (0, 1)


def _in_rows(rows: Sequence[Row], units: int) -> Tensor:
    """The bias (2, 3 units): the file's own where its rows are these."""
    root = rows[0][0].root
    shape = (2, 3 * units)
    own = all(
        block.root is root and block.shape == shape and block.rows == (k, k + 1)
        for k, row in enumerate(rows) for block in row
    ) and all(
        [block.columns for block in row] == _spans(row) for row in rows
    )  # fmt: skip
    if own:
        return root if root.shape == shape else root.reshaped(shape)

    def change(_: Array) -> Array:
        import numpy as np

        parts = [np.concatenate([block.numpy() for block in row], axis=1) for row in rows]
        return np.concatenate(parts, axis=0)

    return root.changed(change, shape)


def _spans(row: Row) -> list[tuple[int, int]]:
    """The columns that blocks have if they stand beside each other from the first on."""
    found, start = [], 0
    for block in row:
        found.append((start, start + block.width))
        start += block.width
    return found
