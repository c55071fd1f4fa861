"""Recurrent layers: a cell applied step by step in time, as a loop.

    x (batch, time, ...) -> Transpose -> TensorListFromTensor
    StatelessWhile: x_t = TensorListGetItem; output, states = cell(x_t, states); TensorListSetItem
    TensorListStack -> Transpose -> y (batch, time, units), or the last output alone

A mask (batch, time) keeps output and states as they were at the steps that it hides. A stateful
layer starts from zeros at every call: a graph has no memory of the last one.
Source: Keras backend/tensorflow/rnn.py and layers/rnn/rnn.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop
from modelfmt.graphs.view import View
from modelfmt.layers.cells import CellCodec, GRUCell, LSTMCell, SimpleRNNCell, cell_codec
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.extents import extent
from modelfmt.layers.parts import names_of_parts, part, untrained_of_parts
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.layers.rnn_both_ways import MERGING, both_ways
from modelfmt.layers.rnn_recognition import ROOTS, recurrent
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

_LOOP = {
    "return_sequences": False, "return_state": False, "go_backwards": False, "stateful": False,
    "unroll": False, "zero_output_for_mask": False,
}  # fmt: skip


class Recurrent(LayerCodec):
    """What all recurrent layers do, whatever their cell.

    Unrolled or not, and with a memory from call to call or not, a graph computes the same.
    """

    arity = None
    arguments = frozenset({"initial_state"})
    parameters = ("sequences", "initial_state", "mask", "training")
    scopes = ("PartitionedCall", "StatefulPartitionedCall", "while")

    def cell_of(self, layer: Layer) -> Layer:
        """The cell, with its weights."""
        raise NotImplementedError

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Neither unrolled nor stateful."""
        (form,) = super().canonical(layer, shapes)
        form.config = {k: v for k, v in form.config.items() if k not in ("unroll", "stateful")}
        return [form]

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, initial_state: Any = None
    ) -> list[str]:
        """The output, then the states where ``return_state`` asks for them.

        States to start from come as ``initial_state``, or after x in ``inputs``.
        """
        x = inputs[0]
        given = flat(initial_state) or inputs[1:]
        loop = _Loop(layer, self.cell_of(layer), x, graph)
        last, outputs, states = loop.write(given)
        y = outputs if layer.config["return_sequences"] else last
        return [y, *states] if layer.config["return_state"] else [y]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The input's for a whole sequence; none for a last output and for states."""
        passed = graph.masks.get(inputs[0]) if layer.config["return_sequences"] else None
        return [passed, *(None for _ in outputs[1:])]


def flat(states: Any) -> list[str]:
    """The tensors in a state, which may be one, a list, or lists in a list."""
    if states is None:
        return []
    if isinstance(states, list):
        return [tensor for inner in states for tensor in flat(inner)]
    if not isinstance(states, str):
        raise ConversionError("a state that is no tensor", found=f"{states!r:.80}")
    return [states]


class _Loop:
    """The loop of one call."""

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


class _OfOneCell(Recurrent):
    """A layer whose config is that of its cell, and more."""

    cell: ClassVar[type[CellCodec]]
    root_ops = ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        return recurrent(self.class_name, tensor, graph)

    def cell_of(self, layer: Layer) -> Layer:
        config = {key: layer.config[key] for key in self.cell.config}
        return Layer(self.cell.class_name, "cell", config, dict(layer.weights))


def of_cell(cell: type[CellCodec]) -> type[_OfOneCell]:
    """The base of a layer that has this cell's weights and config, and the loop's."""

    class Base(_OfOneCell):
        weights = cell.weights
        optional_weights = cell.optional_weights
        config = {**cell.config, **_LOOP}

    Base.cell = cell
    return Base


@register_layer
class SimpleRNN(of_cell(SimpleRNNCell)):  # type: ignore[misc]
    """SimpleRNN: a SimpleRNNCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "SimpleRNN"


@register_layer
class LSTM(of_cell(LSTMCell)):  # type: ignore[misc]
    """LSTM: an LSTMCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "LSTM"


@register_layer
class GRU(of_cell(GRUCell)):  # type: ignore[misc]
    """GRU: a GRUCell in a loop. Weights, shapes and source as of the cell."""

    class_name = "GRU"


@register_layer
class RNN(Recurrent):
    """RNN: any cell in a loop.

    Weights: those of the cell, as ``cell/kernel``
    Source:  Keras, RNN.call
    """

    class_name = "RNN"
    wraps = ("cell",)
    config = dict(_LOOP)

    def cell_of(self, layer: Layer) -> Layer:
        return part(layer, "cell")


@register_layer
class Bidirectional(LayerCodec):
    """Bidirectional.  y = merge(layer(x), reversed(copy of layer, going backwards, (x)))

    Shapes:  x (batch, time, ...), y (batch, time, 2 units) with merge_mode "concat"
    Weights: forward_layer/kernel, ..., backward_layer/kernel, ...
    Source:  Keras, Bidirectional.call
    """

    class_name = "Bidirectional"
    arity = None
    arguments = frozenset({"initial_state"})
    parameters = ("sequences", "initial_state", "mask", "training")
    config = {"merge_mode": "concat"}
    root_ops = MERGING

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = both_ways(tensor, graph)
        if found is None:
            return None
        config: Config = {"merge_mode": found.mode}
        weights: dict[str, Tensor] = {}
        given: list[str] = []
        ways = dict(zip(_WAYS, (found.forward, found.backward), strict=True))
        for key, way in ways.items():
            inner = Layer(way.class_name, way.class_name.lower(), dict(way.claim.config))
            full = codec_for(inner).completed(inner.config, way.claim.weights)
            zeros = way.claim.config.get("zero_output_for_mask")
            if zeros is None or zeros == full["return_sequences"]:  # as ``_named`` has it
                del full["zero_output_for_mask"]
            config["layer" if key == _WAYS[0] else key] = {
                "module": LayerCodec.module, "class_name": way.class_name,
                "config": {"name": inner.name, **full}, "registered_name": None,
            }  # fmt: skip
            weights.update((f"{key}/{name}", w) for name, w in way.claim.weights.items())
            given.extend(way.claim.inputs[1:])
        forward = found.forward.claim
        inputs = (forward.inputs[0], *given)
        return Claim(inputs, config, weights, found.nodes, forward.mask)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With what each way's layer says, but for its name."""
        whole = dataclasses.replace(layer, config=_both(layer.config))
        config: Config = {"merge_mode": layer.config["merge_mode"]}
        for way in _WAYS:
            inner = part(whole, way)
            (form,) = codec_for(inner).canonical(inner, shapes)
            config[way] = {"class_name": inner.class_name, "config": form.config}
        return [dataclasses.replace(layer, config=config)]

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return names_of_parts(_both(config), _WAYS)

    def untrained(self, config: Config) -> frozenset[str]:
        return untrained_of_parts(_both(config), _WAYS)

    def completed(self, config: Config, weights: Mapping[str, Tensor]) -> Config:
        whole = super().completed(config, weights)
        if "merge_mode" in config:  # None is a mode too
            whole["merge_mode"] = config["merge_mode"]
        return whole

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, initial_state: Any = None
    ) -> list[str]:
        given = flat(initial_state) or inputs[1:]
        whole = dataclasses.replace(layer, config=_both(layer.config))
        made: list[list[str]] = []
        for way in _WAYS:
            inner = part(whole, way)
            codec = codec_for(inner)
            if not isinstance(codec, Recurrent):
                raise ConversionError(f"{inner.class_name} is no recurrent layer")
            half, given = given[: len(given) // (2 - len(made))], given[len(given) // 2 :]
            with graph.scope(inner.name):
                made.append(codec.write(inner, inputs[:1], graph, initial_state=half))
        (forward, *states), (backward, *more) = made
        if _both(layer.config)["forward_layer"]["config"].get("return_sequences"):
            backward = graph.op("ReverseV2", backward, [1])
        return [*_merged(layer.config["merge_mode"], forward, backward, graph), *states, *more]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        count = 1 if layer.config["merge_mode"] else 2
        whole = _both(layer.config)["forward_layer"]["config"].get("return_sequences")
        passed = graph.masks.get(inputs[0]) if whole else None
        return [passed if k < count else None for k in range(len(outputs))]


_WAYS = ("forward_layer", "backward_layer")


def _both(config: Config) -> Config:
    """The config with a layer for each way: the backward one may be stated or not."""
    forward = config.get("layer")
    if not isinstance(forward, dict) or not isinstance(forward.get("config"), dict):
        raise MismatchError("Bidirectional wraps no layer", found=f"{forward!r:.80}")
    backward = config.get("backward_layer")
    if backward is None:
        turned = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = {**forward, "config": turned}
    return {
        "forward_layer": _named("forward_layer", forward),
        "backward_layer": _named("backward_layer", backward),
    }


def _named(name: str, wrapped: Config) -> Config:
    """A way's layer. Unless it says otherwise, a whole sequence is zero at the hidden steps."""
    config = {**wrapped["config"], "name": name}
    if config.get("zero_output_for_mask") is None:
        config["zero_output_for_mask"] = bool(config.get("return_sequences"))
    return {**wrapped, "config": config}


def _merged(mode: str | None, forward: str, backward: str, graph: GraphBuilder) -> list[str]:
    if mode is None:
        return [forward, backward]
    if mode == "concat":
        return [graph.op("ConcatV2", forward, backward, -1, N=2)]
    if mode == "mul":
        return [graph.op("Mul", forward, backward)]
    if mode not in ("sum", "ave"):
        raise ConversionError("unknown merge_mode", found=mode)
    total = graph.op("AddV2", forward, backward)
    return [total if mode == "sum" else graph.op("RealDiv", total, 2.0)]
