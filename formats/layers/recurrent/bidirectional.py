"""Bidirectional: two recurrent layers on one input, of which one goes backwards.

    y = merge(forward(x), ReverseV2(backward(x), [1]))        all outputs
    y = merge(forward(x), backward(x))                        the last one of each

    merge: ConcatV2 along the last axis; AddV2; Mul; AddV2 and half of it; none

Source: Keras, Bidirectional.call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims, Node, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.parts import names_of_parts, part, untrained_of_parts
from modelfmt.layers.recurrent.claims import recurrent
from modelfmt.layers.recurrent.endings import ROOTS, ending_of
from modelfmt.layers.recurrent.rnn import Recurrent
from modelfmt.layers.recurrent.sequences import turned_by
from modelfmt.layers.recurrent.unrolled import UNROLLED
from modelfmt.layers.recurrent.writing import flat
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

#: The ops that the output of a Bidirectional may be made by: a merge, else what a way ends in.
MERGING = frozenset({"ConcatV2", "AddV2", "Mul", "RealDiv"})
_TURNING = frozenset({"ReverseV2", "ReverseSequence"})


@dataclasses.dataclass(frozen=True)
class Way:
    """One of the two layers, its class and its claim."""

    class_name: str
    claim: Claim

    def states(self) -> dict[str, int]:
        """Which of the states each tensor is, of those that something reads."""
        return {t: k - 1 for t, k in self.claim.outputs.items() if k}

    def state_count(self) -> int:
        return 2 if self.class_name == "LSTM" else 1


@dataclasses.dataclass(frozen=True)
class BothWays:
    """What was recognised.

    Attributes:
        mode: how the outputs are merged; None where they are not.
        forward, backward: the two layers.
        nodes: every node of it.
        outputs: the tensors that it yields, and which of its outputs each is.
    """

    mode: str | None
    forward: Way
    backward: Way
    nodes: tuple[str, ...]
    outputs: Mapping[str, int]


def both_ways(tensor: str, view: View) -> BothWays | None:
    """The Bidirectional layer of which ``tensor`` is an output, or None."""
    tensor = view.resolve(tensor)
    for merge in _merges(tensor, view):
        for mode, first, second, merging in _merged(merge, view):
            found = _of_two(mode, merge, first, second, merging, view)
            if found is not None and tensor in found.outputs:
                return found
    return _unmerged(tensor, view)


def _of_two(
    mode: str | None, merge: str, first: str, second: str, merging: tuple[str, ...], view: View
) -> BothWays | None:
    """The layer whose ways yield ``first`` and, turned back where it is a sequence, ``second``."""
    forward = _way(first, view)
    if forward is None:
        return None
    sequences = bool(forward.claim.config["return_sequences"])
    turned = _turned_back(second, view) if sequences else (second, (), None)
    backward = _way(turned[0], view) if turned else None
    if turned is None or backward is None or not _are_opposite(forward, backward):
        return None
    if turned[2] is not None and turned[2] != backward.claim.lengths:
        return None
    outputs = {merge: 0} if mode is not None else {first: 0, second: 1}
    count = len(outputs)
    for start, way in ((count, forward), (count + forward.state_count(), backward)):
        outputs.update((name, start + k) for name, k in way.states().items())
    nodes = (*merging, *turned[1], *forward.claim.nodes, *backward.claim.nodes)
    return BothWays(mode, forward, backward, tuple(dict.fromkeys(nodes)), outputs)


def _merges(tensor: str, view: View) -> list[str]:
    """Where the ways may be merged: in ``tensor``, or in what reads the results of its loop."""
    node = view.producer(tensor)
    found = [tensor] if node is not None and node.op in MERGING else []
    way = _way(tensor, view)
    todo = list(way.claim.outputs) if way is not None else []
    for _ in range(3 if way is not None else 0):
        readers = [r for t in todo for r in sorted(view.consumers.get(parse_input(t).node, ()))]
        found += [r for r in readers if view.live[r].op in MERGING]
        todo = [r for r in readers if view.live[r].op in MERGING | _TURNING]
    return list(dict.fromkeys(found))


def _unmerged(tensor: str, view: View) -> BothWays | None:
    """The layer whose outputs nothing merges, where ``tensor`` is one of them.

    Of a layer that goes backwards alone, nobody turns the outputs back.
    """
    turned = _turned_back(tensor, view)
    second = _way(turned[0], view) if turned else None
    if second is not None and second.claim.config["go_backwards"]:
        pairs = [(first, tensor) for first in _beside(second, view)]
    else:
        forward = _way(tensor, view)
        if forward is None or not forward.claim.config["return_sequences"]:
            return None
        pairs = [
            (name, reader)
            for name, k in forward.claim.outputs.items() if not k
            for backward in _beside(forward, view)
            for reader in sorted(view.consumers.get(parse_input(backward).node, ()))
            if view.live[reader].op in _TURNING
        ]  # fmt: skip
    for one, other in pairs:
        found = _of_two(None, "", one, other, (), view)
        if found is not None and tensor in found.outputs:
            return found
    return None


def _beside(way: Way, view: View) -> list[str]:
    """The sequences of outputs of other loops over the same sequence as this one."""
    loops = [name for name, node in view.live.items() if node.op == "Transpose"]
    found = []
    for name in loops:
        ending = ending_of(name, view)
        other = _way(name, view) if ending is not None and ending.sequences else None
        if other is not None and other.claim.inputs == way.claim.inputs:
            found += [t for t, k in other.claim.outputs.items() if not k]
    return [name for name in dict.fromkeys(found) if name not in way.claim.outputs]


def _way(tensor: str, view: View) -> Way | None:
    for class_name in ("SimpleRNN", "LSTM", "GRU"):
        claim = recurrent(class_name, tensor, view)
        if claim is not None:
            return Way(class_name, claim)
    return None


def _are_opposite(forward: Way, backward: Way) -> bool:
    """Whether two layers go through one sequence, the first from its start, the other back."""
    one, other = forward.claim, backward.claim
    return (
        one.inputs[0] == other.inputs[0] and bool(one.arguments) == bool(other.arguments)
        and not one.config["go_backwards"] and bool(other.config["go_backwards"])
        and one.config["return_sequences"] == other.config["return_sequences"]
        and one.mask == other.mask and one.lengths == other.lengths
        and one.kwargs == other.kwargs
    )  # fmt: skip


def _turned_back(tensor: str, view: View) -> tuple[str, tuple[str, ...], str | None] | None:
    """The sequence whose reverse in time ``tensor`` is, the node that turns it, by what lengths."""
    node = view.producer(tensor)
    if node is None:
        return None
    if node.op == "ReverseV2" and view.ints(node.inputs[1]) == [1]:
        return view.resolve(node.inputs[0]), (node.name,), None
    by = turned_by(tensor, view, 1)
    return (by[0], (node.name,), by[1]) if by is not None else None


def _merged(tensor: str, view: View) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Each way to read a merge: its mode, the two operands, its nodes."""
    node = view.producer(tensor)
    if node is None:
        return
    if node.op == "ConcatV2":
        shape, axis = view.shape(tensor), view.scalar(node.inputs[-1])
        last = axis == -1 or (shape is not None and axis == len(shape) - 1)
        if len(node.inputs) == 3 and last:
            yield "concat", *_two(node, view), (node.name,)
        return
    summed = _halved(node, view)
    modes = {"AddV2": ("sum", node), "Mul": ("mul", node)}
    found = ("ave", summed) if summed is not None else modes.get(node.op)
    if found is None:
        return
    mode, total = found
    first, second = _two(total, view)
    for a, b in ((first, second), (second, first)):
        yield mode, a, b, tuple(dict.fromkeys((node.name, total.name)))


def _halved(node: Node, view: View) -> Node | None:
    """The sum of which a node is half."""
    for operand, factor in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
        half = {"RealDiv": 2.0, "Mul": 0.5}.get(node.op)
        total = view.producer(operand)
        if half is not None and view.scalar(factor) == half and total and total.op == "AddV2":
            return total
    return None


def _two(node: Node, view: View) -> tuple[str, str]:
    return view.resolve(node.inputs[0]), view.resolve(node.inputs[1])


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
    root_ops = MERGING | ROOTS | _TURNING | UNROLLED

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = both_ways(tensor, graph)
        if found is None:
            return None
        config: Config = {"merge_mode": found.mode}
        weights: dict[str, Tensor] = {}
        given: list[str] = []
        ways = dict(zip(_WAYS, (found.forward, found.backward), strict=True))
        states = any(way.states() for way in ways.values())
        for key, way in ways.items():
            said = {**way.claim.config, "return_state": states}
            inner = Layer(way.class_name, way.class_name.lower(), said)
            full = codec_for(inner).completed(inner.config, way.claim.weights)
            zeros = way.claim.config.get("zero_output_for_mask")
            if zeros is None or zeros == full["return_sequences"]:  # as ``_named`` has it
                del full["zero_output_for_mask"]
            config["layer" if key == _WAYS[0] else key] = {
                "module": LayerCodec.module, "class_name": way.class_name,
                "config": {"name": inner.name, **full}, "registered_name": None,
            }  # fmt: skip
            weights.update((f"{key}/{name}", w) for name, w in way.claim.weights.items())
            given.extend(way.claim.arguments.get("initial_state", ()))
        forward = found.forward.claim
        return Claim(
            forward.inputs, config, weights, found.nodes, forward.mask, forward.lengths,
            found.outputs, {"initial_state": tuple(given)} if given else {},
            kwargs=forward.kwargs,
        )  # fmt: skip

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
        return [*_written(layer.config["merge_mode"], forward, backward, graph), *states, *more]

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


def _written(mode: str | None, forward: str, backward: str, graph: GraphBuilder) -> list[str]:
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
