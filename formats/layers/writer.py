"""Network to graph: every layer written by its codec, in inference mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError, located
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.codec import LayerCodec, TensorName, require_inputs
from modelfmt.layers.policies import write_under_policy
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Config, Layer, Network, Ref, Spec, model_order, parents

#: Told of every call of a layer with a codec: the completed layer as the codec sees it, the
#: layer of the network, and the names of the tensors that go in and come out.
Listener = Callable[[Layer, Layer, list[str], list[str]], None]


def write_network(
    network: Network, graph: GraphBuilder, listener: Listener | None = None
) -> list[str]:
    """Emit a whole model: Placeholders named as its inputs, and an Identity for each output.

    The Identities bear the Keras output names and are the graph's only sinks, in the model's
    order. ``network`` must be bound (``modelfmt.layers.bind``).

    Returns:
        The output tensors' names.

    Raises:
        UnknownLayerError: a layer without a codec.
        ConversionError: a configuration that its codec cannot write.
        MismatchError: a model or a call that makes no sense.
    """
    if not network.outputs:
        raise MismatchError(f'the model "{network.name}" has no outputs')
    graph.keras_major = max(network.keras_major, 2)  # Keras 1 is read as Keras 2
    inputs = [_placeholder(network.layer(ref.layer), graph) for ref in network.inputs]
    outputs = write_layers(network, inputs, graph, listener)
    ends = [
        graph.op("Identity", tensor, name=ref.layer)
        for ref, tensor in zip(network.outputs, outputs, strict=True)
    ]
    # A nested model may make more tensors than the outer one takes.
    graph.keep_only(ends)
    return ends


def infer_specs(network: Network) -> None:
    """Fill in ``Call.outputs`` of every layer, by writing the model to a graph and looking."""
    write_network(network, GraphBuilder())


def _placeholder(layer: Layer, graph: GraphBuilder) -> str:
    shape = layer.config.get("batch_shape")
    dtype = layer.config.get("dtype") or "float32"
    with located(key=f'layer "{layer.name}"'):
        if not isinstance(dtype, str) or layer.config.get("sparse") or layer.config.get("ragged"):
            raise ConversionError("only dense inputs of a plain dtype can be written")
        return graph.placeholder(layer.name, dtypes.from_name(dtype), _dims(shape))


def _dims(shape: Any) -> Dims:
    if shape is None:
        return None
    if not isinstance(shape, list | tuple) or not all(
        size is None or (type(size) is int and size >= 0) for size in shape
    ):
        raise MismatchError(
            "not the shape of a tensor", expected="a list of sizes, null where unknown", found=shape
        )
    return tuple(shape)


def write_layers(
    network: Network, inputs: Sequence[str], graph: GraphBuilder, listener: Listener | None = None
) -> list[str]:
    """Emit the layers of a model; recursive.

    Args:
        network: bound.
        inputs: what stands for its inputs.
        graph: where the nodes go.
        listener: see Listener.

    Returns:
        The tensors of the model's outputs.
    """
    tensors: dict[Ref, str] = dict(zip(network.inputs, inputs, strict=True))
    names = {layer.name for layer in network.layers}
    for layer, index in _schedule(network):
        if Ref(layer.name, index) in tensors:
            _note_specs(layer, index, [tensors[Ref(layer.name, index)]], graph)
            continue
        scope = layer.name
        while index and scope in names:
            scope = f"{layer.name}_{index}" if scope == layer.name else f"{scope}_{index}"
        with located(key=f'layer "{layer.name}"'), graph.scope(scope):
            if index >= len(layer.calls):
                raise MismatchError("the layer is never called, and is no input of the model")
            call = layer.calls[index]
            if not parents(layer, index):
                raise MismatchError("the layer is called on nothing")
            if layer.network is None and (codec := codec_for(layer)).takes_literals:
                made = _write_operation(layer, index, codec, tensors, graph, listener)
            else:
                taken, given = _arguments(layer, call, tensors)
                made = _write_call(layer, taken, given, graph, listener)
        _note_specs(layer, index, made, graph)
        for k, tensor in enumerate(made):
            tensors[Ref(layer.name, index, k)] = tensor
    return [_made(tensors, ref) for ref in network.outputs]


def _arguments(layer: Layer, call: Call, tensors: dict[Ref, str]) -> tuple[list[str], Config]:
    """The tensors that a layer is applied to, and what else the call says, by name."""
    parameters = codec_for(layer).parameters if layer.network is None else ()
    if not parameters:
        taken = [_made(tensors, ref) for ref in call.inputs]
        given = {key: _resolved(value, tensors) for key, value in call.kwargs.items()}
    else:
        args, given = (_resolved(part, tensors) for part in call.arguments())
        if len(args) > len(parameters):
            raise MismatchError(
                f"{layer.class_name} takes fewer arguments", expected=f"at most {len(parameters)}",
                found=len(args),
            )
        given = {**dict(zip(parameters, args, strict=False)), **given}
        first = given.pop(parameters[0], None)
        taken = first if isinstance(first, list) else [] if first is None else [first]
    if not taken or not all(isinstance(tensor, str) for tensor in taken):
        raise MismatchError("the layer is called on nothing")
    return taken, given


def _made(tensors: dict[Ref, str], ref: Ref) -> str:
    if ref not in tensors:
        raise MismatchError(
            f'output {ref.index} of call {ref.call} of layer "{ref.layer}" is made by no layer'
        )
    return tensors[ref]


def _resolved(value: Any, tensors: dict[Ref, str]) -> Any:
    """An argument of a call with the names of tensors in the place of Refs."""
    if isinstance(value, Ref):
        return TensorName(_made(tensors, value))
    if isinstance(value, list | tuple):
        return [_resolved(inner, tensors) for inner in value]
    if isinstance(value, dict):
        return {key: _resolved(inner, tensors) for key, inner in value.items()}
    return value


def _write_call(
    layer: Layer, inputs: list[str], given: Config, graph: GraphBuilder, listener: Listener | None
) -> list[str]:
    given = {key: value for key, value in given.items() if value is not None and key != "training"}
    if layer.network is not None:
        with _masked(inputs, given.pop("mask", None), graph) as applied:
            _require_known(given, frozenset())
            return write_layers(layer.network, applied, graph, listener)
    if layer.class_name == "InputLayer":
        raise MismatchError("an InputLayer that is no input of its model")
    completed = prepared(layer)
    codec = codec_for(layer)
    mask = None if "mask" in codec.arguments else given.pop("mask", None)
    _require_known(given, codec.arguments)
    if codec.arity is not None:
        require_inputs(layer, inputs, codec.arity)
    with _masked(inputs, mask, graph) as applied:
        if mask is None and _drops_masks(codec, given, graph):
            with _masked(inputs, [None] * len(inputs), graph):
                made = write_under_policy(completed, codec, applied, given, graph)
        else:
            made = write_under_policy(completed, codec, applied, given, graph)
        made = _with_masks(made, codec.masks(completed, applied, made, graph), graph)
    if listener is not None:
        _tell(listener, completed, layer, inputs, given, made)
    return made


def _drops_masks(codec: LayerCodec, given: Config, graph: GraphBuilder) -> bool:
    """Whether the layer does not see the masks of its inputs: Keras 3 fills ``mask`` in where a
    call passes one tensor only, and where there are more, those called ``<argument>_mask``.
    Source: Keras, Layer.__call__.
    """
    named = any(argument.endswith("_mask") for argument in codec.arguments)
    return graph.keras_major == 3 and bool(_tensors_in(given)) and not named


def _tell(
    listener: Listener, completed: Layer, layer: Layer, inputs: list[str], given: Config,
    made: list[str],
) -> None:  # fmt: skip
    """Tell of a call; what it passes by name is in the config, its tensors among the inputs."""
    said = {key: value for key, value in given.items() if value is not False}
    if said:
        inputs = list(dict.fromkeys([*inputs, *_tensors_in(said)]))
        places = {name: k for k, name in enumerate(inputs)}
        config = {**completed.config, "kwargs": _placed(said, places)}
        completed = dataclasses.replace(completed, config=config)
    listener(completed, layer, inputs, made)


def _tensors_in(value: Any) -> list[str]:
    """The tensors among a call's arguments, in order."""
    if isinstance(value, TensorName):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [name for inner in value for name in _tensors_in(inner)]
    return []


def _write_operation(
    layer: Layer, index: int, codec: LayerCodec, tensors: dict[Ref, str], graph: GraphBuilder,
    listener: Listener | None,
) -> list[str]:  # fmt: skip
    """One call of what takes literals and tensors alike.

    The listener's layer has the call's literals in its config: they tell two calls apart.
    """
    args, kwargs = (_resolved(part, tensors) for part in layer.calls[index].arguments())
    completed = prepared(layer)
    inputs = list(dict.fromkeys(_made(tensors, ref) for ref in parents(layer, index)))
    made = codec.write_call(completed, args, kwargs, graph)
    made = _with_masks(made, codec.masks(completed, inputs, made, graph), graph)
    if listener is not None:
        places = {name: k for k, name in enumerate(inputs)}
        said = {"args": _placed(args, places), "kwargs": _placed(kwargs, places)}
        listener(
            dataclasses.replace(completed, config={**completed.config, **said}),
            layer, inputs, made,
        )  # fmt: skip
    return made


def _placed(value: Any, places: dict[str, int]) -> Any:
    """``value`` with the number of its input in the place of each tensor."""
    if isinstance(value, TensorName):
        return {"tensor": places[value]}
    if isinstance(value, list):
        return [_placed(inner, places) for inner in value]
    if isinstance(value, dict):
        return {key: _placed(inner, places) for key, inner in value.items()}
    return value


def _require_known(given: Config, known: Container[str]) -> None:
    unknown = sorted(key for key in given if key not in known)
    if unknown:
        raise ConversionError(
            "this way of calling a layer cannot be written yet", found=", ".join(unknown)
        )


@contextmanager
def _masked(inputs: list[str], mask: Any, graph: GraphBuilder) -> Iterator[list[str]]:
    """Let the masks that a call states, one for the first input or a list, stand in for the
    tensors' own as long as it is written; the inputs to write it with.
    """
    if mask is None:
        yield inputs
        return
    masks = mask if isinstance(mask, list) else [mask]
    if len(masks) > len(inputs) or not all(m is None or isinstance(m, str) for m in masks):
        raise ConversionError("masks that do not fit the inputs", found=f"{mask!r:.80}")
    own = {tensor: graph.masks.get(tensor) for tensor in inputs}
    applied = list(inputs)
    for k, stated in enumerate(masks):
        if inputs[k] in inputs[:k] and graph.masks.get(inputs[k]) != stated:
            applied[k] = graph.op("Identity", inputs[k])  # one tensor under two masks
        _set_mask(applied[k], stated, graph)
    yield applied
    for tensor, before in own.items():
        _set_mask(tensor, before, graph)


def _set_mask(tensor: str, mask: str | None, graph: GraphBuilder) -> None:
    if mask is None:
        graph.masks.pop(tensor, None)
    else:
        graph.masks[tensor] = mask


def _with_masks(
    made: list[str], masks: Sequence[str | None], graph: GraphBuilder
) -> list[str]:
    """Note the masks of a layer's outputs; what only passes through gets a name of its own where
    its mask is another one.
    """
    outputs: list[str] = []
    for tensor, mask in zip(made, masks, strict=True):
        own = graph.masks.get(tensor)
        name = graph.op("Identity", tensor) if own is not None and own != mask else tensor
        if mask is not None:
            graph.masks[name] = mask
        outputs.append(name)
    return outputs


def _schedule(network: Network) -> Iterator[tuple[Layer, int]]:
    """The calls that the outputs need, inputs first, otherwise in the model's order."""
    layers = {layer.name: layer for layer in network.layers}
    needed = {(ref.layer, ref.call) for ref in network.outputs}
    todo = list(needed)
    while todo:
        name, index = todo.pop()
        for ref in parents(layers[name], index):
            if (ref.layer, ref.call) not in needed:
                needed.add((ref.layer, ref.call))
                todo.append((ref.layer, ref.call))
    ordered = model_order(network)
    waiting = [
        (layer, index)
        for layer in ordered
        for index in range(max(1, len(layer.calls)))
        if (layer.name, index) in needed
    ]
    done: set[tuple[str, int]] = set()
    while waiting:
        later = []
        for layer, index in waiting:
            if all((r.layer, r.call) in done for r in parents(layer, index)):
                done.add((layer.name, index))
                yield layer, index
            else:
                later.append((layer, index))
        if len(later) == len(waiting):
            raise MismatchError(f'layer "{later[0][0].name}" depends on itself')
        waiting = later


def _note_specs(layer: Layer, index: int, made: list[str], graph: GraphBuilder) -> None:
    """Remember the outputs' static shapes on the call; Keras 3 configs want them."""
    if layer.calls:
        layer.calls[index].outputs = [Spec(graph.shape(t), graph.dtype(t).name) for t in made]
