"""Claims to network: the layers that claims are calls of, their names, calls and weights.

Claims of the same weights, class and config are calls of one layer. An activation that stands in
its layer's own scope becomes that layer's ``activation``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.activations import activation_of
from modelfmt.layers.codec import Claim, LayerCodec, TensorName
from modelfmt.layers.naming import layer_names, scope_of
from modelfmt.layers.recurrent.lengths import mask_of_lengths
from modelfmt.layers.recurrent.steps import steps_of
from modelfmt.layers.recurrent.unstacking import unstack
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Config, Layer, Network, Ref, Spec, model_order


@dataclasses.dataclass
class Recognised:
    """A claim in place: the codec that made it, and the tensor that it was asked for."""

    codec: LayerCodec
    claim: Claim
    tensor: str

    def yields(self) -> Mapping[str, int]:
        """The tensors that the call yields, and which of its outputs each is."""
        return self.claim.outputs or {self.tensor: 0}

    def specs(self, view: View) -> list[Spec]:
        """What is known of each output; nothing is of those that the graph leaves out."""
        by_index = {index: tensor for tensor, index in self.yields().items()}
        return [
            _spec(by_index[k], view) if k in by_index else Spec(None)
            for k in range(max(by_index) + 1)
        ]

    def layer(self, name: str) -> Layer:
        """The layer claimed, without calls."""
        codec, claim = self.codec, self.claim
        config = codec.completed(dict(claim.config), claim.weights)
        layer = Layer(codec.class_name, name, config, dict(claim.weights))
        layer.non_trainable = tuple(n for n in codec.non_trainable if n in layer.weights)
        if codec.module != LayerCodec.module:
            package = codec.module.split(".")[0]
            layer.extras = {
                "module": codec.module, "registered_name": f"{package}>{codec.class_name}",
            }
        return layer

    @property
    def sharing_key(self) -> object:
        """Claims with equal keys are calls of one layer: the same weights, class and config."""
        if not self.claim.weights:
            return self.tensor
        weights = tuple((id(w.payload), w.shape) for w in self.claim.weights.values())
        config = sorted((key, repr(value)) for key, value in self.claim.config.items())
        return self.codec.class_name, weights, tuple(config)


def assemble(
    found: Sequence[Recognised], view: View, input_names: Mapping[str, str], name: str,
    owners: dict[str, str] | None = None,
) -> Network:  # fmt: skip
    """The Functional network that claims, inputs first, amount to.

    ``owners`` is told the name of the layer that accounts for each node.

    Raises:
        UnrecognisedGraphError: the graph runs in a circle.
    """
    inputs = [_input_layer(tensor, input_names.get(tensor), view) for tensor in view.inputs]
    network = Network(name, layers=[layer for layer, _ in inputs])
    made: dict[str, Ref] = {tensor: Ref(layer.name) for layer, tensor in inputs}
    names = layer_names(found, view)
    taken = {layer.name for layer in network.layers}
    shared = _shared_layers(found, names, taken)
    network.layers += shared.values()
    for item in found:
        layer = shared[item.sharing_key]
        call = _call(item, made, view)
        if item.claim.lengths is not None:
            seen = made[view.resolve(item.claim.lengths)]
            x = view.resolve(item.claim.inputs[0])
            features = (view.shape(x) or (0,))[-1] or 0
            more, call.kwargs["mask"] = mask_of_lengths(
                call.inputs[0], seen, steps_of(x, view), features, layer.name
            )
            network.layers += more
        for stage in item.claim.before:
            call.inputs[:1] = [_staged(stage, call.inputs[0], layer.name, taken, network)]
        for tensor, index in item.yields().items():
            made[tensor] = Ref(layer.name, len(layer.calls), index)
        layer.calls.append(call)
        for stage in item.claim.after:
            made[item.tensor] = _staged(stage, made[item.tensor], layer.name, taken, network)
    network.inputs = [made[tensor] for _, tensor in inputs]
    for tensor in view.outputs:
        if tensor not in made:
            raise UnrecognisedGraphError(
                f'nothing yields the output "{tensor}"', nodes=[parse_input(tensor).node]
            )
    network.outputs = [made[tensor] for tensor in view.outputs]
    scopes = {
        shared[item.sharing_key].name: scope_of(item) for item in found if not item.claim.after
    }
    gone = _fuse_activations(network, scopes)
    if owners is not None:
        for item in found:
            owner = shared[item.sharing_key].name
            owners |= dict.fromkeys(item.claim.nodes, gone.get(owner, owner))
    unstack(network)
    network.layers = model_order(network)
    return network


def _staged(
    stage: tuple[str, Config], source: Ref, beside: str, taken: set[str], network: Network
) -> Ref:
    """Another layer of the same claim, named after the layer that it stands beside."""
    class_name, config = stage
    bare = Layer(class_name, _unused(f"{beside}_{class_name.lower()}", taken, {}), dict(config))
    whole = dataclasses.replace(bare, config=codec_for(bare).completed(bare.config, {}))
    whole.calls = [Call([source])]
    network.layers.append(whole)
    return Ref(whole.name)


def _call(item: Recognised, made: Mapping[str, Ref], view: View) -> Call:
    """One call, its tensors as Refs."""
    claim = item.claim
    if any(view.resolve(tensor) not in made for tensor in claim.read()):
        raise UnrecognisedGraphError(
            f'the graph runs in a circle through "{item.tensor}"', nodes=claim.nodes
        )
    kwargs = {key: _referring(value, made, view) for key, value in claim.kwargs.items()}
    for key, tensors in claim.arguments.items():
        kwargs[key] = [made[view.resolve(tensor)] for tensor in tensors]
    if claim.args is None:
        refs = [made[view.resolve(tensor)] for tensor in claim.inputs]
        call = Call(refs, structure=len(refs) > 1, kwargs=kwargs)
    else:
        call = Call.of([_referring(value, made, view) for value in claim.args], kwargs)
    call.outputs = item.specs(view)
    return call


def _referring(value: Any, made: Mapping[str, Ref], view: View) -> Any:
    """An argument with a Ref in the place of each tensor."""
    if isinstance(value, TensorName):
        return made[view.resolve(value)]
    if isinstance(value, dict):
        return {key: _referring(inner, made, view) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_referring(inner, made, view) for inner in value]
    return value


def _input_layer(tensor: str, called: str | None, view: View) -> tuple[Layer, str]:
    name = (called or parse_input(tensor).node).replace("/", "_")
    spec = _spec(tensor, view)
    config: Config = {
        "batch_shape": None if spec.shape is None else list(spec.shape), "dtype": spec.dtype,
    }
    return Layer("InputLayer", name, config), tensor


def _shared_layers(
    found: Sequence[Recognised], names: Sequence[str], taken: set[str]
) -> dict[object, Layer]:
    """The layers that the claims are calls of, by sharing key, in the claims' order.

    Where several want one name, one with weights gets it.
    """
    chosen: dict[object, str] = {}
    ranked = sorted(zip(found, names, strict=True), key=lambda row: not row[0].claim.weights)
    counts: dict[str, int] = {}
    for item, wanted in ranked:
        key = item.sharing_key
        if key not in chosen:
            chosen[key] = _unused(wanted, taken, counts)
    first = {item.sharing_key: item for item in reversed(found)}
    return {key: first[key].layer(chosen[key]) for key in reversed(first)}


def _unused(name: str, taken: set[str], counts: dict[str, int]) -> str:
    unused = name
    while unused in taken:
        counts[name] = counts.get(name, 0) + 1
        unused = f"{name}_{counts[name]}"
    taken.add(unused)
    return unused


def _spec(tensor: str, view: View) -> Spec:
    dtype = view.dtype(tensor)
    return Spec(view.shape(tensor), dtype.name if dtype else "float32")


def _fuse_activations(network: Network, scopes: dict[str, str]) -> dict[str, str]:
    """Make an activation that stands in its layer's own scope the layer's ``activation``.

    Only where the activation is the sole reader, so that the model's tensors stay what they were.
    The result tells what each activation that is gone went into.
    """
    readers: dict[str, list[Layer]] = {}
    for layer in network.layers:
        for call in layer.calls:
            for ref in call.inputs:
                readers.setdefault(ref.layer, []).append(layer)
    by_name = {layer.name: layer for layer in network.layers}
    outputs = {ref.layer for ref in network.outputs}
    gone: dict[str, str] = {}
    for layer in network.layers:
        function = None if layer.is_operation else activation_of(layer)
        if function is None or len(layer.calls) != 1:
            continue
        source = layer.calls[0].inputs[0].layer
        if source in gone:
            continue
        before = by_name[source]
        if (
            before.config.get("activation") == "linear" and before.class_name != "Activation"
            and scopes.get(before.name) == scopes[layer.name]
            and before.name not in outputs
            and readers.get(before.name) == [layer]
            and len(before.calls) == 1
            and before.config.get("dtype") == layer.config.get("dtype")
        ):
            before.config["activation"] = function
            gone[layer.name] = before.name
    network.layers = [layer for layer in network.layers if layer.name not in gone]

    def follow(ref: Ref) -> Ref:
        return dataclasses.replace(ref, layer=gone.get(ref.layer, ref.layer))

    for layer in network.layers:
        for call in layer.calls:
            call.redirect(follow)
    network.outputs = [follow(ref) for ref in network.outputs]
    return gone
