"""Stacks of cells as stacks of layers: what one loop computes, as Keras models mostly say it.

    RNN(StackedRNNCells([LSTMCell, GRUCell]))  ->  LSTM(return_sequences=True) -> GRU

A mask goes along from layer to layer and hides the same steps in each. Where a stack goes backwards
under a mask, the mask would have to turn after the first layer: such a stack stays one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from modelfmt.graph import Dims
from modelfmt.layers.parts import part, parts_of
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Config, Layer, Network, Ref, Spec

#: A cell's class -> that of the layer which has its config, and the number of its states.
_LAYERS = {"SimpleRNNCell": ("SimpleRNN", 1), "LSTMCell": ("LSTM", 2), "GRUCell": ("GRU", 1)}
_OF_RNN = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")


def as_layers(layer: Layer) -> list[Layer]:
    """The layers that an RNN is in a row, without calls; itself where it can be no other."""
    held = layer.config.get("cell")
    class_name = held.get("class_name") if isinstance(held, dict) else None
    if class_name in _LAYERS:
        return [_layer(layer, part(layer, "cell"), layer.name, True, True)]
    if class_name != "StackedRNNCells":
        return [layer]
    stack = part(layer, "cell")
    cells = [part(stack, place) for place, _ in parts_of(stack.config, ["cells"])]
    if any(cell.class_name not in _LAYERS for cell in cells):
        return [layer]
    last = len(cells) - 1
    return [
        _layer(layer, cell, f"{layer.name}_{k}", k == 0, k == last) for k, cell in enumerate(cells)
    ]


def _layer(whole: Layer, cell: Layer, name: str, first: bool, last: bool) -> Layer:
    class_name, _ = _LAYERS[cell.class_name]
    config: Config = {**cell.config, **{key: whole.config.get(key, False) for key in _OF_RNN}}
    if not last:
        config.update(return_sequences=True, return_state=False, zero_output_for_mask=False)
    if not first:
        config["go_backwards"] = False
    layer = Layer(class_name, name, config, dict(cell.weights))
    layer.config = codec_for(layer).completed(config, layer.weights)
    return layer


def unstack(network: Network) -> None:
    """Make layers of the stacks of cells in a Functional network, in place."""
    taken = {layer.name for layer in network.layers}
    for layer in list(network.layers):
        if layer.class_name != "RNN" or any("mask" in call.kwargs for call in layer.calls):
            continue
        row = as_layers(layer)
        if row[0] is layer or (layer.config.get("go_backwards") and len(row) > 1):
            continue
        names = {each.name for each in row} - {layer.name}
        if names & taken:
            continue
        _replace(network, layer, row)
        taken |= names


def _replace(network: Network, layer: Layer, row: list[Layer]) -> None:
    counts = [2 if each.class_name == "LSTM" else 1 for each in row]
    used: set[int] = set()
    ends = [(k, j) for k, count in enumerate(counts) for j in range(count)]

    def moved(ref: Ref) -> Ref:
        if ref.layer != layer.name:
            return ref
        if not ref.index:
            return Ref(row[-1].name, ref.call)
        k, j = ends[ref.index - 1]
        used.add(k)
        return Ref(row[k].name, ref.call, 1 + j)

    for call in layer.calls:
        _call(network, call, row, counts)
    network.layers[network.layers.index(layer) : network.layers.index(layer) + 1] = row
    for other in network.layers:
        for call in other.calls:
            call.inputs = [moved(ref) for ref in call.inputs]
            call.kwargs = {key: _moved(value, moved) for key, value in call.kwargs.items()}
    network.inputs = [moved(ref) for ref in network.inputs]
    network.outputs = [moved(ref) for ref in network.outputs]
    for k, each in enumerate(row):
        each.config["return_state"] = k in used
        for call in each.calls:
            call.outputs = call.outputs[: 1 + counts[k] * (k in used)]


def _moved(value: Any, move: Any) -> Any:
    if isinstance(value, Ref):
        return move(value)
    if isinstance(value, list):
        return [_moved(inner, move) for inner in value]
    return value


def _call(network: Network, call: Call, row: list[Layer], counts: list[int]) -> None:
    """One call of a stack, as calls of its layers."""
    x, steps = call.inputs[0], _steps(network, call.inputs[0])
    given = list(call.kwargs.get("initial_state") or ())
    for layer, count in zip(row, counts, strict=True):
        mine = Call([x])
        if given:
            mine.kwargs["initial_state"], given = given[:count], given[count:]
        units = layer.config["units"]
        shape: Dims = (None, steps, units) if layer.config["return_sequences"] else (None, units)
        mine.outputs = [Spec(shape), *[Spec((None, units))] * count]
        x = Ref(layer.name, len(layer.calls))
        layer.calls.append(mine)
    if call.outputs and call.outputs[0].shape is not None:
        last = row[-1].calls[-1]
        last.outputs[0] = dataclasses.replace(call.outputs[0])


def _steps(network: Network, ref: Ref) -> int | None:
    """The number of steps of a sequence, where it is known."""
    layer = network.layer(ref.layer)
    shape: Any = layer.config.get("batch_shape")
    if layer.calls and len(layer.calls[ref.call].outputs) > ref.index:
        shape = layer.calls[ref.call].outputs[ref.index].shape
    return shape[1] if shape is not None and len(shape) == 3 else None
