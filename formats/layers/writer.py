"""Network to graph: every layer written by its codec, in inference mode."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError, located
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.codec import require_inputs
from modelfmt.layers.registry import codec_for
from modelfmt.network import Config, Layer, Network, Ref, Spec, model_order, parents

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
    inputs = [_placeholder(network.layer(ref.layer), graph) for ref in network.inputs]
    outputs = _write_layers(network, inputs, graph, listener)
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


def _write_layers(
    network: Network, inputs: Sequence[str], graph: GraphBuilder, listener: Listener | None
) -> list[str]:
    """The tensors of ``network``'s outputs, its inputs being ``inputs``; recursive."""
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
            taken = [_made(tensors, ref) for ref in call.inputs]
            if not taken:
                raise MismatchError("the layer is called on nothing")
            given = {key: _resolved(value, tensors) for key, value in call.kwargs.items()}
            made = _write_call(layer, taken, given, graph, listener)
        _note_specs(layer, index, made, graph)
        for k, tensor in enumerate(made):
            tensors[Ref(layer.name, index, k)] = tensor
    return [_made(tensors, ref) for ref in network.outputs]


def _made(tensors: dict[Ref, str], ref: Ref) -> str:
    if ref not in tensors:
        raise MismatchError(
            f'output {ref.index} of call {ref.call} of layer "{ref.layer}" is made by no layer'
        )
    return tensors[ref]


def _resolved(value: Any, tensors: dict[Ref, str]) -> Any:
    """An argument of a call with the names of tensors in the place of Refs."""
    if isinstance(value, Ref):
        return _made(tensors, value)
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
        with _masked(inputs[0], given.pop("mask", None), graph):
            _require_known(given, frozenset())
            return _write_layers(layer.network, inputs, graph, listener)
    if layer.class_name == "InputLayer":
        raise MismatchError("an InputLayer that is no input of its model")
    completed = prepared(layer)
    codec = codec_for(layer)
    mask = None if "mask" in codec.arguments else given.pop("mask", None)
    _require_known(given, codec.arguments)
    with _masked(inputs[0], mask, graph):
        if codec.arity is not None:
            require_inputs(layer, inputs, codec.arity)
        write: Callable[..., list[str]] = codec.write
        made = write(completed, inputs, graph, **given)
        made = _with_masks(made, codec.masks(completed, inputs, made, graph), graph)
    if listener is not None:
        listener(completed, layer, inputs, made)
    return made


def _require_known(given: Config, known: Container[str]) -> None:
    unknown = sorted(key for key in given if key not in known)
    if unknown:
        raise ConversionError(
            "this way of calling a layer cannot be written yet", found=", ".join(unknown)
        )


@contextmanager
def _masked(tensor: str, mask: Any, graph: GraphBuilder) -> Iterator[None]:
    """Let the mask that a call states stand in for the tensor's own, as long as it is written."""
    if mask is None:
        yield
        return
    if not isinstance(mask, str):
        raise ConversionError("a mask is one tensor here", found=f"{mask!r:.80}")
    own = graph.masks.get(tensor)
    graph.masks[tensor] = mask
    yield
    if own is None:
        del graph.masks[tensor]
    else:
        graph.masks[tensor] = own


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
