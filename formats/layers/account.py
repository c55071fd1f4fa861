"""What became of a graph's nodes: the layer that each stands in, or why it stands in none.

    layer        a layer accounts for it
    operation    an operation of the functional model does
    input        the model's input
    weight       a constant that is a layer's weight
    constant     another one: a number in a config, an axis, a shape
    folded       needed, but its value is known, or it hands on what it gets
    dropped      no output needs it
    unclaimed    neither layer nor operation: recognition stopped there
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.network import Network


@dataclasses.dataclass(frozen=True)
class NodeFate:
    """One node: its name and op, what became of it, and the layer's name and class if any."""

    node: str
    op: str
    fate: str
    layer: str = ""
    class_name: str = ""


def account(view: View, claimed: Mapping[str, str], network: Network) -> list[NodeFate]:
    """The fate of every node, in the graph's order.

    Args:
        view: what was recognised.
        claimed: by node, the name of the layer that accounts for it.
        network: what came of it.
    """
    layers = {layer.name: layer for layer in network.layers}
    weights = {
        tensor.name: layer.name for layer in network.layers for tensor in layer.weights.values()
    }
    inputs = {parse_input(tensor).node for tensor in view.inputs}
    found = []
    for name, node in view.graph.items():
        owner = claimed.get(name) or weights.get(name) or ""
        if name in claimed:
            fate = "operation" if _is_operation(network, claimed[name]) else "layer"
        elif name in inputs:
            fate = "input"
        elif name in weights:
            fate = "weight"
        else:
            fate = _unclaimed_fate(name, node.op, view)
        layer = layers.get(owner)
        kind = "" if layer is None else layer.class_name
        found.append(NodeFate(name, node.op, fate, owner, kind))
    return found


def unclaimed(view: View, nodes: Iterable[str]) -> list[NodeFate]:
    """The fate of every node where recognition stopped at ``nodes``."""
    stopped = set(nodes)
    inputs = {parse_input(tensor).node for tensor in view.inputs}
    return [
        NodeFate(
            name, node.op,
            "unclaimed" if name in stopped else "input" if name in inputs
            else _unclaimed_fate(name, node.op, view, "layer or operation"),
        )
        for name, node in view.graph.items()
    ]  # fmt: skip


def _unclaimed_fate(name: str, op: str, view: View, needed: str = "folded") -> str:
    if op in ("Const", "HostConst") and name in view.visited:
        return "constant"
    if name not in view.visited:
        return "dropped"
    if name in view.live and not view.is_known(name):
        return needed
    return "folded"


def _is_operation(network: Network, name: str) -> bool:
    layer = next((each for each in network.layers if each.name == name), None)
    return layer is not None and (
        layer.is_operation or layer.class_name in ("TFOpLambda", "SlicingOpLambda")
    )
