"""Operations of one Keras in the words of another: keras.ops <-> TFOpLambda and its kin.

    TFOpLambda, SlicingOpLambda, TensorFlowOpLayer  ->  keras.ops     for Keras 3
    keras.ops                                       ->  TFOpLambda    for Keras 2

Rows of one writer mean the same, so the other's row of the same writer is taken where it writes
the very same nodes. Else the call is written as nodes, and those are read in the other's words:
alone, or with the operations before it, so that sizes taken from a Shape become the sizes that
they are. What then has no words is refused by the layer's name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MismatchError, located
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.assembling import assemble
from modelfmt.layers.codec import TensorName, tensor_names
from modelfmt.layers.leftovers import operations_of
from modelfmt.layers.operations.saying import Said, Spelled
from modelfmt.layers.operations.steps import Steps
from modelfmt.layers.operations.table import Operation, find
from modelfmt.layers.operations.values import revived
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Layer, Network, Ref, Spec, map_refs, parents
from modelfmt.tensor import Tensor

#: The classes of tf.keras that state an operation.
_OF_KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def translate(network: Network, major: int) -> None:
    """Say a network's operations in the words of Keras ``major``, in place.

    The specs of all tensors must be known; those of what is added are to be inferred.

    Raises:
        ConversionError: ``major`` has no words for an operation.
    """
    foreign = {layer.name: layer for layer in network.layers if _is_foreign(layer, major)}
    if not foreign:
        return
    work = _Translation(network, foreign, major)
    for layer in foreign.values():
        with located(key=f'layer "{layer.name}"'):
            for index in range(len(layer.calls)):
                work.translate(layer, index)
    work.settle()


def _is_foreign(layer: Layer, major: int) -> bool:
    return layer.is_operation if major == 2 else layer.class_name in _OF_KERAS_2


#: Rows whose windows and strides TensorFlow tells in another way.
_SIZED_OTHERWISE = (
    "Conv", "DepthwiseConv", "SeparableConv", "nn.depthwise_conv2d", "compat.v1.nn.conv2d",
    "DepthToSpace", "SpaceToDepth", "nn.depth_to_space", "nn.space_to_depth",
)
#: The layers that take a call's place, and its outputs among theirs.
_Found = tuple[list[Layer], list[Ref]]


class _Translation:
    """The layers that take the places of the foreign ones, as they are found."""

    def __init__(self, network: Network, foreign: dict[str, Layer], major: int) -> None:
        self._network, self._foreign, self._major = network, foreign, major
        self._layers = {layer.name: layer for layer in network.layers}
        self._taken = {layer.name for layer in network.layers}
        self._free = set(foreign)  # names that are given up, and may be given again
        self._made: dict[str, list[Layer]] = {}
        self._became: dict[Ref, Ref] = {}

    def translate(self, layer: Layer, index: int) -> None:
        """Find what says one call. Raises ConversionError."""
        for way in (self._one_node, self._in_other_words, self._nodes, self._all_nodes):
            try:
                found = way(layer, index)
            except (ConversionError, MismatchError) as error:
                refused = str(error)
                continue
            if found is not None:
                self._place(layer, index, *found)
                return
        raise ConversionError(
            f"Keras {self._major} has no operation for {_told(layer)}", hint=refused
        )

    def settle(self) -> None:
        """Put what was found into the network."""
        layers: list[Layer] = []
        for layer in self._network.layers:
            layers += self._made.get(layer.name, [layer])
        for layer in layers:
            for call in layer.calls:
                call.redirect(self._follow)
        self._network.layers = layers
        self._network.outputs = [self._follow(ref) for ref in self._network.outputs]
        _drop_unread(self._network)

    def _follow(self, ref: Ref) -> Ref:
        while ref in self._became:
            ref = self._became[ref]
        return ref

    def _place(self, layer: Layer, index: int, layers: list[Layer], outputs: list[Ref]) -> None:
        self._made.setdefault(layer.name, []).extend(layers)
        for k, ref in enumerate(outputs):
            old = Ref(layer.name, index, k)
            if ref != old:
                self._became[old] = ref

    def _name(self, wanted: str) -> str:
        """A name that no layer has; a foreign layer's own may be given once more."""
        if wanted in self._free:
            self._free.remove(wanted)
            return wanted
        count, name = 0, wanted
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name

    # -- a row of the same writer -----------------------------------------------------------------

    def _in_other_words(self, layer: Layer, index: int) -> _Found | None:
        """The layer, if the other Keras has a row that writes the very same nodes."""
        row = _row(layer)
        if row is None or row.name in _SIZED_OTHERWISE or row.name.startswith("nn.conv"):
            return None
        args, kwargs = self._arguments(layer, index)
        config = {} if layer.class_name in _OF_KERAS_2 else layer.config
        given = {k: v for k, v in {**config, **kwargs}.items() if k != "name"}
        names = sorted({*tensor_names([args, kwargs])})
        steps = Steps("step", self._major, self._spec_of, None)
        trial = _Trial(self, names)
        try:
            values = tuple(row.values(revived(args), revived(given)))
            steps.declare(names)
            steps.tensor(Said(((row, values, False),)))
            trial.write(layer, args, kwargs)
        except (ConversionError, MismatchError):
            return None
        if len(steps.steps) != 1 or _told_apart(steps.graph) != _told_apart(trial.graph):
            return None
        made = self._said(steps.steps[0].spelled, layer.name)
        return [made], [Ref(made.name, 0, k) for k in range(len(steps.steps[0].outputs))]

    def _said(self, words: Spelled, name: str) -> Layer:
        made = words.layer(self._name(name))
        args = [_as_refs(value) for value in words.args]
        made.calls = [Call.of(args, {k: _as_refs(v) for k, v in words.kwargs.items()})]
        return made

    # -- by way of nodes --------------------------------------------------------------------------

    def _one_node(self, layer: Layer, index: int) -> _Found | None:
        """The layer that says a call, if one operation says all of its nodes."""
        return self._by_nodes(layer, index, False, 1)

    def _nodes(self, layer: Layer, index: int) -> _Found | None:
        """The layers that say the nodes of a call."""
        return self._by_nodes(layer, index, False)

    def _all_nodes(self, layer: Layer, index: int) -> _Found | None:
        """The layers that say a call and the operations that lead up to it."""
        return self._by_nodes(layer, index, True)

    def _by_nodes(
        self, layer: Layer, index: int, whole: bool, most: int | None = None
    ) -> _Found | None:
        trial = _Trial(self, [])
        ends = trial.made(Ref(layer.name, index), whole)
        view = View(trial.graph, outputs=ends)
        claims = operations_of(view, self._major)
        if most is not None and len(claims) > most:
            return None
        said = assemble(claims, view, {}, layer.name)
        sources = dict(zip((ref.layer for ref in said.inputs), trial.sources(view), strict=True))
        ending = {ref.layer for ref in said.outputs}
        names: dict[str, str] = {}
        inner = [each for each in said.layers if each.class_name != "InputLayer"]
        for each in sorted(inner, key=lambda each: each.name not in ending):
            own = layer.name if each.name in ending else f"{layer.name}_{each.name}"
            names[each.name] = self._name(own)

        def follow(ref: Ref) -> Ref:
            if ref.layer in sources:
                return sources[ref.layer]
            return dataclasses.replace(ref, layer=names[ref.layer])

        for each in inner:
            each.name = names[each.name]
            for call in each.calls:
                call.redirect(follow)
        return inner, [follow(ref) for ref in said.outputs]

    def _arguments(self, layer: Layer, index: int) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call with the names of tensors in the place of Refs."""
        args, kwargs = layer.calls[index].arguments()
        return map_refs(args, _as_name), map_refs(kwargs, _as_name)

    def _spec_of(self, tensor: str) -> tuple[DType, Dims]:
        spec = self.spec(_as_ref(tensor))
        return dtypes.from_name(spec.dtype), spec.shape

    def spec(self, ref: Ref) -> Spec:
        """What is known of a tensor of the network."""
        layer = self._layers[ref.layer]
        if layer.calls and ref.index < len(layer.calls[ref.call].outputs):
            return layer.calls[ref.call].outputs[ref.index]
        if layer.class_name == "InputLayer":
            shape = layer.config.get("batch_shape")
            dtype = layer.config.get("dtype")
            return Spec(None if shape is None else tuple(shape), str(dtype or "float32"))
        return Spec(None)

    def foreign(self, ref: Ref) -> Layer | None:
        """The foreign operation that makes a tensor, if one does."""
        return self._foreign.get(ref.layer)


class _Trial:
    """A graph in which calls are written on Placeholders."""

    def __init__(self, work: _Translation, names: list[str]) -> None:
        self.graph = GraphBuilder()
        self._work = work
        self._written: dict[str, str] = {}
        self._calls: dict[tuple[str, int], list[str]] = {}
        for name in names:
            self._placeholder(name)

    def sources(self, view: View) -> list[Ref]:
        """The tensors of the network that the view's inputs stand for."""
        back = {place: name for name, place in self._written.items()}
        return [_as_ref(back[tensor]) for tensor in view.inputs]

    def made(self, ref: Ref, whole: bool) -> list[str]:
        """The outputs of the foreign call behind a tensor, written once."""
        layer = self._work.foreign(ref)
        assert layer is not None
        key = (ref.layer, ref.call)
        if key not in self._calls:
            args, kwargs = self._work._arguments(layer, ref.call)
            if whole:
                for source in parents(layer, ref.call):
                    if self._work.foreign(source) is not None:
                        outputs = self.made(source, whole)
                        self._written[_as_name(source)] = outputs[source.index]
            self._calls[key] = self.write(layer, args, kwargs)
        return self._calls[key]

    def write(self, layer: Layer, args: Any, kwargs: Any) -> list[str]:
        return codec_for(layer).write_call(
            layer, self._placed(args), self._placed(kwargs), self.graph
        )

    def _placeholder(self, name: str) -> str:
        if name not in self._written:
            dtype, shape = self._work._spec_of(name)
            place = f"x{len(self._written)}"
            self._written[name] = self.graph.placeholder(place, dtype, shape)
        return self._written[name]

    def _placed(self, value: Any) -> Any:
        if isinstance(value, TensorName):
            return TensorName(self._placeholder(value))
        if isinstance(value, list | tuple):
            return [self._placed(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self._placed(inner) for key, inner in value.items()}
        return value


def _row(layer: Layer) -> Operation | None:
    """The row of the table that a layer asks for."""
    if layer.class_name == "TensorFlowOpLayer":
        return None
    found = find(layer.class_name if layer.is_operation else str(layer.config.get("function")))
    return found if found is None or found.of_keras == layer.is_operation else None


def _told(layer: Layer) -> str:
    if layer.is_operation:
        return f"{layer.class_name} of keras.ops"
    if layer.class_name == "TensorFlowOpLayer":
        node = layer.config.get("node_def")
        return f"the node {node.get('op') if isinstance(node, dict) else node!r:.60}"
    return f"tf.{layer.config.get('function')}"


def _as_name(ref: Ref) -> TensorName:
    return TensorName(f"{ref.layer}\0{ref.call}\0{ref.index}")


def _as_ref(name: str) -> Ref:
    layer, call, index = name.split("\0")
    return Ref(layer, int(call), int(index))


def _as_refs(value: Any) -> Any:
    if isinstance(value, TensorName):
        return _as_ref(value)
    if isinstance(value, list | tuple):
        return [_as_refs(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _as_refs(inner) for key, inner in value.items()}
    return value


def _told_apart(graph: GraphBuilder) -> list[Any]:
    """What tells two graphs apart."""
    return [
        (name, node.op, node.inputs, {k: _attr(v) for k, v in sorted(node.attrs.items())})
        for name, node in graph.items()
    ]


def _attr(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.dtype.name, value.shape, value.sha256() or value.strings
    return value


def _drop_unread(network: Network) -> None:
    """Remove operations that nothing needs any more, in place."""
    needed = {ref.layer for ref in network.outputs}
    layers = {layer.name: layer for layer in network.layers}
    todo = list(needed)
    while todo:
        layer = layers[todo.pop()]
        for index in range(len(layer.calls)):
            for ref in parents(layer, index):
                if ref.layer not in needed:
                    needed.add(ref.layer)
                    todo.append(ref.layer)
    network.layers = [
        layer for layer in network.layers
        if layer.name in needed or not (layer.is_operation or layer.class_name in _OF_KERAS_2)
    ]  # fmt: skip

