"""Graph to network: every node claimed by a layer, or named in the error.

The walk starts at the outputs. Each tensor is offered to the codecs whose templates can end in
its op; the claim of the most nodes wins, and a claim is refused where something outside of it
reads one of its interior tensors. What feeds a claim is walked next, down to the inputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Set

from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graph import Node, parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.activations import activation_of
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.mask_recognition import mask_nodes, settle_masks
from modelfmt.layers.naming import layer_names, scope_of
from modelfmt.layers.recurrent.lengths import mask_of_lengths
from modelfmt.layers.recurrent.steps import steps_of
from modelfmt.layers.registry import codecs
from modelfmt.network import Call, Config, Layer, Network, Ref, Spec, model_order


@dataclasses.dataclass
class Recognised:
    """A claim in place: the codec that made it, and the tensor that it yields."""

    codec: LayerCodec
    claim: Claim
    tensor: str

    def yields(self) -> Mapping[str, int]:
        """The tensors that the call yields, and which of its outputs each is."""
        return self.claim.outputs or {self.tensor: 0}


def recognise(
    view: View, input_names: Mapping[str, str] | None = None, name: str = "model"
) -> Network:
    """The layers of a graph, as a Functional Network with bound weights.

    Args:
        view: what to look at.
        input_names: names for the inputs, by tensor; else those of their nodes.
        name: of the model.

    Raises:
        UnrecognisedGraphError: its ``nodes`` are all those that no layer accounts for.
    """
    if not view.outputs:
        raise UnrecognisedGraphError(
            "the graph has no outputs: something reads every tensor", hint="Pass --outputs T,.."
        )
    found = _claims(view)
    settle_masks(found, view)
    called = input_names or {}
    inputs = [_input_layer(tensor, called.get(tensor), view) for tensor in view.inputs]
    names = layer_names(found, view)
    network = Network(name, layers=[layer for layer, _ in inputs])
    made: dict[str, Ref] = {tensor: Ref(layer.name) for layer, tensor in inputs}
    shared = _shared_layers(found, names, {layer.name for layer in network.layers})
    network.layers += shared.values()
    for item in found:
        layer = shared[_sharing_key(item)]
        if any(view.resolve(source) not in made for source in item.claim.read()):
            raise UnrecognisedGraphError(
                f'the graph runs in a circle through "{item.tensor}"', nodes=item.claim.nodes
            )
        call = Call([made[view.resolve(i)] for i in item.claim.inputs])
        call.structure = len(call.inputs) > 1
        for key, tensors in item.claim.arguments.items():
            call.kwargs[key] = [made[view.resolve(tensor)] for tensor in tensors]
        if item.claim.lengths is not None:
            seen = made[view.resolve(item.claim.lengths)]
            steps = steps_of(view.resolve(item.claim.inputs[0]), view)
            more, call.kwargs["mask"] = mask_of_lengths(call.inputs[0], seen, steps, layer.name)
            network.layers += more
        call.outputs = _specs(item, view)
        for tensor, index in item.yields().items():
            made[tensor] = Ref(layer.name, len(layer.calls), index)
        layer.calls.append(call)
    network.inputs = [made[tensor] for _, tensor in inputs]
    network.outputs = [made[tensor] for tensor in view.outputs]
    _fuse_activations(network, {made[item.tensor].layer: scope_of(item) for item in found})
    network.layers = model_order(network)
    return network


def _claims(view: View) -> list[Recognised]:
    """The claims that cover everything between outputs and inputs, inputs first."""
    by_root: dict[str, list[LayerCodec]] = {}
    # Of equal claims the first wins: users' layers go before the built-in ones.
    for codec in sorted(codecs(), key=lambda codec: codec.module == LayerCodec.module):
        for root in codec.roots():
            by_root.setdefault(root, []).append(codec)
    settled: dict[str, Recognised] = {}
    unclaimed: dict[str, None] = {}
    order: list[str] = []
    todo: list[tuple[str, bool]] = [(tensor, False) for tensor in reversed(view.outputs)]
    inputs = set(view.inputs)
    entered: set[str] = set()
    masking: set[str] = set()
    while todo:
        tensor, leaving = todo.pop()
        if leaving:
            order.append(tensor)
            continue
        if tensor in entered or tensor in inputs:
            continue
        entered.add(tensor)
        node = view.producer(tensor)
        if node is None or view.constant(tensor) is not None:
            unclaimed[parse_input(tensor).node] = None
            continue
        best = _best_claim(tensor, by_root.get(node.op, ()), view, masking)
        if best is None:
            unclaimed[node.name] = None
            following: Iterable[str] = _data(node, view)
        else:
            settled[tensor] = best
            entered.update(best.claim.outputs)
            if best.claim.mask is not None:
                masking |= mask_nodes(best.claim.mask, view)
            following = best.claim.read()
        todo.append((tensor, True))
        todo.extend((view.resolve(i), False) for i in reversed(list(following)))
    if unclaimed:
        raise _unrecognised(list(unclaimed), view)
    return [settled[tensor] for tensor in order]


def _best_claim(
    tensor: str, offered: Iterable[LayerCodec], view: View, masking: Set[str]
) -> Recognised | None:
    best: Recognised | None = None
    for codec in offered:
        claim = codec.recognise(tensor, view)
        if claim is None or (best and len(claim.nodes) <= len(best.claim.nodes)):
            continue
        if not _escapes(claim, tensor, view, masking):
            best = Recognised(codec, claim, tensor)
    return best


def _escapes(claim: Claim, tensor: str, view: View, masking: Set[str]) -> bool:
    """Whether something outside the claim reads one of its interior tensors.

    The nodes ``masking`` make masks of layers that are found already.
    """
    inside = set(claim.nodes)
    roots = {parse_input(each).node for each in (tensor, *claim.outputs)}
    return any(
        view.consumers.get(node, set()) - inside - masking
        or any(parse_input(o).node == node for o in view.outputs)
        for node in inside - roots
    )


def _data(node: Node, view: View) -> list[str]:
    """The inputs of an unclaimed node that are worth walking: not the constants."""
    return [i for i in node.inputs if view.constant(i) is None and view.static(i).value is None]


def _unrecognised(nodes: list[str], view: View) -> UnrecognisedGraphError:
    listed = [
        f"{name} ({view.graph[name].op})" for name in nodes if name in view.graph
    ]
    shown = ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
    return UnrecognisedGraphError(
        f"no Keras layer accounts for {len(listed)} node(s): {shown}",
        nodes=nodes,
        hint="Register a codec for them with modelfmt.register_layer, or pass --custom FILE.py.",
    )


def _input_layer(tensor: str, called: str | None, view: View) -> tuple[Layer, str]:
    name = (called or parse_input(tensor).node).replace("/", "_")
    spec = _spec(tensor, view)
    config: Config = {
        "batch_shape": None if spec.shape is None else list(spec.shape), "dtype": spec.dtype,
    }
    return Layer("InputLayer", name, config), tensor


def _layer(item: Recognised, name: str) -> Layer:
    codec, claim = item.codec, item.claim
    config = codec.completed(dict(claim.config), claim.weights)
    layer = Layer(codec.class_name, name, config, dict(claim.weights))
    layer.non_trainable = tuple(n for n in codec.non_trainable if n in layer.weights)
    if codec.module != LayerCodec.module:
        package = codec.module.split(".")[0]
        layer.extras = {
            "module": codec.module, "registered_name": f"{package}>{codec.class_name}",
        }
    return layer


def _shared_layers(
    found: list[Recognised], names: list[str], taken: set[str]
) -> dict[object, Layer]:
    """The layers that the claims are calls of, by sharing key, in the claims' order.

    Where several want one name, one with weights gets it.
    """
    chosen: dict[object, str] = {}
    ranked = sorted(zip(found, names, strict=True), key=lambda row: not row[0].claim.weights)
    for item, wanted in ranked:
        key = _sharing_key(item)
        if key not in chosen:
            chosen[key] = _unused(wanted, taken)
    first = {_sharing_key(item): item for item in reversed(found)}
    return {key: _layer(first[key], chosen[key]) for key in reversed(first)}


def _sharing_key(item: Recognised) -> object:
    """Claims with equal keys are calls of one layer: the same weights, class and config."""
    if not item.claim.weights:
        return item.tensor
    weights = tuple(id(tensor) for tensor in item.claim.weights.values())
    config = sorted((key, repr(value)) for key, value in item.claim.config.items())
    return item.codec.class_name, weights, tuple(config)


def _unused(name: str, taken: set[str]) -> str:
    count, unused = 0, name
    while unused in taken:
        count += 1
        unused = f"{name}_{count}"
    taken.add(unused)
    return unused


def _spec(tensor: str, view: View) -> Spec:
    dtype = view.dtype(tensor)
    return Spec(view.shape(tensor), dtype.name if dtype else "float32")


def _specs(item: Recognised, view: View) -> list[Spec]:
    """What is known of each output; nothing is of those that the graph leaves out."""
    by_index = {index: tensor for tensor, index in item.yields().items()}
    return [
        _spec(by_index[k], view) if k in by_index else Spec(None)
        for k in range(max(by_index) + 1)
    ]


def _fuse_activations(network: Network, scopes: dict[str, str]) -> None:
    """Make an activation that stands in its layer's own scope the layer's ``activation``.

    Only where the activation is the sole reader, so that the model's tensors stay what they were.
    """
    readers: dict[str, list[Layer]] = {}
    for layer in network.layers:
        for call in layer.calls:
            for ref in call.inputs:
                readers.setdefault(ref.layer, []).append(layer)
    outputs = {ref.layer for ref in network.outputs}
    gone: dict[str, str] = {}
    for layer in list(network.layers):
        function = activation_of(layer)
        if function is None or len(layer.calls) != 1:
            continue
        source = layer.calls[0].inputs[0].layer
        if source in gone:
            continue
        before = network.layer(source)
        if (
            before.config.get("activation") == "linear"
            and scopes.get(before.name) == scopes[layer.name]
            and before.name not in outputs
            and readers.get(before.name) == [layer]
            and len(before.calls) == 1
        ):
            before.config["activation"] = function
            gone[layer.name] = before.name
            network.layers.remove(layer)

    def follow(ref: Ref) -> Ref:
        return dataclasses.replace(ref, layer=gone.get(ref.layer, ref.layer))

    for layer in network.layers:
        for call in layer.calls:
            call.inputs = [follow(ref) for ref in call.inputs]
    network.outputs = [follow(ref) for ref in network.outputs]
