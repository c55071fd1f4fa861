"""Leftovers: nodes that no layer claims, as operations of the functional model.

One node is one claim, so that what feeds it may still be a layer. A claim may take several
operations in a row (LRN is a sum of squares in a window and a power), and constants that are too
large for a config become weights of a layer that holds them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from modelfmt.dtypes import DType
from modelfmt.errors import MissingError, UnrecognisedGraphError
from modelfmt.graph import Dims, Node, parse_input, tensor_name
from modelfmt.graphs.view import View
from modelfmt.layers.assembling import Recognised
from modelfmt.layers.codec import Claim
from modelfmt.layers.operations.reading import readings
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.steps import Step, Steps, UnsayableError
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer, Spec


@dataclasses.dataclass
class Operated(Recognised):
    """An operation in place."""

    step: Step

    @property
    def sharing_key(self) -> object:
        return self.tensor if self.step.weight is None else (id(self.step.weight), "held")

    def layer(self, name: str) -> Layer:
        if self.step.weight is None:
            return self.step.spelled.layer(name)
        return super().layer(name)

    def specs(self, view: View) -> list[Spec]:
        return list(self.step.specs)


def leftover(
    tensor: str, view: View, majors: Sequence[int] = (3, 2)
) -> list[Recognised]:
    """The claims, inputs first, of the node behind a tensor; none where it cannot be said.

    ``majors`` are the Keras majors whose words will do, those that are liked better first.
    """
    node = view.producer(tensor)
    if node is None:
        return []
    for major in majors:
        for outputs in readings(node, view):
            found = _claimed(node, outputs, view, major)
            if found:
                return found
    return []


def operations_of(view: View, major: int) -> list[Recognised]:
    """The claims, inputs first, of a graph that is nothing but operations of Keras ``major``.

    Raises:
        UnrecognisedGraphError: it has no words for a node.
    """
    order: list[Recognised] = []
    inputs, entered = set(view.inputs), set[str]()
    todo: list[tuple[str, list[Recognised] | None]] = [(t, None) for t in reversed(view.outputs)]
    while todo:
        tensor, leaving = todo.pop()
        if leaving is not None:
            order += leaving
            continue
        if tensor in entered or tensor in inputs:
            continue
        found = leftover(tensor, view, (major,))
        if not found:
            node = parse_input(tensor).node
            raise UnrecognisedGraphError(f"no words for {view.graph[node].op}", nodes=[node])
        made = {output for item in found for output in item.yields()}
        entered |= made
        todo.append((tensor, found))
        reads = [view.resolve(t) for item in found for t in item.claim.read()]
        todo.extend((t, None) for t in reversed(reads) if t not in made)
    return order


def _claimed(node: Node, outputs: list[Said], view: View, major: int) -> list[Recognised]:
    """The claims of a node read in one way; none where our writers make something else of it."""
    steps = Steps(node.name, major, lambda tensor: _spec_of(tensor, view), _reference(node, view))
    names = [tensor_name(node.name, k) for k in range(len(outputs))]
    try:
        for said, name in zip(outputs, names, strict=True):
            steps.rename(steps.tensor(said), name)
    except (UnsayableError, MissingError):
        return []
    if not all(_agrees(*steps.spec(name), name, view) for name in names):
        return []
    return [_recognised(step, node, view) for step in steps.steps]


def _recognised(step: Step, node: Node, view: View) -> Recognised:
    words = step.spelled
    outputs = {output: k for k, output in enumerate(step.outputs)}
    weights = {} if step.weight is None else {"embeddings": step.weight}
    config = {} if step.weight is None else dict(words.config)
    claim = Claim(
        tuple(step.tensors), config, weights, (node.name,), outputs=outputs,
        args=words.args, kwargs=words.kwargs,
    )  # fmt: skip
    layer = Layer(words.class_name, "") if weights else words.layer("")
    return Operated(codec_for(layer), claim, step.outputs[0], step)


def _spec_of(tensor: str, view: View) -> tuple[DType, Dims]:
    dtype = view.dtype(tensor)
    if dtype is None:
        raise MissingError(f"the dtype of {tensor!r} is not known")
    return dtype, view.shape(tensor)


def _agrees(dtype: str, shape: Dims, tensor: str, view: View) -> bool:
    """Whether what was written may be the tensor that the graph has."""
    wanted, known = view.shape(tensor), view.dtype(tensor)
    if known is not None and known.name != dtype:
        return False
    if wanted is None or shape is None:
        return True
    return len(wanted) == len(shape) and all(
        a is None or b is None or a == b for a, b in zip(wanted, shape, strict=True)
    )


def _reference(node: Node, view: View) -> str | None:
    """A tensor to hang constants on: one that the node reads, else an input of the model."""
    for name in node.inputs:
        if not view.is_known(name) and view.producer(name) is None:
            return view.resolve(name)
    return view.inputs[0] if view.inputs else None


