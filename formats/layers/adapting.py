"""A model made ready for a Keras major, and a look whether its masks mean there what they meant.

What a layer does with a mask, and which mask it hands on, differs between Keras 2 and 3 in places:
a merge of masked tensors, a state that is given beside a mask, TimeDistributed. The writer of
graphs knows each major's rules, so the model is written by both, and what deals with masks is
compared layer by layer. A graph shows its masks where they are used: of layers recognised in one,
what the major would write is compared with that.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Container, Mapping

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graph import parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.legalise import legalise
from modelfmt.layers.writer import write_network
from modelfmt.network import Layer, Network

#: What masks are made into and of.
_OPS = frozenset({"SelectV2", "LogicalOr", "LogicalAnd", "LogicalNot", "All", "Any", "Fill"})
_LOOPS = frozenset({"While", "StatelessWhile"})
#: Layers that make a mask, the same one in both, each in its own way.
_MAKERS = frozenset({"Masking", "Embedding"})
#: Layers that each major writes in its own way, to the same effect.
_ALIKE = _MAKERS | {"Attention", "AdditiveAttention"}

_Dealings = dict[str, Counter[str]]


def adapt(network: Network, major: int) -> Network:
    """Say a bound network, in place, as Keras ``major`` can; all shapes are inferred.

    Raises:
        ConversionError: a mask would have another effect there; or as ``legalise``.
    """
    rules = network.mask_major or network.keras_major
    before = _dealings(network, rules)
    classes = {layer.name: layer.class_name for layer in network.layers}
    legalise(network, major)
    after = _dealings(network, major)
    if max(rules, 2) != major and any(map(_makes_mask, network.walk())):
        for layer in network.layers:
            if classes.get(layer.name) != layer.class_name or layer.class_name in _ALIKE:
                continue
            if before.get(layer.name) != after.get(layer.name):
                raise ConversionError(
                    f'layer "{layer.name}": the mask of what a {layer.class_name} is applied to '
                    f"has another effect in Keras {major} than in Keras {rules}",
                    hint="The numbers would change.",
                )
    return network


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a graph shows of a layer: whose masks it heeds, by the layers' names, and whether it
    sets what they hide to 0 after a softmax, where it tells.
    """

    heeds: frozenset[str]
    zeroes: bool | None


def check_masks(network: Network, shown: Mapping[str, Shown], major: int) -> None:
    """See that Keras ``major`` would deal with masks as the graph does that layers are from.

    Args:
        network: bound, recognised in a graph; told that its masks follow the rules of ``major``.
        shown: what that shows of the layers that heed masks, by name.
        major: of Keras.

    Raises:
        ConversionError: a layer would get other masks there, or do something else with them.
    """
    makers = {layer.name for layer in network.layers if _makes_mask(layer)}
    if not makers and all(each.zeroes is None for each in shown.values()):
        return
    graph = GraphBuilder()
    write_network(dataclasses.replace(network, keras_major=major), graph)
    heeds: dict[str, set[str]] = {}
    zeroes: set[str] = set()
    names = {layer.name for layer in network.layers}
    for name, node in graph.items():
        layer = _layer_of(name, names)
        for tensor in node.data_inputs:
            maker = _layer_of(parse_input(tensor).node, names)
            if maker in makers - {layer} and graph.dtype(tensor) is dtypes.bool_:
                heeds.setdefault(layer, set()).add(maker)
        if node.op == "SelectV2" and _is_zero(graph, node.data_inputs[2]):
            zeroes.add(layer)
    network.mask_major = major
    for layer in sorted(names):
        got, each = heeds.get(layer, set()), shown.get(layer, Shown(frozenset(), None))
        if each.heeds == got and (each.zeroes is None or each.zeroes == (layer in zeroes)):
            continue
        why = (
            f"Keras {major} would hand it the masks of {sorted(got)}, the graph shows "
            f"{sorted(each.heeds)}" if each.heeds != got
            else f"Keras {major} treats what sees nothing otherwise than the graph"
        )  # fmt: skip
        raise ConversionError(
            f'layer "{layer}": its masks have another effect in Keras {major}: {why}',
            hint="The numbers would change.",
        )


def _layer_of(node: str, names: Container[str]) -> str:
    """The layer in whose scope a node stands; each further call of one has a number."""
    parts = node.split("/")
    for size in range(len(parts), 0, -1):
        scope = "/".join(parts[:size])
        for name in (scope, re.sub(r"(_\d+)+$", "", scope)):
            if name in names:
                return name
    return parts[0]


def _is_zero(graph: GraphBuilder, tensor: str) -> bool:
    value = graph.static(tensor).value
    return value is not None and value.size == 1 and value.item() == 0


def _makes_mask(layer: Layer) -> bool:
    """Whether a layer makes a mask, or wraps one that does."""
    return layer.class_name in _MAKERS or any(
        isinstance(held := layer.config.get(key), dict) and held.get("class_name") in _MAKERS
        for key in ("layer", "cell")
    ) or any(_makes_mask(inner) for model in layer.models.values() for inner in model.walk())


def _dealings(network: Network, major: int) -> _Dealings:
    """What each layer does with masks, by the rules of a major: how many ops of each type."""
    graph = GraphBuilder()
    write_network(dataclasses.replace(network, keras_major=major), graph)
    found: _Dealings = {}
    for name, node in graph.items():
        of_layer = found.setdefault(name.split("/")[0], Counter())
        if node.op in _OPS:
            of_layer[node.op] += 1
        elif node.op in _LOOPS:
            of_layer[node.op] += len(node.inputs)
    return found
