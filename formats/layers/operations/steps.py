"""What a reader says, as a row of operations of one vocabulary, each tried out by writing it.

A said thing may hold others, and may offer choices. The first choice that the target's Keras has
words for is taken, if our own writers accept it, so that shapes and dtypes are known to come out
right. A constant that no call can hold becomes a weight: one row of an Embedding, looked up at an
index that is 0 whatever the input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.facts import Constant
from modelfmt.layers.codec import TensorName, tensor_names
from modelfmt.layers.operations.saying import Said, Spelled, spelled
from modelfmt.layers.operations.table import find
from modelfmt.layers.registry import codec_for
from modelfmt.network import Spec
from modelfmt.tensor import Tensor

#: The functions of TensorFlow that cast.
_CASTING = frozenset(
    {
        "cast", "dtypes.cast", "math.count_nonzero", "sequence_mask", "convert_to_tensor",
        "math.truediv", "math.divide", "zeros_like", "ones_like", "shape", "size", "range",
    }
)  # fmt: skip
#: Tells the dtype and shape of a tensor that steps read.
SpecOf = Callable[[str], tuple[DType, Dims]]


@dataclasses.dataclass(frozen=True)
class Held:
    """A constant that has to be a tensor of its own: for its size, or for want of any other."""

    constant: Constant


@dataclasses.dataclass
class Step:
    """One operation: how it is said, what it yields, and the specs of that.

    ``weight`` is set where it is no operation but an Embedding of one row.
    """

    spelled: Spelled
    outputs: list[str]
    specs: list[Spec]
    weight: Tensor | None = None

    @property
    def tensors(self) -> list[str]:
        """What the call is given."""
        return list(dict.fromkeys(tensor_names([list(self.spelled.args), self.spelled.kwargs])))


class UnsayableError(ConversionError):
    """No choice can be said."""


class Steps:
    """Steps that grow as things are said.

    Args:
        name: of the node that they stand for; names of what is in between begin with it.
        major: whose words are used, 3: keras.ops, 2: TFOpLambda.
        spec_of: what is known of the tensors that the said things read.
        reference: some tensor of the model, to hang constants on.
    """

    def __init__(self, name: str, major: int, spec_of: SpecOf, reference: str | None) -> None:
        self._name, self._major, self._spec_of = name, major, spec_of
        self._reference = reference
        self.steps: list[Step] = []
        self._made: dict[int, list[str]] = {}
        self._said: list[Said] = []  # keeps them alive: they are known by their ids
        self._graph = GraphBuilder()
        self._graph.keras_major = major
        self._written: dict[str, str] = {}

    @property
    def graph(self) -> GraphBuilder:
        """The graph in which the steps are tried out."""
        return self._graph

    def declare(self, tensors: Sequence[str]) -> None:
        """Give tensors that will be read their places, in this order."""
        for tensor in tensors:
            self._for_graph(TensorName(tensor))

    def spec(self, tensor: str) -> tuple[str, Dims]:
        """The dtype and shape of what a step yields."""
        name = self._written[tensor]
        return self._graph.dtype(name).name, self._graph.shape(name)

    def tensor(self, said: Said) -> TensorName:
        """The tensor of a said thing, steps added as needed. Raises UnsayableError."""
        key = id(said.choices)
        if key not in self._made:
            self._made[key] = self._chosen(said)
            self._said.append(said)
        return TensorName(self._made[key][said.output])

    def rename(self, old: str, new: str) -> None:
        """Call what a step yields by another name."""
        for step in self.steps:
            step.outputs = [new if name == old else name for name in step.outputs]
            sp = step.spelled
            args = _renamed(list(sp.args), old, new)
            step.spelled = dataclasses.replace(sp, args=args, kwargs=_renamed(sp.kwargs, old, new))
        self._written[new] = self._written[old]

    def _chosen(self, said: Said) -> list[str]:
        for row, values, exact in said.choices:
            before = len(self.steps), dict(self._made)
            try:
                plain = [self._value(value) for value in values]
            except UnsayableError:
                self.steps, self._made = self.steps[: before[0]], before[1]
                continue
            for words in spelled(row, plain, self._major, exact):
                try:
                    return self._add(words)
                except (ConversionError, MismatchError):
                    continue
            self.steps, self._made = self.steps[: before[0]], before[1]
        names = ", ".join(row.name for row, _, _ in said.choices)
        raise UnsayableError(f"Keras {self._major} has no words for {names}")

    def _value(self, value: Any) -> Any:
        if isinstance(value, Said):
            return self.tensor(value)
        if isinstance(value, Held):
            return self._held(value.constant)
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        if isinstance(value, slice):
            ends = (self._value(end) for end in (value.start, value.stop, value.step))
            return slice(*ends)
        return value

    def _add(self, words: Spelled) -> list[str]:
        layer = words.layer("operation")
        args, kwargs = self._for_graph(list(words.args)), self._for_graph(dict(words.kwargs))
        if not tensor_names([args, kwargs]):
            raise UnsayableError("an operation on no tensor", found=words.class_name)
        before = len(self._graph)
        made = codec_for(layer).write_call(layer, args, kwargs, self._graph)
        ops = {node.op for node in list(self._graph.values())[before:]}
        if self._major == 2 and "Cast" in ops and words.config["function"] not in _CASTING:
            # Our writers are kinder than TensorFlow, which casts nothing unless it is told to.
            raise UnsayableError("tensors of two dtypes", found=words.class_name)
        return self._note(words, made)

    def _note(self, words: Spelled, made: Sequence[str], weight: Tensor | None = None) -> list[str]:
        names = [f"{self._name}~{len(self.steps)}.{k}" for k in range(len(made))]
        self._written.update(zip(names, made, strict=True))
        specs = [Spec(self._graph.shape(t), self._graph.dtype(t).name) for t in made]
        self.steps.append(Step(words, list(names), specs, weight))
        return names

    def _for_graph(self, value: Any) -> Any:
        """An argument with the names that tensors have in the graph of trials."""
        if isinstance(value, TensorName):
            if value not in self._written:
                dtype, shape = self._spec_of(value)
                place = f"x{len(self._written)}"
                self._written[value] = self._graph.placeholder(place, dtype, shape)
            return TensorName(self._written[value])
        if isinstance(value, list):
            return [self._for_graph(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self._for_graph(inner) for key, inner in value.items()}
        return value

    # -- constants ----------------------------------------------------------------------------

    def held(self, constant: Constant) -> Said:
        """A constant as a thing said: for where it is all that there is."""
        return _say("Reshape reshape", Held(constant), list(constant.shape))

    def _held(self, constant: Constant) -> TensorName:
        """A constant as a tensor of the model, of its own shape."""
        if self._reference is None:
            raise UnsayableError("a constant without any tensor beside it")
        root = constant.root
        if root.strings is not None:
            raise UnsayableError("a constant of strings")
        reference = TensorName(self._reference)
        rank = len(self._spec_of(reference)[1] or ())
        first: Any = _say("GetItem", reference, [0] * rank) if rank else reference
        shape = list(constant.shape)
        if root.dtype.name != "float32" or not root.size:
            array = root.numpy().reshape(shape)
            zero = _say("ZerosLike zeros_like", first, dtype=root.dtype.name)
            joined = "LogicalOr" if root.dtype.name == "bool" else "Add"
            return self.tensor(_say(joined, zero, array))
        index = self.tensor(_say("ZerosLike zeros_like", first, dtype="int32"))
        weight = root.reshaped((1, root.size))
        config = {"input_dim": 1, "output_dim": root.size}
        made = self._graph.op("GatherV2", weight, self._for_graph(index), 0)
        words = Spelled("Embedding", config, [index], {})
        row = TensorName(self._note(words, [made], weight)[0])
        if shape == [root.size]:
            return row
        return self.tensor(_say("Reshape", row, shape))


def _say(names: str, *args: Any, **kwargs: Any) -> Said:
    rows = [row for name in names.split() if (row := find(name)) is not None]
    return Said(tuple((row, tuple(row.values(args, kwargs)), False) for row in rows))


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, TensorName):
        return TensorName(new) if value == old else value
    if isinstance(value, list):
        return [_renamed(inner, old, new) for inner in value]
    if isinstance(value, dict):
        return {key: _renamed(inner, old, new) for key, inner in value.items()}
    return value
