"""A model's computation as a function, and a graph that calls it, as TensorFlow 2 serves it.

    serving_default_x                 Placeholder, one for each input of the signature
    dense/kernel                      VarHandleOp
    StatefulPartitionedCall           calls __inference_signature_wrapper_0 with the inputs, in
                                      order of their keys, and then the variables it reads

An argument is named as its key, in what an OpDef allows; results stand in order of their keys.
Source: tensorflow/python/saved_model/signature_serialization.py, function_serialization.py and
core/framework/function.proto.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container, Mapping

from modelfmt import dtypes, proto
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.graph import Func, Function, Graph, Node, Shape, parse_input, tensor_name
from modelfmt.graphs.builder import fit_name
from modelfmt.graphs.saver import Variable, made_node
from modelfmt.ops import opdefs
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.attrvalue import write_attr
from modelfmt.tf.functiondef import read_function
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model, fill_shape
from modelfmt.tf.nodedef import write_node

#: TensorFlow numbers functions, and takes prefix and number off again when it loads them.
_FUNCTION = "__inference_signature_wrapper_0"
_CALL = "StatefulPartitionedCall"
_PLACEHOLDER = "serving_default_{}"
_UNFIT = re.compile(r"[^a-z0-9_]")
_RESOURCE = dtypes.from_name("resource")


@dataclasses.dataclass(frozen=True)
class Served:
    """A model that calls a function.

    Attributes:
        model: the calling graph, and the signature in its terms.
        function: the function's name.
        captured: the names of the variables that follow the inputs among its arguments.
    """

    model: Model
    function: str
    captured: list[str]


class _Calling(Graph):
    """The nodes that call, and the library with what they call."""

    def __init__(self, nodes: Mapping[str, Node], library: Mapping[str, Function]) -> None:
        super().__init__(nodes)
        self._library = library

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._library


def served(model: Model) -> Served:
    """``model`` with all that it computes moved into a function.

    Raises:
        UnsupportedError: a variable of TensorFlow 1, a table, or an op that is not in our table.
        MismatchError: an input of the signature that is no Placeholder.
    """
    if model.table_initializers or any(not v.is_resource for v in model.variables):
        raise UnsupportedError("a function of tables or of variables of TensorFlow 1")
    inputs, outputs = (
        dict(sorted(infos.items()))
        for infos in (model.signature.inputs, model.signature.outputs)
    )
    body = _Body(model, inputs)
    name = _free(_FUNCTION, model.graph.functions)
    raw = body.function_def(name, outputs).SerializeToString(deterministic=True)
    nodes = {
        part: model.graph[part] for v in model.variables for part in (v.name, v.read)
    }  # fmt: skip
    placeholders = {}
    for key, info in inputs.items():
        node = made_node(
            "Placeholder", _free(fit_name(_PLACEHOLDER.format(key)), nodes), [], [],
            dtype=info.dtype, shape=Shape(info.shape),
        )  # fmt: skip
        nodes[node.name] = placeholders[key] = node
    call = made_node(
        _CALL, _free(_CALL, nodes),
        [*(node.name for node in placeholders.values()), *body.captured],
        [*(_dtype(info) for info in inputs.values()), *[_RESOURCE] * len(body.captured)],
        f=Func(name), Tout=[_dtype(info) for info in outputs.values()],
        _output_shapes=[Shape(info.shape) for info in outputs.values()],
    )  # fmt: skip
    nodes[call.name] = call
    signature = Signature(
        {k: dataclasses.replace(info, tensor=placeholders[k].name) for k, info in inputs.items()},
        {
            k: dataclasses.replace(info, tensor=tensor_name(call.name, number))
            for number, (k, info) in enumerate(outputs.items())
        },
        model.signature.method,
    )
    library = {**model.graph.functions, name: read_function(raw)}
    calling = dataclasses.replace(model, graph=_Calling(nodes, library), signature=signature)
    return Served(calling, name, list(body.captured))


class _Body:
    """The nodes of the function, its arguments in the place of Placeholders and variables."""

    def __init__(self, model: Model, inputs: Mapping[str, TensorInfo]) -> None:
        self.graph = model.graph
        self.variables = {variable.name: variable for variable in model.variables}
        self.inputs = inputs
        for key, info in inputs.items():
            if self.graph[parse_input(info.tensor).node].op != "Placeholder":
                raise MismatchError(f'the input "{key}" is no Placeholder', found=info.tensor)
        sources = {parse_input(info.tensor).node: key for key, info in inputs.items()}
        needed = self._needed(model.signature)
        self.captured = {name: v for name, v in self.variables.items() if name in needed}
        self.nodes = {
            name: node for name, node in model.graph.items()
            if name in needed and name not in sources and name not in self.captured
        }  # fmt: skip
        #: Names of nodes that are arguments instead -> the arguments' names.
        self.arguments: dict[str, str] = {}
        taken = set(self.nodes)
        for source, wanted in {**sources, **{name: name for name in self.captured}}.items():
            self.arguments[source] = _free(_fit(wanted), taken)
            taken.add(self.arguments[source])

    def _needed(self, signature: Signature) -> set[str]:
        """The nodes that the outputs depend on."""
        needed: set[str] = set()
        todo = [parse_input(info.tensor).node for info in signature.outputs.values()]
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo.extend(parse_input(i).node for i in self.graph[name].inputs)
        return needed

    def function_def(self, name: str, outputs: Mapping[str, TensorInfo]) -> proto.FunctionDef:
        """The FunctionDef: signature, nodes, results, and what is known of the arguments."""
        message = proto.FunctionDef()
        message.signature.name = name
        message.signature.is_stateful = bool(self.captured)
        for number, (key, info) in enumerate(self.inputs.items()):
            source = parse_input(info.tensor).node
            message.signature.input_arg.add(
                name=self.arguments[source], type=_dtype(info).enum
            )
            shapes = write_attr([Shape(info.shape)])
            attrs = message.arg_attr[number].attr
            attrs["_user_specified_name"].s = key.encode()
            attrs["_output_shapes"].MergeFromString(b"".join(map(piece_bytes, shapes)))
        for captured, variable in self.captured.items():
            _capture(message, self.arguments[captured], variable)
        for node in self.nodes.values():
            rewritten = Node(node.name, node.op, [self._edge(i) for i in node.inputs],
                             node.attrs, node.device)
            raw = b"".join(map(piece_bytes, write_node(rewritten)))
            message.node_def.add().MergeFromString(raw)
        taken: set[str] = set()
        for key, info in outputs.items():
            result = _free(_fit(key), taken)
            taken.add(result)
            message.signature.output_arg.add(name=result, type=_dtype(info).enum)
            message.ret[result] = self._edge(info.tensor)
        return message

    def _edge(self, text: str) -> str:
        """``a:1`` as ``a:output_arg:index``; an argument is its own name."""
        edge = parse_input(text)
        if edge.port < 0:
            return text
        if edge.node in self.arguments:
            return self.arguments[edge.node]
        node = self.nodes[edge.node]
        row = opdefs.get(node.op)
        if row is None:
            raise UnsupportedError(f'op {node.op} of node "{node.name}", within a function')
        first = 0
        for argument in row.outputs:
            count = opdefs.width(argument, node.attrs)
            if edge.port < first + count:
                return f"{edge.node}:{argument.name}:{edge.port - first}"
            first += count
        raise MismatchError(f"input {text!r} names no tensor of this graph")


def _capture(message: proto.FunctionDef, name: str, variable: Variable) -> None:
    """One more argument: the handle of a variable, and what the variable holds."""
    argument = message.signature.input_arg.add(name=name, type=_RESOURCE.enum)
    data = argument.handle_data.add(dtype=variable.value.dtype.enum)
    fill_shape(data.shape, variable.value.shape)


def _free(wanted: str, taken: Container[str]) -> str:
    """``wanted``, with ``_1``, ``_2`` where it is taken."""
    name, count = wanted, 0
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def _fit(name: str) -> str:
    """``name`` in the letters that an argument's name may have."""
    fitted = _UNFIT.sub("_", name.lower())
    return fitted if fitted[:1].isalpha() else f"arg_{fitted}"


def _dtype(info: TensorInfo) -> dtypes.DType:
    if info.dtype is None:
        raise MismatchError(f'"{info.tensor}" of the signature is no tensor')
    return info.dtype

