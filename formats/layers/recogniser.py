"""Graph to network: every node claimed by a layer or an operation, or named in the error.

The walk starts at the outputs. Each tensor is offered to the codecs whose templates can end in
its op; the claim of the most nodes wins, and a claim is refused where something outside of it
reads one of its interior tensors. Where no layer claims a tensor, its node alone may be an
operation (leftovers.py). What feeds a claim is walked next, down to the inputs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graph import Node, parse_input
from modelfmt.graphs.facts import RESHAPING
from modelfmt.graphs.loops import loop_of
from modelfmt.graphs.view import HALF, View
from modelfmt.layers.account import NodeFate, account, unclaimed
from modelfmt.layers.adapting import Shown, check_masks
from modelfmt.layers.assembling import Recognised, assemble
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.leftovers import leftover
from modelfmt.layers.mask_recognition import mask_nodes, settle_masks
from modelfmt.layers.policy_recognition import settle_policies
from modelfmt.layers.registry import codecs, is_ours
from modelfmt.network import Network

__all__ = ["Recognised", "recognise"]


def recognise(
    view: View,
    input_names: Mapping[str, str] | None = None,
    name: str = "model",
    *,
    major: int = 3,
    layers_only: bool = False,
    fates: list[NodeFate] | None = None,
) -> Network:
    """The layers and operations of a graph, as a Functional Network with bound weights.

    Args:
        view: what to look at.
        input_names: names for the inputs, by tensor; else those of their nodes.
        name: of the model.
        major: the Keras major in whose words operations are said, where it has some.
        layers_only: whether a node that no layer claims is an error, never an operation.

        fates: told what becomes of every node, also where recognition stops.

    Raises:
        UnrecognisedGraphError: its ``nodes`` are all those that no layer accounts for.
    """
    if not view.outputs:
        raise UnrecognisedGraphError(
            "the graph has no outputs: something reads every tensor", hint="Pass --outputs T,.."
        )
    owners: dict[str, str] = {}
    try:
        found = _claims(view, () if layers_only else (major, 5 - major))
        makers = settle_masks(found, view)
        settle_policies(found, view)
        network = assemble(found, view, input_names or {}, name, owners)
    except UnrecognisedGraphError as error:
        if fates is not None:
            fates += unclaimed(view, error.nodes)
        raise
    check_masks(network, _shown(found, makers, owners), major)
    if fates is not None:
        fates += account(view, owners, network)
    return network


def _shown(
    found: Sequence[Recognised], makers: Mapping[str, Sequence[str]], owners: Mapping[str, str]
) -> dict[str, Shown]:
    """What the graph shows of the layers that heed masks, by their names."""
    shown: dict[str, Shown] = {}
    for item in found:
        if item.tensor in makers or item.claim.zeroes is not None:
            name = owners[parse_input(item.tensor).node]
            heeds = {owners[parse_input(each).node] for each in makers.get(item.tensor, ())}
            before = shown.get(name)
            shown[name] = Shown(
                frozenset(heeds | (before.heeds if before else set())), item.claim.zeroes
            )
    return shown


def _claims(view: View, majors: Sequence[int]) -> list[Recognised]:
    """The claims that cover everything between outputs and inputs, inputs first."""
    by_root: dict[str, list[LayerCodec]] = {}
    # Of equal claims the first wins: users' layers go before the built-in ones.
    for codec in sorted(codecs(), key=is_ours):
        for root in codec.roots():
            by_root.setdefault(root, []).append(codec)
    owners: dict[str, str] = {}
    while (claims := _walked(by_root, owners, view, majors)) is None:
        pass
    return claims


def _walked(
    by_root: Mapping[str, list[LayerCodec]], owners: dict[str, str], view: View,
    majors: Sequence[int],
) -> list[Recognised] | None:  # fmt: skip
    """The claims, the tensors in ``owners`` being further outputs of what yields others.

    None where the walk met a tensor before the layer that yields it with others: the layer is in
    ``owners`` now, and the walk is to be taken again.
    """
    unclaimed: dict[str, str | None] = {}
    order: list[Recognised] = []
    todo: list[tuple[str, list[Recognised] | None]] = [(t, None) for t in reversed(view.outputs)]
    inputs = set(view.inputs)
    entered: set[str] = set()
    masking: set[str] = set()
    while todo:
        tensor, leaving = todo.pop()
        if leaving is not None:
            order += leaving
            continue
        tensor = owners.get(tensor, tensor)
        if tensor in entered or tensor in inputs:
            continue
        entered.add(tensor)
        node = view.producer(tensor)
        if node is None or view.constant(tensor) is not None:
            unclaimed[parse_input(tensor).node] = None
            continue
        best = _best_claim(tensor, by_root.get(node.op, ()), view, masking)
        if node.op == "Cast":
            best = _narrowed(tensor, node, by_root, view, masking) or best
        claimed = [best] if best is not None else leftover(tensor, view, majors)
        if not claimed:
            unclaimed[node.name] = None
            following = _data(node, view)
            if (left := loop_of(tensor, view)) is not None:
                inside, following = left[0].nodes()
                unclaimed |= dict.fromkeys(sorted(inside), left[0].name)
                entered |= inside
        else:
            following = _read(claimed)
            for item in claimed:
                others = {other: tensor for other in item.yields() if other != tensor}
                late = [other for other in others if other in entered and other not in owners]
                if best is not None:
                    owners |= others
                    if late:
                        return None
                entered.update(item.yields())
                for mask in item.claim.heeded():
                    masking |= mask_nodes(mask, view)
        todo.append((tensor, claimed))
        todo.extend((view.resolve(i), None) for i in reversed(following))
    if unclaimed:
        raise _unrecognised(unclaimed, view)
    return order


def _read(claimed: list[Recognised]) -> list[str]:
    """What claims in a row read that none of them makes."""
    made = {tensor for item in claimed for tensor in item.yields()}
    return [tensor for item in claimed for tensor in item.claim.read() if tensor not in made]


def _best_claim(
    tensor: str, offered: Iterable[LayerCodec], view: View, masking: Set[str]
) -> Recognised | None:
    best: Recognised | None = None
    for codec in offered:
        claim = codec.recognise(tensor, view)
        if claim is None or (best and not _is_better(claim, best.claim, view)):
            continue
        if not _escapes(claim, tensor, view, masking):
            best = Recognised(codec, claim, tensor)
    return best


def _narrowed(
    tensor: str, cast: Node, by_root: Mapping[str, list[LayerCodec]], view: View, masking: Set[str]
) -> Recognised | None:
    """A layer of half precision that computes in float32 and casts in the end."""
    inner = view.producer(cast.inputs[0])
    if inner is None or view.dtype(tensor) not in HALF:
        return None
    offered = [codec for codec in by_root.get(inner.op, ()) if codec.computes_in_float32]
    best = _best_claim(view.resolve(cast.inputs[0]), offered, view, masking)
    if best is None or view.dtype(best.claim.inputs[0]) is not view.dtype(tensor):
        return None
    claim = dataclasses.replace(best.claim, nodes=(cast.name, *best.claim.nodes))
    if _escapes(claim, tensor, view, masking):
        return None
    return Recognised(best.codec, claim, tensor)


def _is_better(claim: Claim, best: Claim, view: View) -> bool:
    """Whether a claim accounts for more than the best so far: more than other shapes around it."""
    if len(claim.nodes) <= len(best.nodes):
        return False
    weights = {id(weight) for weight in best.weights.values()}
    if not weights or {id(weight) for weight in claim.weights.values()} != weights:
        return True
    more = set(claim.nodes) - set(best.nodes)
    return not more or any(view.graph[node].op not in RESHAPING for node in more)


def _escapes(claim: Claim, tensor: str, view: View, masking: Set[str]) -> bool:
    """Whether something outside the claim reads one of its interior tensors.

    The nodes ``masking`` make masks of layers that are found already.
    """
    inside = set(claim.nodes)
    roots = {parse_input(each).node for each in (tensor, *claim.outputs)}
    return any(
        view.consumers.get(node, set()) - inside - masking or node in view.output_nodes
        for node in inside - roots
    )


def _data(node: Node, view: View) -> list[str]:
    """The inputs of an unclaimed node that are worth walking: not the constants."""
    return [i for i in node.inputs if view.constant(i) is None and view.static(i).value is None]


def _unrecognised(nodes: Mapping[str, str | None], view: View) -> UnrecognisedGraphError:
    """The error that names the nodes; those of a loop as the loop, whose name they come with."""
    listed = [
        f"{name} ({view.graph[name].op})" for name, loop in nodes.items()
        if loop is None and name in view.graph and not _leaves_one(name, nodes, view)
    ]  # fmt: skip
    loops = Counter(loop for loop in nodes.values() if loop is not None)
    listed = [f'the loop "{name}" ({size} nodes)' for name, size in loops.items()] + listed
    shown = ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
    return UnrecognisedGraphError(
        f"no Keras layer accounts for {len(nodes)} node(s): {shown}",
        nodes=list(nodes),
        hint="Register a codec for them with modelfmt.register_layer, or pass --custom FILE.py.",
    )


def _leaves_one(name: str, nodes: Mapping[str, str | None], view: View) -> bool:
    """Whether a node only hands out what one of these loops results in."""
    left = loop_of(name, view)
    return left is not None and left[0].name in nodes.values()
