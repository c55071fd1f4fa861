"""A model made ready for a Keras major, and a look whether its masks mean there what they meant.

What a layer does with a mask, and which mask it hands on, differs between Keras 2 and 3 in places:
a merge of masked tensors, a state that is given beside a mask, TimeDistributed. The writer of
graphs knows each major's rules, so the model is written by both, and what deals with masks is
compared layer by layer.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from modelfmt.errors import ConversionError
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
    before = _dealings(network, network.keras_major)
    classes = {layer.name: layer.class_name for layer in network.layers}
    legalise(network, major)
    after = _dealings(network, major)
    if max(network.keras_major, 2) != major and any(map(_makes_mask, network.walk())):
        for layer in network.layers:
            if classes.get(layer.name) != layer.class_name or layer.class_name in _ALIKE:
                continue
            if before.get(layer.name) != after.get(layer.name):
                raise ConversionError(
                    f'layer "{layer.name}": the mask of what a {layer.class_name} is applied to '
                    f"has another effect in Keras {major} than in Keras {network.keras_major}",
                    hint="The numbers would change.",
                )
    return network


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
