"""thaw: any graph as a model with variables, for a .meta file or a SavedModel.

Of a frozen graph those Consts become variables that were ones before they were frozen, or that
stand where weights do (weights.py):

    w = Const(value)                    w                     = VarHandleOp
    w/read = Identity(w)          ->    w/Read/ReadVariableOp = ReadVariableOp(w)
                                        w/read                = Identity(w/Read/ReadVariableOp)

In a graph that has variables, those stay, and Consts stay Consts. What the outputs need stays as
it is (kept.py); what fills lookup tables does too (tables.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MissingError, located
from modelfmt.graph import Graph, Node, parse_input
from modelfmt.graphs.inline import inline
from modelfmt.graphs.saver import Variable, made_node, read_node_of, variable_nodes
from modelfmt.graphs.variables import VARIABLES
from modelfmt.graphs.view import View
from modelfmt.surgery.kept import Kept, KeptGraph, free_name, redirected
from modelfmt.surgery.tables import assets_of
from modelfmt.surgery.weights import Uses, is_trained, variable_name
from modelfmt.tensor import Tensor
from modelfmt.tf.collections import VariableDef
from modelfmt.tf.metagraph import GraphWithVariables, MetaGraph, Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model


def thaw(
    container: Container,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
) -> Model:
    """The graph of a container as a model with variables.

    Args:
        container: a GraphDef, a .meta file or a SavedModel.
        inputs: tensors to take as inputs; the Placeholders where left out.
        outputs: tensors to take as outputs; the sinks where left out.
        signature: of a .meta or SavedModel, where neither is given.

    Raises:
        MissingError: a named tensor does not exist, or a variable has no value.
        ConversionError: a table that nothing fills.
        UnsupportedError: a table whose contents stand in a checkpoint.
    """
    if not container.has_graph:
        raise ConversionError("weights only: the file holds no graph")
    graph = container.graph
    values: Mapping[str, Tensor] = {}
    metagraph, found = None, None
    if isinstance(container, GraphWithVariables):
        metagraph, values = container.metagraph, container.values
        if not inputs and not outputs:
            found = metagraph.signature(signature)
    ends = found or _ends(graph, values, inputs, outputs)
    kept = Kept(graph, ends)
    assets = assets_of(container)
    tables = kept.keep_tables(assets)
    kept.settle()
    trained = {} if metagraph is None else _trained(metagraph)
    variables = _keep_variables(kept, values, trained)
    if metagraph is None:
        variables = _thaw_constants(kept)
    version = "" if metagraph is None else metagraph.message.meta_info_def.tensorflow_version
    return Model(
        KeptGraph(kept.nodes, graph), variables, kept.ends, tables, version, graph.producer
    )


def _ends(
    graph: Graph,
    values: Mapping[str, Tensor],
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
) -> Signature:
    """A signature for a graph that has none: its ends, by the names of their nodes."""
    whole = inline(graph)
    view = View(whole, inputs, outputs, values)
    ends = view.output_names
    if not outputs:
        loops = _in_loops(whole)
        ends = [
            name for name in ends
            if parse_input(name).node not in loops and _is_fetched(name, view)
        ]  # fmt: skip
    keyed: list[dict[str, TensorInfo]] = []
    for names in (view.inputs, ends):
        infos: dict[str, TensorInfo] = {}
        for name in names:
            infos[_key(name)] = TensorInfo(name, view.dtype(name), view.shape(name))
        keyed.append(infos)
    return Signature(keyed[0], keyed[1])


def _is_fetched(tensor: str, view: View) -> bool:
    """Whether a sink may be an output: no result of a loop that nothing reads, no handle."""
    kind = view.dtype(tensor)
    handle = kind is not None and kind.name in ("resource", "variant")
    return not handle and view.graph[parse_input(tensor).node].op not in ("Exit", "RefExit")


def _in_loops(graph: Graph) -> set[str]:
    """The nodes between the Enter and the Exit of a loop, whose values nobody can fetch."""
    todo = [node.name for node in graph.values() if node.op in ("Enter", "RefEnter")]
    found = set(todo)
    readers = graph.consumers() if todo else {}
    while todo:
        for name in readers[todo.pop()]:
            if name not in found and graph[name].op not in ("Exit", "RefExit"):
                found.add(name)
                todo.append(name)
    return found


def _key(tensor: str) -> str:
    """``a`` for the first output of a node, ``a_1`` for the next."""
    return tensor.replace(":", "_")


# --- variables that a graph has ---


def _keep_variables(
    kept: Kept, values: Mapping[str, Tensor], stated: Mapping[str, bool]
) -> list[Variable]:
    """The graph's own variables, each with its value and a node that reads it.

    Args:
        stated: of variables by name, whether they are trained.
    """
    found = []
    for node in [n for n in kept.nodes.values() if n.op in VARIABLES]:
        with located(key=f'node "{node.name}"'):
            if node.name not in values:
                raise MissingError("a variable whose value no checkpoint holds")
            value = values[node.name]
        resource = node.op == "VarHandleOp"
        if resource and node.attrs.get("shared_name") != node.name:
            changed = kept.changing(node.name)
            changed.attrs["shared_name"] = node.name
            changed.attrs["container"] = ""
        shared = node.attrs.get("shared_name") or node.name
        trainable = stated.get(node.name, stated.get(str(shared)))
        if trainable is None:
            trainable = is_trained(node.name)
        read = _reader(kept, node.name, value.dtype, resource=resource)
        found.append(
            Variable(node.name, value, read, trainable and value.dtype.is_floating, resource)
        )
    return found


def _reader(kept: Kept, name: str, dtype: DType, *, resource: bool) -> str:
    """The node that reads a variable, made where none does so at any time."""
    new = (
        read_node_of(name, dtype) if resource
        else made_node("Identity", f"{name}/read", [name], [dtype])
    )  # fmt: skip
    there = kept.nodes.get(new.name)
    if there is not None and (there.op, there.inputs) == (new.op, new.inputs):
        return new.name
    new.name = free_name(new.name, kept.nodes.__contains__)
    kept.nodes[new.name] = new
    return new.name


def _trained(metagraph: MetaGraph) -> dict[str, bool]:
    """Whether each variable is trained, by name, as the collections or the object graph say."""
    trained: dict[str, bool] = {}
    for key in ("variables", "trainable_variables"):
        collection = metagraph.collections.get(key)
        if collection is None:
            continue
        if collection.errors:
            raise collection.errors[0]
        for value in collection.values:
            if isinstance(value, VariableDef):
                trained[value.name.removesuffix(":0")] = key == "trainable_variables"
    for node in metagraph.message.object_graph_def.nodes:
        if node.WhichOneof("kind") == "variable":
            trained[node.variable.name] = node.variable.trainable
    return trained


# --- constants that become variables ---


def _thaw_constants(kept: Kept) -> list[Variable]:
    """Turn the weights of a frozen graph into variables, in its order."""
    uses = Uses(kept.nodes, kept.graph.functions)
    chosen = [node for node in kept.nodes.values() if uses.is_weight(node)]
    gone = {node.name for node in chosen}
    taken: set[str] = set()
    found: list[Variable] = []
    sources: dict[str, str] = {}
    placed: dict[str, list[Node]] = {}
    for node in chosen:
        value = node.attrs["value"]
        assert isinstance(value, Tensor)
        slot = uses.slot(node.name)
        name = free_name(
            variable_name(node.name, slot, kept.nodes),
            lambda n: n in taken or (n in kept.nodes and n not in gone)
            or f"{n}/Read/ReadVariableOp" in kept.nodes,
        )  # fmt: skip
        handle, read = made = variable_nodes(name, value)
        taken.update((handle.name, read.name))
        placed[node.name] = made
        sources[node.name] = read.name
        trained = is_trained(name, slot) and value.dtype.is_floating
        found.append(Variable(name, value, read.name, trained))
    kept.redirect(sources)
    whole: dict[str, Node] = {}
    for key, node in kept.nodes.items():
        whole.update((each.name, each) for each in placed.get(key, [node]))
    kept.nodes = whole
    outputs = {
        key: dataclasses.replace(info, tensor=redirected(info.tensor, sources))
        for key, info in kept.ends.outputs.items()
    }
    kept.ends = dataclasses.replace(kept.ends, outputs=outputs)
    return found
