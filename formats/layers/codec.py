"""LayerCodec: what the bridge knows of one layer class, both directions in one place.

The built-in layers and those of users are the same kind of class. Most declare a ``template``;
where a layer needs a loop or a branch, ``write`` and ``recognise`` stand side by side instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.template import Match, Template
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


class TensorName(str):
    """The name of a tensor among a call's arguments, where other text may stand as well."""

    __slots__ = ()


def tensor_names(value: Any) -> list[str]:
    """The tensors in a nested argument, in order."""
    if isinstance(value, TensorName):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [name for inner in value for name in tensor_names(inner)]
    return []


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a codec recognised below one tensor.

    Attributes:
        inputs: the tensors that the layer is applied to, in order.
        config: entries that differ from, or are not among, the codec's defaults.
        weights: canonical name to stored tensor.
        nodes: every node that the layer accounts for; the output's own among them.
        mask: the mask (batch, time) of the first input that the layer heeds, if it does.
        lengths: in its place, the number of steps (batch,) that are seen of each sample.
        outputs: of a call that yields several tensors, which of them each tensor is.
        arguments: tensors that the layer is called with by name, such as ``initial_state``.
        args: the call's positional arguments, a TensorName for each tensor, where they are
            anything but ``inputs``; ``kwargs`` the others, alike.
        masks: further masks that the layer heeds, each with the inputs of which it may be.
        zeroes: whether what masks of data hide is set to 0 after a softmax; None: does not tell.
        scope: in which the layer stands, where its nodes' own scope does not tell.
        before, after: layers without weights that stand before and after this one and take and
            yield one tensor: (class name, config) of each, in order. Their nodes are among these.
    """

    inputs: tuple[str, ...]
    config: Config
    weights: Mapping[str, Tensor]
    nodes: tuple[str, ...]
    mask: str | None = None
    lengths: str | None = None
    outputs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    arguments: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    masks: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    zeroes: bool | None = None
    scope: str | None = None
    before: tuple[tuple[str, Config], ...] = ()
    after: tuple[tuple[str, Config], ...] = ()

    def read(self) -> tuple[str, ...]:
        """All tensors that the call takes."""
        return (
            *self.inputs, *(t for each in self.arguments.values() for t in each),
            *([self.lengths] if self.lengths else ()),
            *tensor_names([*(self.args or ()), self.kwargs]),
        )  # fmt: skip

    def heeded(self) -> dict[str, tuple[str, ...]]:
        """All masks that the layer heeds, each with the inputs of which it may be."""
        return {**({self.mask: self.inputs[:1]} if self.mask else {}), **self.masks}


@dataclasses.dataclass(frozen=True)
class Derived:
    """A config entry that follows from the weights' shapes: ``units`` is kernel.shape[-1].

    ``compute`` takes the shapes by canonical weight name and the config found so far.
    """

    compute: Callable[[Mapping[str, tuple[int, ...]], Config], Any]


class LayerCodec:
    """Both directions of one layer class.

    Attributes:
        class_name: as in the Keras config, of the newest Keras major.
        module: where Keras finds the class; built-in layers leave it.
        arity: how many tensors the layer takes; None where any number will do.
        weights: canonical names in canonical order, the order in the file.
        optional_weights: for a weight that not every layer has, the config entry that says so.
        non_trainable: the weights that training does not touch.
        config: config keys and their defaults; Derived where the weights tell.
        template: how the layer is written, and one way to recognise it.
        also_read: other ways to recognise it.
        scopes: name scopes that the layer opens in itself, no part of its name.
        arguments: what a call may pass besides the tensors it is applied to (``initial_state``);
            ``write`` gets those given, as keyword arguments: tensors by name.
        parameters: the names of the positional arguments, the tensor that the layer is applied to
            first, where there are more of them: then ``write`` gets the others by name.
        supports_masking: whether Keras hands the input's mask on to the outputs.
        wraps: the config entries that hold other layers, as wrappers have them.
        note: what a user should know of it, for the README's table.
        takes_literals: whether a call may pass what is no tensor at any place (x + 2.0): then
            ``write_call`` writes it, and gets the arguments as they stand.
    """

    class_name: ClassVar[str] = ""
    module: ClassVar[str] = "keras.layers"
    arity: ClassVar[int | None] = 1
    weights: ClassVar[tuple[str, ...]] = ()
    optional_weights: ClassVar[Mapping[str, str]] = {}
    non_trainable: ClassVar[tuple[str, ...]] = ()
    config: ClassVar[Mapping[str, Any]] = {}
    template: ClassVar[Template | None] = None
    also_read: ClassVar[Sequence[Template]] = ()
    scopes: ClassVar[tuple[str, ...]] = ()
    arguments: ClassVar[frozenset[str]] = frozenset()
    parameters: ClassVar[tuple[str, ...]] = ()
    supports_masking: ClassVar[bool] = False
    wraps: ClassVar[tuple[str, ...]] = ()
    note: ClassVar[str] = ""
    takes_literals: ClassVar[bool] = False
    #: The Keras majors that cast the tensors a layer is applied to, as its dtype policy says.
    autocast: ClassVar[tuple[int, ...]] = (2, 3)
    #: Whether it computes in float32 where its policy is of half precision.
    computes_in_float32: ClassVar[bool] = False
    #: The kernels that files of the Theano backend store turned by half a turn.
    turned_by_theano: ClassVar[tuple[str, ...]] = ()
    #: The op types that ``recognise`` may be offered; where empty, the templates' roots.
    root_ops: ClassVar[frozenset[str]] = frozenset()

    # -- config and weights -------------------------------------------------------------------

    def weight_names(self, config: Config) -> tuple[str, ...]:
        """The names of the weights that a layer of this (completed) config has, in order.

        Those of a layer that it wraps follow, as ``layer/kernel``.
        """
        from modelfmt.layers.parts import names_of_parts

        own = tuple(
            name
            for name in self.weights
            if name not in self.optional_weights or config[self.optional_weights[name]]
        )
        return own + names_of_parts(config, self.wraps)

    def settle(self, layer: Layer) -> None:
        """Change a layer just read, in place, where files state it in several ways."""

    def untrained(self, config: Config) -> frozenset[str]:
        """Of ``weight_names``, those that training does not touch, whatever the layer says."""
        from modelfmt.layers.parts import untrained_of_parts

        return frozenset(self.non_trainable) | untrained_of_parts(config, self.wraps)

    def completed(self, config: Config, weights: Mapping[str, Tensor]) -> Config:
        """``config`` with the defaults filled in, tuples as lists."""
        shapes = {name: weight.shape for name, weight in weights.items()}
        whole = dict(config)
        for key, default in self.config.items():
            if whole.get(key) is None and not isinstance(default, Derived):
                whole[key] = default
        for name, flag in self.optional_weights.items():
            if flag not in config and weights:
                whole[flag] = name in weights
        for key, default in self.config.items():
            if isinstance(default, Derived) and key not in whole and weights:
                whole[key] = default.compute(shapes, whole)
        return {key: plain(value) for key, value in whole.items()}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The layer in inference form: the simplest layers that compute the same, in a row.

        Args:
            layer: bound, with a completed config.
            shapes: of its input tensors; None where the rank is unknown.

        Returns:
            New layers, of which the first takes the inputs; none where ``layer`` vanishes.
        """
        known = {*self.config, *self.optional_weights.values()}
        config = {key: value for key, value in layer.config.items() if key in known}
        return [dataclasses.replace(layer, config=config)]

    # -- writing ------------------------------------------------------------------------------

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        """Emit nodes that compute ``layer`` applied to ``inputs``.

        Args:
            layer: bound, with a completed config.
            inputs: tensor names.
            graph: where the nodes go; its scope is already the layer's.

        Returns:
            The names of the output tensors.
        """
        if self.template is None:
            raise ConversionError(f"{self.class_name} cannot be written as a graph yet")
        return [self.template.write(layer, inputs, graph)]

    def write_call(
        self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], graph: GraphBuilder
    ) -> list[str]:
        """As ``write``, where ``takes_literals``.

        Args:
            layer: with a completed config.
            args: the positional arguments, JSON-like, with a TensorName for each tensor.
            kwargs: the others, alike.
            graph: where the nodes go.
        """
        raise ConversionError(f"{self.class_name} takes tensors only")

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The masks that go along with the outputs, as Keras' ``compute_mask``.

        Those of the inputs are in ``graph.masks``.
        """
        passed = graph.masks.get(inputs[0]) if self.supports_masking else None
        return [passed for _ in outputs]

    # -- recognising --------------------------------------------------------------------------

    def roots(self) -> frozenset[str]:
        """The op types of the nodes at which ``recognise`` is worth asking."""
        if self.root_ops:
            return self.root_ops
        return frozenset(root for t in self.templates() for root in t.roots())

    def templates(self) -> Iterator[Template]:
        """All that can be read: ``template`` first, then ``also_read``."""
        if self.template is not None:
            yield self.template
        yield from self.also_read

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """The claim of this layer on what computes ``tensor``, or None."""
        for template in self.templates():
            for match in template.match(tensor, graph, Match()):
                refined = self.refine(match, graph)
                if refined is not None:
                    return self.claim(refined)
        return None

    def refine(self, match: Match, graph: View) -> Match | None:
        """Add to a template's match what the template cannot say; None rejects it."""
        return match

    def claim(self, match: Match) -> Claim:
        """The claim that a match amounts to, its weights in canonical order."""
        weights = {n: match.weights[n].root for n in self.weights if n in match.weights}
        config = dict(match.config)
        for name, flag in self.optional_weights.items():
            config[flag] = name in weights
        inputs = tuple(match.inputs[k] for k in sorted(match.inputs))
        return Claim(inputs, config, weights, tuple(dict.fromkeys(match.nodes)))


def longest(*claims: Claim | None) -> Claim | None:
    """The claim of the most nodes, the first of several."""
    return max(filter(None, claims), key=lambda claim: len(claim.nodes), default=None)


def shaped(weight: Tensor, shape: tuple[int, ...], view: View) -> Tensor:
    """A stored tensor with another shape: the same one each time, that shared layers be found."""
    if weight.shape == shape:
        return weight
    key = "shaped", id(weight), shape
    found = view.memo.setdefault(key, weight.reshaped(shape))
    assert isinstance(found, Tensor)
    return found


def turned(weight: Tensor, view: View) -> Tensor:
    """A stored matrix with rows for columns: the same one each time, as ``shaped``."""
    key = "turned", id(weight)
    if key not in view.memo:
        view.memo[key] = weight.changed(lambda array: array.T, weight.shape[::-1])
    found = view.memo[key]
    assert isinstance(found, Tensor)
    return found


def plain(value: Any) -> Any:
    """Tuples as lists, all the way down: configs compare as JSON would."""
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return value


def normal_axis(axis: Any, shape: Dims) -> Any:
    """One spelling for an axis: -1 for the last, else counted from the front."""
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return axis
    axis %= len(shape)
    return -1 if axis == len(shape) - 1 else axis


def normal_axes(axes: Any, shape: Dims) -> Any:
    """As ``normal_axis``; of several each is counted from the front, in order."""
    if not isinstance(axes, list) or len(axes) == 1 or shape is None:
        return normal_axis(axes, shape)
    return sorted(axis % len(shape) for axis in axes)


def require_inputs(layer: Layer, inputs: Sequence[str], count: int) -> None:
    """Raise MismatchError unless the layer is applied to ``count`` tensors."""
    if len(inputs) != count:
        raise MismatchError(
            f"{layer.class_name} takes {count} input(s)", expected=count, found=len(inputs)
        )
