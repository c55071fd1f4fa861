"""Conditionals of TensorFlow 2 whose predicate is known, resolved to the branch that is taken.

    y = If(phase, x; then=train, else=infer)          y/relu = Relu(x)
    infer(a) { relu = Relu(a)                   ->    y      = IdentityN(y/relu)
               return relu:activations:0 }

The branch is expanded as if it were called. What the predicate is, a View knows: it follows
constants and the learning phase, which is false at inference. A conditional on anything else
stays. Source: tensorflow/core/ops/functional_ops.cc; core/kernels/functional_ops.cc, ToBool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelfmt.errors import CorruptFileError
from modelfmt.graph import Dims, Func, Graph, Node
from modelfmt.graphs.branches import chosen
from modelfmt.graphs.frames import framed
from modelfmt.graphs.inline import inline
from modelfmt.graphs.input_shapes import told_shapes
from modelfmt.graphs.view import View
from modelfmt.tensor import Tensor

_IFS = {"If", "StatelessIf", "_If"}
_CASES = {"Case", "StatelessCase"}
#: Conditionals within conditionals; a function that calls itself never ends.
_MAX_DEPTH = 100


def look(
    graph: Graph,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    values: Mapping[str, Tensor] | None = None,
) -> View:
    """A View of ``graph`` in which conditionals on what is known are gone.

    Args: as those of View; calls in ``graph`` are expanded where they are not yet.

    Raises:
        CorruptFileError: a branch is a function that the library lacks, or that takes itself.
        MissingError, MismatchError: as View.
    """
    graph = framed(inline(graph), outputs or ())
    for _ in range(_MAX_DEPTH):
        view = View(graph, inputs, outputs, values)
        taken = dict(_taken(view))
        if not taken:
            told: dict[str, Dims] = {}
            while (more := told_shapes(view, told)) != told:
                told, view = more, View(graph, inputs, outputs, values, more)
            return view
        graph = framed(inline(graph, taken), outputs or ())
    raise CorruptFileError("conditionals within conditionals without end", found=[*taken])


def _taken(view: View) -> Iterator[tuple[str, Func]]:
    """The conditionals that the outputs need and whose predicate is known, each with its branch."""
    for node in view.live.values():
        if node.op in _IFS | _CASES and node.inputs:
            branches = _branches(node)
            value = view.scalar(node.inputs[0])
            if value is None or not branches:
                continue
            index = int(value) if node.op in _CASES else int(not value)
            yield node.name, branches[chosen(index, len(branches))]


def _branches(node: Node) -> list[Func]:
    """What a conditional may call, in the order of the numbers that choose it."""
    if node.op in _IFS:
        listed = [node.attrs.get("then_branch"), node.attrs.get("else_branch")]
    else:
        stated = node.attrs.get("branches")
        listed = stated if isinstance(stated, list) else []
    found = [branch for branch in listed if isinstance(branch, Func)]
    return found if len(found) == len(listed) else []
