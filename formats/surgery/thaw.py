"""thaw: any graph as a model with variables, for a .meta file or a SavedModel.

Of a frozen graph those Consts become variables that were ones before they were frozen, or that
stand where weights do:

    a Const that feeds ``.../read`` or ``.../ReadVariableOp`` (an Identity)      any dtype
    a Const called ``.../ReadVariableOp/resource``                               any dtype
    a float of rank 1 or more in a slot of ``_SLOTS``, as it is or through Enter

and never one with control inputs, which may stand in a loop or a branch; it stays what it is.
In a graph that has variables, those stay, and Consts stay Consts. Nodes that the outputs do not
need are left out; all others keep their bytes, save for inputs that name another node now.

Source: tensorflow/python/framework/convert_to_constants.py and graph_util_impl.py, for what
freezing leaves.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from modelfmt import dtypes, opdefs
from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MissingError, located
from modelfmt.graph import Function, Graph, Node, Shape, parse_input, tensor_name
from modelfmt.inline import inline
from modelfmt.saver import Variable, const_node, made_node, read_node_of, variable_nodes
from modelfmt.surgery.tables import asset_files, initializers
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import GraphWithVariables, MetaGraph, Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.savedmodel import SavedModel
from modelfmt.variables import VARIABLES
from modelfmt.view import View

_NORMALIZATION = {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"}
#: op -> the inputs that take weights, and what Keras calls these.
_SLOTS: dict[str, dict[int, str]] = {
    op: slots
    for ops, slots in (
        ("MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 SparseMatMul", {0: "kernel", 1: "kernel"}),
        ("Conv2D Conv3D Conv2DBackpropInput Conv3DBackpropInputV2 Dilation2D", {1: "kernel"}),
        ("DepthwiseConv2dNative", {1: "depthwise_kernel"}),
        ("BiasAdd BiasAddV1", {1: "bias"}),
        ("Gather GatherV2 ResourceGather", {0: "embeddings"}),
        ("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3", _NORMALIZATION),
        ("BatchNormWithGlobalNormalization",
         {1: "moving_mean", 2: "moving_variance", 3: "beta", 4: "gamma"}),
    )
    for op in ops.split()
}  # fmt: skip
_NOT_TRAINED = re.compile(r"(^|/)(moving_|running_|.*batch_norm.*/(mean|variance)$)")
#: Names of nodes that read a variable, and of the Consts that freezing puts in its place.
_READ = re.compile(r"(^|/)(read|ReadVariableOp(_\d+)?)$")
_FROZEN = re.compile(r"/(ReadVariableOp(_\d+)?/resource|resource)$|(?<=embedding_lookup)/\d+$")
_NUMBER = re.compile(r"_\d+$")
#: Scopes that TensorFlow opens around an op, beside those named as the op itself.
_OP_SCOPES = frozenset({"Tensordot", "convolution", "batchnorm", "embedding_lookup", "einsum"})
_LOOKED_THROUGH = frozenset({"Identity", "Enter", "RefEnter", "Cast", "Reshape", "Squeeze"})


class Thawed(Graph):
    """A graph of other nodes, with the functions and the version of the one that it was."""

    def __init__(self, nodes: Mapping[str, Node], origin: Graph) -> None:
        super().__init__(nodes)
        self._origin = origin
        self.producer = origin.producer

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._origin.functions


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
    graph, values = container.graph, dict[str, Tensor]()
    metagraph, found = None, None
    if isinstance(container, GraphWithVariables):
        metagraph, values = container.metagraph, container.values
        if not inputs and not outputs:
            found = metagraph.signature(signature)
    ends = found or _ends(graph, values, inputs, outputs)
    kept = _Kept(graph, ends)
    assets = _assets(container)
    tables = kept.keep_tables(assets)
    kept.settle()
    if metagraph is None:
        variables = _thaw_constants(kept)
    else:
        variables = _keep_variables(kept, values, metagraph)
    version = "" if metagraph is None else metagraph.message.meta_info_def.tensorflow_version
    return Model(Thawed(kept.nodes, graph), variables, kept.ends, tables, version)


def _assets(container: Container) -> dict[str, str]:
    if not isinstance(container, SavedModel):
        return {}
    listed = container.metagraph.message.asset_file_def
    return asset_files(container.folder, [(a.tensor_info.name, a.filename) for a in listed])


def _ends(
    graph: Graph,
    values: Mapping[str, Tensor],
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
) -> Signature:
    """A signature for a graph that has none: its ends, by the names of their nodes."""
    view = View(inline(graph), inputs, outputs, values)
    keyed: list[dict[str, TensorInfo]] = []
    for names in (view.inputs, view.output_names):
        infos: dict[str, TensorInfo] = {}
        for name in names:
            infos[_key(name)] = TensorInfo(name, view.dtype(name), view.shape(name))
        keyed.append(infos)
    return Signature(*keyed)


def _key(tensor: str) -> str:
    """``a`` for the first output of a node, ``a_1`` for the next."""
    return tensor.replace(":", "_")


class _Kept:
    """The nodes that are needed for the outputs, ready to be changed.

    Attributes:
        nodes: by name, in the graph's order; copies where they are changed.
        ends: the signature; inputs that are no Placeholders have become some.
    """

    def __init__(self, graph: Graph, ends: Signature) -> None:
        self.graph, self.ends = graph, ends
        self._cut: dict[str, str] = {}
        stand_ins: dict[str, Node] = {}
        infos: dict[str, TensorInfo] = {}
        for key, info in ends.inputs.items():
            edge = parse_input(info.tensor)
            if graph[edge.node].op in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault"):
                infos[key] = info
                continue
            name = edge.node if edge.port == 0 else f"{edge.node}_{edge.port}"
            kind = info.dtype or _dtype(graph[edge.node], edge.port)
            stand_ins[name] = made_node(
                "Placeholder", name, [], [], dtype=kind, shape=Shape(info.shape)
            )
            self._cut[tensor_name(edge.node, edge.port)] = name
            infos[key] = dataclasses.replace(info, tensor=name)
        self.ends = dataclasses.replace(ends, inputs=infos)
        self._stand_ins = stand_ins
        self._names: set[str] = {parse_input(info.tensor).node for info in infos.values()}
        self._names -= stand_ins.keys()
        self.walk(info.tensor for info in ends.outputs.values())
        self._extra: list[Node] = []
        self.nodes: dict[str, Node] = {}

    def walk(self, tensors: Iterable[str]) -> None:
        """Keep what these tensors need, by data or control edges."""
        todo = list(tensors)
        while todo:
            text = todo.pop()
            edge = parse_input(text)
            if tensor_name(edge.node, max(edge.port, 0)) in self._cut:
                continue
            if edge.node not in self._names:
                self._names.add(edge.node)
                todo.extend(self.graph[edge.node].inputs)

    def keep_tables(self, assets: Mapping[str, str]) -> list[str]:
        """Keep what fills the tables; the names of the nodes to run."""
        self._extra = initializers(self.graph, sorted(self._names), assets)
        made = {node.name for node in self._extra}
        self.walk(i for node in self._extra for i in node.inputs if parse_input(i).node not in made)
        return [node.name for node in self._extra if node.op != "Const"]

    def settle(self) -> None:
        """Make ``nodes``: in order, without what would name nodes that are gone."""
        made = {node.name: node for node in (*self._stand_ins.values(), *self._extra)}
        self.nodes = dict(self._stand_ins)
        fed = {parse_input(info.tensor).node for info in self.ends.inputs.values()}
        for name, node in self.graph.items():
            if name in self._names and name not in made:
                self.nodes[name] = node
                if node.op == "Placeholder" and "learning_phase" in name and name not in fed:
                    self.nodes[name] = const_node(name, False, dtypes.bool_)
        for node in self._extra:
            self.nodes[node.name] = node
        for name in list(self.nodes):
            self._repair(name)
        self.redirect({
            source: name for source, name in self._cut.items() if source != name
        })  # fmt: skip

    def _repair(self, name: str) -> None:
        """A node as a graph takes it: located with nodes that exist, a call without results."""
        node = self.nodes[name]
        if node.op == "IdentityN" and not node.data_inputs:
            self.nodes[name] = Node(name, "NoOp", list(node.inputs))
        places = node.attrs.get("_class")
        if isinstance(places, list):
            there = [p for p in places if str(p).removeprefix("loc:@") in self.nodes]
            if there != places:
                changed = self.changing(name)
                del changed.attrs["_class"]
                if there:
                    changed.attrs["_class"] = there

    def changing(self, name: str) -> Node:
        """The node, to be changed: not the container's own."""
        node = self.nodes[name]
        if self.graph.get(name) is node:
            node = self.nodes[name] = node.copy()
        return node

    def redirect(self, tensors: Mapping[str, str]) -> None:
        """Make every input that is a key of ``tensors`` the tensor that stands for it."""
        if not tensors:
            return
        for name, node in list(self.nodes.items()):
            inputs = [_redirected(i, tensors) for i in node.inputs]
            if inputs != node.inputs:
                self.changing(name).inputs = inputs


def _redirected(text: str, tensors: Mapping[str, str]) -> str:
    edge = parse_input(text)
    if edge.port < 0:
        return f"^{tensors[edge.node]}" if edge.node in tensors else text
    return tensors.get(tensor_name(edge.node, edge.port), text)


def _dtype(node: Node, port: int) -> DType:
    return opdefs.output_dtypes(node.op, node.attrs)[port]


# --- variables that a graph has ---


def _keep_variables(
    kept: _Kept, values: Mapping[str, Tensor], metagraph: MetaGraph
) -> list[Variable]:
    """The graph's own variables, each with its value and a node that reads it."""
    trained, slices = _stated(metagraph)
    found = []
    for node in [n for n in kept.nodes.values() if n.op in VARIABLES]:
        with located(key=f'node "{node.name}"'):
            if node.name not in values:
                raise MissingError("a variable without a value in the checkpoint")
            value = values[node.name]
            if node.name in slices:
                value = _sliced(value, *slices[node.name])
        resource = node.op == "VarHandleOp"
        if resource and node.attrs.get("shared_name") != node.name:
            changed = kept.changing(node.name)
            changed.attrs["shared_name"] = node.name
            changed.attrs["container"] = ""
        shared = node.attrs.get("shared_name") or node.name
        trainable = trained.get(node.name, trained.get(str(shared)))
        if trainable is None:
            trainable = _NOT_TRAINED.search(node.name) is None
        read = _reader(kept, node.name, value.dtype, resource=resource)
        found.append(
            Variable(node.name, value, read, trainable and value.dtype.is_floating, resource)
        )
    return found


def _reader(kept: _Kept, name: str, dtype: DType, *, resource: bool) -> str:
    """The node that reads a variable, made where none does so at any time."""
    new = (
        read_node_of(name, dtype) if resource
        else made_node("Identity", f"{name}/read", [name], [dtype])
    )  # fmt: skip
    there = kept.nodes.get(new.name)
    if there is not None and (there.op, there.inputs) == (new.op, new.inputs):
        return new.name
    new.name = _free(new.name, kept.nodes.__contains__)
    kept.nodes[new.name] = new
    return new.name


def _stated(
    metagraph: MetaGraph,
) -> tuple[dict[str, bool], dict[str, tuple[list[int], list[int]]]]:
    """What collections or the object graph tell of variables by name: whether they are trained,
    and of one that is part of another, offset and size of the part."""
    from modelfmt import proto

    trained: dict[str, bool] = {}
    parts: dict[str, tuple[list[int], list[int]]] = {}
    for key in ("variables", "trainable_variables"):
        if key not in metagraph.message.collection_def:
            continue
        for raw in metagraph.message.collection_def[key].bytes_list.value:
            stated = proto.VariableDef.FromString(raw)
            name = stated.variable_name.removesuffix(":0")
            trained[name] = key == "trainable_variables"
            part = stated.save_slice_info_def
            if part.full_name:
                parts[name] = list(part.var_offset), list(part.var_shape)
    for node in metagraph.message.object_graph_def.nodes:
        if node.WhichOneof("kind") == "variable":
            trained[node.variable.name] = node.variable.trainable
    return trained, parts


def _sliced(value: Tensor, offset: Sequence[int], size: Sequence[int]) -> Tensor:
    if tuple(size) == value.shape:
        return value
    part = tuple(slice(o, o + n) for o, n in zip(offset, size, strict=True))
    return Tensor.from_numpy(value.name, value.numpy()[part])


# --- constants that become variables ---


def _thaw_constants(kept: _Kept) -> list[Variable]:
    """Turn the weights of a frozen graph into variables, in its order."""
    users = _users(kept.nodes)
    chosen = [node for node in kept.nodes.values() if is_weight(node, kept.nodes, users)]
    gone = {node.name for node in chosen}
    taken: set[str] = set()
    found: list[Variable] = []
    redirected: dict[str, str] = {}
    placed: dict[str, list[Node]] = {}
    for node in chosen:
        value = node.attrs["value"]
        assert isinstance(value, Tensor)
        slot = _slot(node.name, kept.nodes, users, through=_LOOKED_THROUGH)
        name = _free(
            variable_name(node.name, slot, kept.nodes),
            lambda n: n in taken or (n in kept.nodes and n not in gone)
            or f"{n}/Read/ReadVariableOp" in kept.nodes,
        )  # fmt: skip
        handle, read = made = variable_nodes(name, value)
        taken.update((handle.name, read.name))
        placed[node.name] = made
        redirected[node.name] = read.name
        trained = slot not in ("moving_mean", "moving_variance") and not _NOT_TRAINED.search(name)
        found.append(Variable(name, value, read.name, trained and value.dtype.is_floating))
    kept.redirect(redirected)
    whole: dict[str, Node] = {}
    for key, node in kept.nodes.items():
        whole.update((each.name, each) for each in placed.get(key, [node]))
    kept.nodes = whole
    outputs = {
        key: dataclasses.replace(info, tensor=_redirected(info.tensor, redirected))
        for key, info in kept.ends.outputs.items()
    }
    kept.ends = dataclasses.replace(kept.ends, outputs=outputs)
    return found


Users = Mapping[str, Sequence[tuple[Node, int]]]


def _users(nodes: Mapping[str, Node]) -> dict[str, list[tuple[Node, int]]]:
    """For each node, those that read its first output, and which of their inputs it is."""
    users: dict[str, list[tuple[Node, int]]] = {}
    for node in nodes.values():
        for port, text in enumerate(node.data_inputs):
            edge = parse_input(text)
            if edge.port == 0:
                users.setdefault(edge.node, []).append((node, port))
    return users


def is_weight(node: Node, nodes: Mapping[str, Node], users: Users) -> bool:
    """Whether a Const of a frozen graph was a variable, or holds what should be one."""
    value = node.attrs.get("value") if node.op == "Const" else None
    if not isinstance(value, Tensor) or node.controls or not value.size:
        return False
    if _FROZEN.search(node.name) or any(_reads(u, users) for u, _ in users.get(node.name, ())):
        return True
    return (
        value.dtype.is_floating and bool(value.shape)
        and _slot(node.name, nodes, users, through=frozenset({"Enter"})) is not None
    )  # fmt: skip


def _reads(node: Node, users: Users) -> bool:
    """Whether a node was the read of a variable, in a loop behind an Enter."""
    if node.op == "Enter":
        return any(_reads(user, users) for user, _ in users.get(node.name, ()))
    return node.op == "Identity" and _READ.search(node.name) is not None


def _slot(
    name: str, nodes: Mapping[str, Node], users: Users, *, through: frozenset[str]
) -> str | None:
    """What the first weight slot that a tensor reaches calls it; None where it reaches none."""
    seen, todo = {name}, [name]
    while todo:
        for user, port in users.get(todo.pop(0), ()):
            slot = _SLOTS.get(user.op, {}).get(port)
            if slot is not None:
                return slot
            if user.op in through and port == 0 and user.name not in seen:
                seen.add(user.name)
                todo.append(user.name)
    return None


def variable_name(const: str, slot: str | None, nodes: Mapping[str, Node]) -> str:
    """The name of the variable that a Const was, or may have been.

    TensorFlow 1 keeps the variable's own name. TensorFlow 2 names the Const after the op that
    reads it: ``dense/MatMul/ReadVariableOp/resource`` becomes ``dense/kernel``.
    """
    base = _FROZEN.sub("", const)
    if base == const:
        return const
    scope, _, last = base.rpartition("/")
    stem = _NUMBER.sub("", last)
    is_op = base in nodes or opdefs.get(stem) is not None or stem in _OP_SCOPES
    if not is_op:
        scope = base
    elif _NUMBER.sub("", scope.rpartition("/")[2]) in _OP_SCOPES:
        scope = scope.rpartition("/")[0]
    return "/".join(part for part in (scope, slot or "variable") if part)


def _free(name: str, taken: Callable[[str], bool]) -> str:
    """``name``, or the first of ``name_1``, ``name_2`` that is not taken."""
    free, count = name, 0
    while taken(free):
        count += 1
        free = f"{name}_{count}"
    return free
