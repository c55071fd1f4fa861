"""The loop that a recurrent layer is written as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop
from modelfmt.layers.extents import extent
from modelfmt.layers.recurrent.cells import cell_codec
from modelfmt.network import Layer


def flat(states: Any) -> list[str]:
    """The tensors in a state, which may be one, a list, or lists in a list."""
    if states is None:
        return []
    if isinstance(states, list):
        return [tensor for inner in states for tensor in flat(inner)]
    if not isinstance(states, str):
        raise ConversionError("a state that is no tensor", found=f"{states!r:.80}")
    return [states]


class LoopWriter:
    """The loop of one call of a layer."""

    def __init__(self, layer: Layer, cell: Layer, x: str, graph: GraphBuilder) -> None:
        self.config, self.graph = layer.config, graph
        self.cell, self.codec = cell, cell_codec(cell)
        shape = graph.shape(x)
        if shape is None or len(shape) < 3:
            raise MismatchError(
                f"{layer.class_name} takes a sequence", expected="(batch, time, features)",
                found="an unknown rank" if shape is None else list(shape),
            )
        self.length = shape[1]
        self.mask = graph.masks.get(x)
        self.x = self._by_time(x)

    def _by_time(self, x: str) -> str:
        """x with time first, backwards where the layer goes so."""
        rank = len(self.graph.shape(x) or ())
        turned = self.graph.op("Transpose", x, [1, 0, *range(2, rank)])
        if self.config["go_backwards"]:
            turned = self.graph.op("ReverseV2", turned, [0])
        return turned

    def write(self, given: Sequence[str]) -> tuple[str, str, list[str]]:
        """The last output, all outputs, and the last states."""
        graph = self.graph
        sizes = graph.op("Shape", self.x)
        steps = graph.op("StridedSlice", sizes, [0], [1], [1], shrink_axis_mask=1)
        batch = graph.op("StridedSlice", sizes, [1], [2], [1], shrink_axis_mask=1)
        first = graph.op("GatherV2", self.x, 0, 0)
        states = list(given) or self.codec.initial(self.cell, first, batch, graph)
        wanted = len(self.codec.state_sizes(self.cell))
        if len(states) != wanted:
            raise MismatchError(
                "another number of states than the cell has", expected=wanted, found=len(states)
            )
        shape = self._output_shape(states)
        start = [*states]
        shapes: list[Dims] = [_open(graph.shape(state)) for state in states]
        if self.mask is not None or not self.config["return_sequences"]:
            between = [extent(states[0], axis, graph) for axis in range(1, len(shape) - 1)]
            zero = graph.const(0, graph.dtype(self.x), "zero")
            sizes_of = graph.op("Pack", batch, *between, shape[-1], axis=0)
            start.append(graph.op("Fill", sizes_of, zero))
            shapes.append((None, *shape[1:]))
        if self.config["return_sequences"]:
            start.append(
                graph.op(
                    "TensorListReserve", _sizes(shape), steps, element_dtype=graph.dtype(self.x)
                )
            )
            shapes.append(())
        rows = graph.op("TensorListFromTensor", self.x, _sizes(graph.shape(self.x))[1:])
        seen = None
        if self.mask is not None:
            mask = self._by_time(self._with_rank(self.mask, len(shape)))
            seen = graph.op("TensorListFromTensor", mask, _sizes(graph.shape(mask))[1:])

        def turn(body: FunctionBuilder, counter: str, state: list[str]) -> list[str]:
            return self._turn(body, counter, state, rows, seen)

        ended = while_loop(graph, steps, start, turn, shapes=shapes)
        count = len(states)
        last = outputs = ended[count] if len(ended) > count else ""
        if self.config["return_sequences"]:
            stacked = graph.op(
                "TensorListStack", ended[-1], _sizes(shape), element_dtype=graph.dtype(self.x),
                num_elements=-1 if self.length is None else self.length,
            )
            outputs = graph.op("Transpose", stacked, [1, 0, *range(2, len(shape) + 1)])
        return last, outputs, ended[:count]

    def _turn(
        self, body: FunctionBuilder, counter: str, state: list[str], rows: str, seen: str | None
    ) -> list[str]:
        graph, sequences = self.graph, self.config["return_sequences"]
        count = len(self.codec.state_sizes(self.cell))
        states, more = state[:count], state[count:]
        x = body.op(
            "TensorListGetItem", body.capture(rows), counter, _sizes(graph.shape(self.x))[1:],
            element_dtype=graph.dtype(self.x),
        )
        output, new = self.codec.step(self.cell, x, states, body)
        if seen is not None:
            rank = len(body.shape(output) or ())
            shown = body.op(
                "TensorListGetItem", body.capture(seen), counter, [-1] + [1] * (rank - 1),
                element_dtype=dtypes.bool_,
            )
            zeros = self.config["zero_output_for_mask"]
            hidden = body.op("ZerosLike", output) if zeros else more[0]
            output = body.op("SelectV2", shown, output, hidden)
            new = [body.op("SelectV2", shown, a, b) for a, b in zip(new, states, strict=True)]
        following = [*new]
        if seen is not None or not sequences:
            following.append(output)
        if sequences:
            following.append(
                body.op(
                    "TensorListSetItem", more[-1], counter, output, element_dtype=body.dtype(output)
                )
            )
        return following

    def _output_shape(self, states: Sequence[str]) -> Any:
        """The output of a step: (batch, ..., size), what is between from the states."""
        like = self.graph.shape(states[0]) or (None,)
        return (None, *like[1:-1], self.codec.output_size(self.cell))

    def _with_rank(self, mask: str, rank: int) -> str:
        """A mask (batch, time) as (batch, time, 1, ...), to select among tensors of ``rank``."""
        graph = self.graph
        if graph.dtype(mask).name != "bool":
            mask = graph.op("Cast", mask, DstT=dtypes.bool_)
        for _ in range(rank + 1 - len(graph.shape(mask) or ())):
            mask = graph.op("ExpandDims", mask, -1)
        return mask


def _sizes(shape: Dims) -> list[int]:
    return [-1 if size is None else size for size in shape or ()]


def _open(shape: Dims) -> Dims:
    """A state's shape in any turn: the batch may be told later."""
    return None if shape is None else (None, *shape[1:])
