"""Weights by their canonical names: what a file numbers or names its own way, made one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from modelfmt.errors import ConversionError, MismatchError, located
from modelfmt.layers import cudnn, legacy, lora
from modelfmt.layers.parts import parts_of
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer, Network
from modelfmt.tensor import Tensor

_WITHOUT_CODEC = {"InputLayer"}


def bind(network: Network) -> Network:
    """Give every weight of ``network`` its canonical name, in place; returns ``network``.

    Files state weights in a layer's canonical order; the codec knows the names. The flat list
    of a nested model is shared out among its layers first.

    Raises:
        UnknownLayerError: no codec for a layer.
        MismatchError: a layer's weights are not as many as its config asks for.
    """
    old = network.keras_major == 1
    if old and legacy.is_theano(network):
        network.extras.setdefault("backend", "theano")
    for layer in network.layers:
        with located(key=f'layer "{layer.name}"'):
            if layer.network is not None:
                if layer.weights:
                    (legacy.share_out if old else _share_out)(layer)
                for key in ("backend", "keras_version"):
                    layer.network.extras.setdefault(key, network.extras.get(key))
                bind(layer.network)
            elif layer.models:
                _bind_models(layer, network)
            elif layer.class_name not in _WITHOUT_CODEC:
                if old:
                    legacy.modernise(layer, network.extras.get("keras_version"))
                _bind_layer(layer)
                if network.extras.get("backend") == "theano":
                    _turn_kernels(layer)
                    if layer.class_name == "SReLU":
                        raise ConversionError(
                            "SReLU of the Theano backend clips otherwise than TensorFlow's",
                            hint="Its numbers would differ where a_left is negative.",
                        )
    return network


def prepared(layer: Layer) -> Layer:
    """A copy of a bound layer with its config completed by the codec's defaults."""
    codec = codec_for(layer)
    return dataclasses.replace(layer, config=codec.completed(layer.config, layer.weights))


def _bind_models(layer: Layer, network: Network) -> None:
    """Share a wrapper's weights out among the layers of the model that it holds.

    A .keras file has given them their weights already.
    """
    if len(layer.models) > 1:
        raise ConversionError(f"a {layer.class_name} of several models")
    for model in layer.models.values():
        if layer.weights:
            held = Layer("Functional", model.name, weights=layer.weights, network=model)
            (legacy.share_out if network.keras_major == 1 else _share_out)(held)
        for key in ("backend", "keras_version"):
            model.extras.setdefault(key, network.extras.get(key))
        bind(model)
    collect(layer)


def collect(layer: Layer) -> None:
    """Give a wrapper, in place, the weights of the models that it holds, by their way there."""
    if layer.models:
        found = [
            (f"{place}/{'/'.join(way)}/{name}", tensor, trained and name not in leaf.non_trainable)
            for place, model in layer.models.items()
            for way, leaf, trained in _ways(model)
            for name, tensor in leaf.weights.items()
        ]
        layer.weights = {name: tensor.renamed(name) for name, tensor, _ in found}
        layer.non_trainable = tuple(name for name, _, trained in found if not trained)


def _bind_layer(layer: Layer) -> None:
    turned = cudnn.make_plain(layer)
    codec = codec_for(layer)
    lora.merge(layer)
    codec.settle(layer)
    names = codec.weight_names(codec.completed(layer.config, {}))
    if len(names) != len(layer.weights):
        raise MismatchError(
            "another number of weights than the configuration asks for",
            expected=f"{len(names)} ({', '.join(names)})",
            found=f"{len(layer.weights)} ({', '.join(layer.weights)})",
        )
    stored = zip(names, _in_canonical_order(layer, names), strict=True)
    layer.weights = {name: tensor.renamed(name) for name, tensor in stored}
    if turned:
        cudnn.convert_weights(layer, turned)
    untrained = codec.untrained(codec.completed(layer.config, {}))
    layer.non_trainable = tuple(name for name in names if name in untrained)


def _in_canonical_order(layer: Layer, names: tuple[str, ...]) -> list[Tensor]:
    """The layer's weights in the order of ``names``: by the names they are stored under, where
    those are just these, else as they stand. A file puts what is not trained last.
    """
    stored = {short_name(name): tensor for name, tensor in layer.weights.items()}
    wanted = [short_name(name) for name in names]
    if len(stored) == len(layer.weights) and sorted(stored) == sorted(wanted):
        return [stored[name] for name in wanted]
    return list(layer.weights.values())


def short_name(name: str) -> str:
    """What a weight is called within its layer: ``kernel`` of ``dense/kernel:0``."""
    return name.split(":")[0].rpartition("/")[2]


def _turn_kernels(layer: Layer) -> None:
    """Undo Theano's convention, in place: it convolves where TensorFlow correlates, so its
    kernels are stored turned by half a turn. Source: Keras, ``convert_kernel``.
    """
    codec = codec_for(layer)
    inside = [
        f"{place}/{name}"
        for place, inner in parts_of(layer.config, codec.wraps)
        for name in codec_for(inner).turned_by_theano
    ]
    for name in (*codec.turned_by_theano, *inside):
        if name in layer.weights:
            layer.weights[name] = _turned(layer.weights[name])


def _turned(tensor: Tensor) -> Tensor:
    spatial = (slice(None, None, -1),) * (len(tensor.shape) - 2)
    return tensor.changed(lambda kernel: kernel[spatial])


def _ways(network: Network) -> Iterator[tuple[tuple[str, ...], Layer, bool]]:
    """The layers of a model and of the models in it: the names that lead there, the layer, and
    whether it is trainable.
    """
    for layer in network.layers:
        trainable = layer.config.get("trainable", True) is not False
        if layer.network is not None:
            for way, leaf, inner in _ways(layer.network):
                yield (layer.name, *way), leaf, inner and trainable
        elif layer.class_name not in _WITHOUT_CODEC:
            yield (layer.name,), layer, trainable


def _leaves(network: Network) -> Iterator[tuple[Layer, bool]]:
    """The layers of ``_ways``, and whether each is trainable."""
    return ((leaf, trainable) for _, leaf, trainable in _ways(network))


def _names_of(leaf: Layer) -> tuple[list[str], frozenset[str]]:
    """The names of a layer's weights, and those of them that training does not touch."""
    if leaf.models:
        rows = [
            (f"{place}/{'/'.join(way)}/{name}", trainable and name not in untrained)
            for place, model in leaf.models.items()
            for way, inner, trainable in _ways(model)
            for names, untrained in [_names_of(inner)]
            for name in names
        ]
        return [name for name, _ in rows], frozenset(name for name, trained in rows if not trained)
    codec = codec_for(leaf)
    config = codec.completed(leaf.config, {})
    return list(codec.weight_names(config)), codec.untrained(config)


def _share_out(model: Layer) -> None:
    """Move a nested model's flat weights to its layers: by the names where they tell, else by
    order, which is all trainable weights first, then all the others. Source: Keras,
    ``_legacy_weights``.
    """
    assert_network = model.network
    if assert_network is None:
        return
    leaves = list(_leaves(assert_network))
    wanted: list[tuple[Layer, str, bool]] = []
    for leaf, trainable in leaves:
        names, untrained = _names_of(leaf)
        for name in names:
            wanted.append((leaf, name, trainable and name not in untrained))
    if len(wanted) != len(model.weights):
        raise MismatchError(
            "the nested model has another number of weights than its configuration asks for",
            expected=len(wanted), found=len(model.weights),
        )
    shares = _by_name(model, wanted) or _by_order(model, wanted)
    for leaf, _ in leaves:
        leaf.weights = {}
    for (leaf, name, _), tensor in zip(wanted, shares, strict=True):
        leaf.weights[name] = tensor.renamed(name)
    model.weights = {}


def _by_name(model: Layer, wanted: list[tuple[Layer, str, bool]]) -> list[Tensor] | None:
    """Each wanted weight's tensor, where its stored name says ``.../<layer>/<weight>``."""
    stored: dict[tuple[str, str], Tensor] = {}
    for name, tensor in model.weights.items():
        parts = name.split(":")[0].split("/")
        if len(parts) < 2 or (key := (parts[-2], parts[-1])) in stored:
            return None
        stored[key] = tensor
    keys = [(leaf.name, name) for leaf, name, _ in wanted]
    if len(set(keys)) != len(keys) or any(key not in stored for key in keys):
        return None
    return [stored[key] for key in keys]


def _by_order(model: Layer, wanted: list[tuple[Layer, str, bool]]) -> list[Tensor]:
    tensors = list(model.weights.values())
    order = sorted(range(len(wanted)), key=lambda k: not wanted[k][2])
    shares: list[Tensor] = list(tensors)
    for place, k in enumerate(order):
        shares[k] = tensors[place]
    return shares
