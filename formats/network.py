"""Network: the layer world's neutral model, a graph of configured layers with weights.

Configs are *normalised*: whatever Keras major wrote them, a Network speaks the vocabulary of
the newest (``keras/config.py`` translates). Layer order is the order of Keras' ``model.layers``.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelfmt.errors import MismatchError
from modelfmt.graph import Dims
from modelfmt.tensor import Tensor

#: A JSON-like value as configs hold it.
Config = dict[str, Any]

#: The reserved key of ``Call.kwargs`` for positional arguments that are more than tensors.
ARGS = "*args"
#: Where Keras 3 keeps the classes of its operations (keras.ops), one module a kind.
OPERATIONS = "keras.src.ops."


@dataclasses.dataclass(frozen=True)
class Ref:
    """One output of one call of a layer: Keras' (layer name, node index, tensor index)."""

    layer: str
    call: int = 0
    index: int = 0


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known of a tensor: its static shape (batch included, None: unknown) and dtype."""

    shape: Dims
    dtype: str = "float32"


@dataclasses.dataclass
class Call:
    """One application of a layer to tensors.

    Attributes:
        inputs: the positional tensor arguments, in order.
        structure: False where the layer was called on a lone tensor, True where on a list.
        kwargs: other arguments, JSON-like; tensors among them stand as Ref. Positional arguments
            that are more than tensors, or one list of them, stand whole under ARGS.
        outputs: a Spec for each output, where known; else empty.
    """

    inputs: list[Ref]
    structure: bool = False
    kwargs: Config = dataclasses.field(default_factory=dict)
    outputs: list[Spec] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, args: Sequence[Any], kwargs: Config | None = None) -> Call:
        """The call with these positional arguments and others; tensors among them as Ref."""
        given = {key: value for key, value in (kwargs or {}).items() if value is not None}
        if all(isinstance(a, Ref) for a in args):
            return cls(list(args), kwargs=given)
        first = args[0]
        if len(args) == 1 and isinstance(first, list) and all(isinstance(a, Ref) for a in first):
            return cls(list(first), structure=True, kwargs=given)
        return cls(refs_in(list(args)), kwargs={**given, ARGS: list(args)})

    def redirect(self, change: Callable[[Ref], Ref]) -> None:
        """Replace every tensor that the call is given."""
        self.inputs = [change(ref) for ref in self.inputs]
        self.kwargs = map_refs(self.kwargs, change)

    def arguments(self) -> tuple[list[Any], Config]:
        """The positional arguments, literals among them, and the others; tensors as Ref."""
        kwargs = dict(self.kwargs)
        whole = kwargs.pop(ARGS, None)
        if whole is not None:
            return list(whole), kwargs
        return ([list(self.inputs)] if self.structure else list(self.inputs)), kwargs


@dataclasses.dataclass
class Layer:
    """One layer: class, name, normalised config, weights, calls.

    Attributes:
        weights: from a container, keyed as the file names them and in the file's order; after
            ``modelfmt.layers.bind``, by canonical name (kernel, bias) in canonical order.
        non_trainable: canonical names of weights that training does not touch (moving_mean).
        calls: a shared layer has several.
        network: set where the layer is a nested model.
        models: the models that stand in the config, by their place in it: TimeDistributed of a
            model has one at ``layer``. Their weights are the layer's own as well.
        extras: what was read beside the config (registered_name, build_config, ...), verbatim.
    """

    class_name: str
    name: str
    config: Config = dataclasses.field(default_factory=dict)
    weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    non_trainable: tuple[str, ...] = ()
    calls: list[Call] = dataclasses.field(default_factory=list)
    network: Network | None = None
    extras: Config = dataclasses.field(default_factory=dict)
    models: dict[str, Network] = dataclasses.field(default_factory=dict)

    def weight(self, name: str) -> Tensor:
        """The weight called ``name``. Raises KeyError where the layer has none."""
        return self.weights[name]

    @property
    def is_operation(self) -> bool:
        """Whether this stands in the config, but is no ``Layer`` of Keras and has no weights."""
        return str(self.extras.get("module") or "").startswith((OPERATIONS, "keras.ops"))


@dataclasses.dataclass
class Network:
    """A model: layers, and which tensors go in and out.

    Attributes:
        kind: "Sequential" or "Functional".
        layers: in the order of Keras' ``model.layers``.
        inputs, outputs: Refs, in the model's order.
        keras_major: the major whose semantics the configs follow (1, 2 or 3).
        extras: what else the file held (training_config, versions, ...), verbatim.
        mask_major: the major by whose rules masks are dealt with, where it is another one.
    """

    name: str
    kind: str = "Functional"
    layers: list[Layer] = dataclasses.field(default_factory=list)
    inputs: list[Ref] = dataclasses.field(default_factory=list)
    outputs: list[Ref] = dataclasses.field(default_factory=list)
    keras_major: int = 3
    extras: Config = dataclasses.field(default_factory=dict)
    mask_major: int | None = None

    def layer(self, name: str) -> Layer:
        """The layer called ``name``. Raises KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def walk(self) -> Iterator[Layer]:
        """Every layer, nested ones after the model that holds them."""
        for layer in self.layers:
            yield layer
            if layer.network is not None:
                yield from layer.network.walk()


def model_order(network: Network) -> list[Layer]:
    """The layers in the order that Keras gives ``model.layers`` when it builds the model.

    Depth first, from the inputs: a layer's depth is its longest distance to an output; within a
    depth, the order in which a walk from the outputs meets the layers first. Weight files are
    read by this order. A Sequential model keeps its own. Source: Keras, map_graph.

    Raises:
        MismatchError: a layer depends on itself.
    """
    if network.kind == "Sequential":
        return list(network.layers)
    by_name = {layer.name: layer for layer in network.layers}
    met: dict[str, int] = {}
    entered: set[tuple[str, int]] = set()
    finished: set[tuple[str, int]] = set()
    postorder: list[tuple[str, int]] = []
    for output in network.outputs:
        stack: list[tuple[tuple[str, int], Iterator[Ref]]] = []

        def enter(ref: Ref, stack: list[tuple[tuple[str, int], Iterator[Ref]]] = stack) -> None:
            key = (ref.layer, ref.call)
            if key not in finished:
                if key in entered:
                    raise MismatchError(f'layer "{ref.layer}" depends on itself')
                entered.add(key)
                met.setdefault(ref.layer, len(met))
                stack.append((key, iter(parents(by_name[ref.layer], ref.call))))

        enter(output)
        while stack:
            key, pending = stack[-1]
            following = next(pending, None)
            if following is not None:
                enter(following)
                continue
            stack.pop()
            if key not in finished:
                finished.add(key)
                postorder.append(key)
    call_depth: dict[tuple[str, int], int] = {}
    layer_depth: dict[str, int] = {}
    for key in reversed(postorder):
        name, call = key
        depth = max(call_depth.get(key, 0), layer_depth.get(name, 0))
        layer_depth[name] = call_depth[key] = depth
        for ref in parents(by_name[name], call):
            parent = (ref.layer, ref.call)
            call_depth[parent] = max(depth + 1, call_depth.get(parent, 0))
    for ref in network.inputs:
        if ref.layer not in layer_depth:
            layer_depth[ref.layer], met[ref.layer] = 0, -1
    reached = [layer for layer in network.layers if layer.name in layer_depth]
    return sorted(reached, key=lambda layer: (-layer_depth[layer.name], met[layer.name]))


def parents(layer: Layer, call: int) -> list[Ref]:
    """The Refs that one call of ``layer`` consumes, tensors among its kwargs included."""
    if not layer.calls:
        return []
    found = list(layer.calls[call].inputs)
    stack: deque[Any] = deque(layer.calls[call].kwargs.values())
    while stack:
        value = stack.popleft()
        if isinstance(value, Ref):
            found.append(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list | tuple):
            stack.extend(value)
    return found


def refs_in(value: Any) -> list[Ref]:
    """The Refs in a nested value, in order."""
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [ref for inner in value for ref in refs_in(inner)]
    return []


def map_refs(value: Any, change: Callable[[Ref], Any]) -> Any:
    """``value`` with every Ref in it replaced by ``change(ref)``."""
    if isinstance(value, Ref):
        return change(value)
    if isinstance(value, dict):
        return {key: map_refs(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [map_refs(inner, change) for inner in value]
    return value
