"""freeze: a graph with variables as one that holds their values and does nothing but inference.

    x, v = Placeholder, VarHandleOp             x, v = Placeholder, Const(v's value)
    r = ReadVariableOp(v)                 ->    r = Identity(v)
    y = MatMul(x, r)                            y = MatMul(x, r)
    save/..., init, train: all the rest         (nothing)

The walk begins at the outputs, so that training, saving and input pipelines are never met. Nodes
that stay keep their bytes, but for devices and colocations: those speak of the machine and of
nodes that are gone. Source: tensorflow/python/framework/graph_util_impl.py and
convert_to_constants.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelfmt.container import Container
from modelfmt.errors import ConversionError, MissingError
from modelfmt.graph import Graph
from modelfmt.graphs.branches import is_phase
from modelfmt.graphs.variables import VARIABLES
from modelfmt.surgery.freezer import End, Freezer, FrozenGraph
from modelfmt.surgery.tables import assets_of
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.tf.metagraph import TensorInfo


def freeze(
    graph: Graph,
    inputs: Sequence[End] = (),
    outputs: Sequence[End] = (),
    values: Mapping[str, Tensor] | None = None,
    assets: Mapping[str, str] | None = None,
) -> FrozenGraph:
    """The part of ``graph`` between inputs and outputs, in inference mode, its variables Consts.

    Args:
        graph: with calls inlined where variables go into them; it is not changed.
        inputs: where to cut; where left out, the Placeholders that the outputs need.
        outputs: the only sinks; where left out, those of the graph that depend on an input.
        values: what each variable holds, by node name.
        assets: path of the file that each tensor stands for, where a lookup table is filled
            from one.

    Raises:
        ConversionError: the outputs need a variable without a value, a Placeholder that is no
            input, or what no GraphDef can hold (a lookup table, an assignment).
        MissingError: an input or output that the graph lacks.
    """
    return Freezer(graph, inputs, outputs, values or {}, assets or {}).frozen()


def freeze_container(
    container: Container,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
) -> Graph:
    """The graph of a GraphDef file, a .meta file or a SavedModel, frozen.

    A GraphDef that has neither a learning phase nor ends to cut it at stays as it is.

    Args:
        container: open.
        inputs, outputs: tensors, which keep their names.
        signature: its inputs and outputs are taken, under the names of their keys, where no
            tensors are named; ``serving_default`` where left out, else the only one.

    Raises: as ``freeze``.
        MissingError: no such signature, or no checkpoint where variables are needed.
    """
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        if not inputs and not outputs and not any(map(is_phase, container.graph.values())):
            return container.graph
        return freeze(container.graph, [*map(End, inputs or ())], [*map(End, outputs or ())])
    graph = container.graph
    if container.checkpoint is None and any(n.op in VARIABLES for n in graph.values()):
        raise MissingError("the checkpoint with the variables' values is missing")
    if not inputs and not outputs:
        found = container.metagraph.signature(signature)
        if found is not None:
            taken, given = (
                [End(_tensor(i, key), key, i.dtype, i.shape) for key, i in infos.items()]
                for infos in (found.inputs, found.outputs)
            )
            return freeze(graph, taken, given, container.values, assets_of(container))
    taken, given = (list(map(End, names or ())) for names in (inputs, outputs))
    return freeze(graph, taken, given, container.values, assets_of(container))


def _tensor(info: TensorInfo, key: str) -> str:
    if not info.tensor or info.dtype is None:
        raise ConversionError(f'the signature has no plain tensor for "{key}"')
    return info.tensor
