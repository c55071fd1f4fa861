"""Recurrent layers without a loop: each step of a cell stands in the graph for itself.

    x -> Transpose -> Unpack: x_0, x_1, ...      h_t = cell(x_t, h_t-1)
    h_0, h_1, ... -> Pack -> Transpose -> y, all outputs;  the last h is y, the last output

So do Keras with ``unroll``, and static_rnn of TensorFlow 1. From the last output the steps are gone
back one by one; all have one cell, with the same weights. Source: Keras
backend/tensorflow/rnn.py; TensorFlow python/ops/rnn.py, static_rnn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.recurrent.belongings import below, without_shared
from modelfmt.layers.recurrent.body import Body, Cell, multiplied
from modelfmt.layers.recurrent.gru_cell import gru
from modelfmt.layers.recurrent.lstm_cell import lstm
from modelfmt.layers.recurrent.sequences import plain_source, swaps
from modelfmt.layers.recurrent.simple_rnn_cell import simple_rnn
from modelfmt.layers.recurrent.starts import is_zero
from modelfmt.layers.recurrent.sums import Sums
from modelfmt.tensor import Tensor

#: What the last output of each may be made by; all outputs are a Transpose or a Pack.
_CELLS: Mapping[str, tuple[Callable[[Body], Cell | None], frozenset[str]]] = {
    "SimpleRNN": (simple_rnn, frozenset({"Tanh", "Relu", "Sigmoid", "AddV2", "BiasAdd"})),
    "LSTM": (lstm, frozenset({"Mul"})),
    "GRU": (gru, frozenset({"AddV2"})),
}
#: The ops that an output may be made by.
UNROLLED = frozenset({"Transpose", "Pack"}).union(*(ops for _, ops in _CELLS.values()))


@dataclasses.dataclass(frozen=True)
class _Step:
    """One step: its output, the cell, and the number of the row of x that it takes."""

    output: str
    cell: Cell
    row: int


def unrolled(class_name: str, tensor: str, view: View) -> Claim | None:
    """The claim of a layer of which every step stands in the graph, or None."""
    if class_name not in _CELLS or not _repeats(view):
        return None
    node = view.producer(tensor)
    last = _last_of(tensor, view)
    made = view.producer(last) if last else None
    if node is None or last is None or made is None or made.op not in _CELLS[class_name][1]:
        return None
    for called in _sequences(last, view):
        steps = _steps(class_name, last, called, view)
        claim = _claim(steps, called, view) if steps else None
        if claim is not None and view.resolve(tensor) in claim.outputs:
            return claim
    return None


def _repeats(view: View) -> bool:
    """Whether any weight is multiplied with more than one tensor: steps share theirs."""
    if "unrolled" not in view.memo:
        seen: set[int] = set()
        found = False
        for node in view.live.values():
            constant = view.constant(node.inputs[1]) if node.op == "MatMul" else None
            if constant is not None:
                found = found or id(constant.root) in seen
                seen.add(id(constant.root))
            elif node.op == "MatMul":
                found = True  # a part of a weight
        view.memo["unrolled"] = found
    return cast(bool, view.memo["unrolled"])


def _last_of(tensor: str, view: View) -> str | None:
    """The last output, where ``tensor`` is that, or all of them."""
    node = view.producer(tensor)
    if node is not None and node.op == "Transpose":
        node = view.producer(node.inputs[0]) if swaps(node, view) else None
        if node is None or node.op != "Pack" or view.attr(node, "axis") not in (0, None):
            return None
    elif node is not None and node.op == "Pack":
        if view.attr(node, "axis") != 1:
            return None
    else:
        return view.resolve(tensor)
    return view.resolve(node.inputs[-1])


def _row(tensor: str, view: View) -> tuple[str, str] | None:
    """The sequence of which a tensor is one step, and its name with the step's number."""
    tensor = view.resolve(tensor)
    node = view.producer(tensor)
    if node is None or node.op not in ("Unpack", "StridedSlice"):
        return None
    sequence = view.resolve(node.inputs[0])
    axis, number = _taken(node, parse_input(tensor).port, view)
    before = view.producer(sequence)
    if axis == 0 and before is not None and before.op == "Transpose" and swaps(before, view):
        sequence = view.resolve(before.inputs[0])
    elif axis != 1:
        return None
    shape = view.shape(sequence)
    if shape is None or len(shape) != 3 or shape[1] is None or number is None:
        return None
    return sequence, f"{number % shape[1]} {sequence}"


def _taken(node: Node, port: int, view: View) -> tuple[int | None, int | None]:
    """The axis along which a node takes one step, and the number of the step."""
    if node.op == "Unpack":
        axis = view.attr(node, "axis") or 0
        return (axis if isinstance(axis, int) else None), port
    begin, shrinks = view.ints(node.inputs[1]), view.attr(node, "shrink_axis_mask")
    others = [view.attr(node, f"{key}_mask") for key in ("ellipsis", "new_axis")]
    if begin is None or any(others) or shrinks not in (1, 2):
        return None, None
    axis = 0 if shrinks == 1 else 1
    begun, ended = (int(str(view.attr(node, f"{k}_mask") or 0)) for k in ("begin", "end"))
    whole = all(begun >> k & 1 and ended >> k & 1 for k in range(len(begin)) if k != axis)
    return (axis, begin[axis]) if whole and len(begin) > axis else (None, None)


def _body(output: str, called: str, view: View) -> Body:
    def outside(tensor: str) -> tuple[str, str] | None:
        return _row(tensor, view)

    def size(source: str) -> int | None:
        shape = view.shape(plain_source(source))
        return shape[-1] if shape else None

    body = Body(view, Sums(view, outside, size), called, output, lambda _: ())

    def states(following: str) -> list[str]:
        found = [s for s in multiplied(output, body, near=True) if " " not in s]
        node = view.producer(following)
        for operand in node.inputs if node is not None and node.op == "AddV2" else ():
            made = view.producer(operand)
            if made is not None and made.op == "Mul":
                found += [view.resolve(i) for i in made.inputs]
        return list(dict.fromkeys(found))

    return dataclasses.replace(body, states=states)


def _sequences(last: str, view: View) -> list[str]:
    """The sequences that the step which yields ``last`` may take a row of, with its number."""
    body = _body(last, "", view)
    found: dict[str, None] = {}
    for source in multiplied(last, body, near=True):
        if " " in source:
            found[source] = None
    return list(found)


def _steps(class_name: str, last: str, called: str, view: View) -> list[_Step]:
    """The steps, from the first to the last; empty where they are not as many as x has."""
    x = plain_source(called)
    shape = view.shape(x)
    count = shape[1] if shape and len(shape) == 3 else None
    number = int(called.split(" ")[0])
    if count is None or count < 2 or number not in (0, count - 1):
        return []
    way = -1 if number else 1
    found: list[_Step] = []
    output = last
    while len(found) < count:
        cell = _CELLS[class_name][0](_body(output, f"{number} {x}", view))
        if cell is None or (found and not _alike(cell, found[-1].cell)):
            return []
        found.append(_Step(output, cell, number))
        output, number = view.resolve(cell.states[0]), number + way
    return found[::-1]


def _alike(one: Cell, other: Cell) -> bool:
    if one.config != other.config or one.weights.keys() != other.weights.keys():
        return False
    return all(_equal(one.weights[name], other.weights[name]) for name in one.weights)


def _equal(one: Tensor, other: Tensor) -> bool:
    import numpy as np

    return one is other or (
        one.shape == other.shape and np.array_equal(one.numpy(), other.numpy())
    )


def _claim(steps: list[_Step], called: str, view: View) -> Claim | None:
    x, first, last = plain_source(called), steps[0].cell, steps[-1]
    initial = [view.resolve(state) for state in first.states]
    zeros = [is_zero(state, view) for state in initial]
    if any(zeros) != all(zeros) or any(view.constant(s) for s in initial if not all(zeros)):
        return None
    given = () if all(zeros) else tuple(initial)
    ends = {x, *given}
    sequence = _stacked([step.output for step in steps], view)
    finals = [last.output, *_new_states(last, view)]
    roots = [*([sequence] if sequence else []), *finals]
    whole = below(roots, ends, view)
    aside: set[str] = set()
    for state in initial:
        aside |= below([state], ends, view)
    nodes = without_shared(roots, whole, aside, view)
    outputs: dict[str, int] = {sequence: 0} if sequence else {}
    for index, tensor in enumerate(finals):
        if _is_read(tensor, set(nodes), view):
            outputs[tensor] = index if not sequence and not index else max(index, 1)
    config = {
        **first.config, "return_sequences": sequence is not None,
        "go_backwards": last.row == 0,
    }  # fmt: skip
    if max(outputs.values(), default=0):
        config["return_state"] = True
    return Claim(
        (x,), config, first.weights, nodes, outputs=outputs,
        arguments={"initial_state": given} if given else {},
    )  # fmt: skip


def _new_states(step: _Step, view: View) -> Iterator[str]:
    """The tensors that hold the states after a step, but for the first, its output: index 2 on."""
    if len(step.cell.states) == 2:  # an LSTM's: h = r(o) * a(c')
        for node in _muls(step.output, view):
            for operand in node.inputs:
                made = view.producer(operand)
                carry = view.producer(made.inputs[0]) if made is not None and made.inputs else None
                if carry is not None and step.cell.states[1] in _read_by(carry, view):
                    yield step.output
                    yield view.resolve(made.inputs[0])  # type: ignore[union-attr]
                    return


def _muls(tensor: str, view: View) -> list[Node]:
    node = view.producer(tensor)
    return [node] if node is not None and node.op == "Mul" else []


def _read_by(node: Node, view: View) -> set[str]:
    """What a sum of products reads."""
    found: set[str] = set()
    for operand in node.inputs:
        made = view.producer(operand)
        found |= {view.resolve(i) for i in made.inputs} if made is not None else set()
    return found


def _stacked(outputs: list[str], view: View) -> str | None:
    """The tensor that holds all outputs, in their order, batch first."""
    for reader in sorted(view.consumers.get(parse_input(outputs[-1]).node, ())):
        node = view.live[reader]
        if node.op != "Pack" or [view.resolve(i) for i in node.inputs] != outputs:
            continue
        if view.attr(node, "axis") == 1:
            return node.name
        for after in sorted(view.consumers.get(node.name, ())):
            if view.live[after].op == "Transpose" and swaps(view.live[after], view):
                return after
    return None


def _is_read(tensor: str, inside: set[str], view: View) -> bool:
    """Whether something outside of the layer reads a tensor."""
    readers = view.consumers.get(parse_input(tensor).node, set())
    return bool(readers - inside) or tensor in view.outputs
