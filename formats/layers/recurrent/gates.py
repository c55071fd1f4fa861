"""Gates of a cell: the sum that each is a function of, and their weights beside each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.layers.recurrent.blocks import Block, Row, blocks_of, joined, width
from modelfmt.layers.recurrent.body import Body, activated
from modelfmt.layers.recurrent.sums import Affine
from modelfmt.network import Config
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Gate:
    """The sum of a gate: the weights of x and of the state, biases, a number added."""

    kernel: Row
    recurrent: Row
    biases: tuple[Row, ...]
    offset: float


def gate_of(tensor: str, state: str, body: Body) -> Gate | None:
    """The gate whose sum a tensor is."""
    return _gate(body.sums.sum(tensor), state, body)


def _gate(found: Affine | None, state: str, body: Body) -> Gate | None:
    if found is None or found.rest or found.products.keys() != {body.x, state}:
        return None
    kernel, recurrent = found.products[body.x], found.products[state]
    return Gate(kernel, recurrent, found.biases, found.offset)


def gates_of(tensor: str, state: str, body: Body) -> dict[str, Gate]:
    """The gates that a tensor may be, by the function applied; to all of them, it may be."""
    found = {
        function: gate_of(inner, state, body) for function, inner in activated(tensor, body.view)
    }
    node = body.view.producer(tensor)
    if node is not None and node.op in ("Split", "SplitV"):
        whole = node.inputs[node.op == "Split"]
        for function, inner in activated(whole, body.view):
            total = body.sums.sum(inner)
            part = body.sums.part_of(node, tensor, total) if total is not None else None
            found[function] = found.get(function) or _gate(part, state, body)
    return {function: gate for function, gate in found.items() if gate is not None}


def activated_gate(tensor: str, state: str, body: Body, function: str) -> Gate | None:
    return gates_of(tensor, state, body).get(function)


def gate_weights(gates: Sequence[Gate]) -> tuple[Config, dict[str, Tensor]] | None:
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


def _units(gates: Sequence[Gate]) -> int | None:
    """The width that all gates have; None where they differ or do not fit each other."""
    units = width(gates[0].kernel)
    heights = {block.height for gate in gates for block in gate.kernel}
    for gate in gates:
        if width(gate.kernel) != units or width(gate.recurrent) != units:
            return None
        if any(block.height != units for block in gate.recurrent):
            return None
    return units if len(heights) == 1 else None


def _bias(gates: Sequence[Gate], units: int) -> list[Tensor] | None:
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


def _added(first: Block, gates: Sequence[Gate], units: int) -> Tensor:
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


def gate_weights_after(
    gates: Sequence[Gate], inner: tuple[Row, ...]
) -> tuple[Config, dict[str, Tensor]] | None:
    """As ``gate_weights``, of a GRU with reset_after: two rows of biases, of x and of h.

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


def _aside(z: Gate, r: Gate, x: Row) -> tuple[int, int]:
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
