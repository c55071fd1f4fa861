"""Functions and loops of a graph that grows.

    out = StatelessWhile(counter, limit, *state, *captured; cond=loop_cond, body=loop_body)
    loop_body(counter, limit, *state, *captured) -> counter + 1, limit, *next state, *captured

A loop carries a counter and its limit first, as TensorFlow's own while_loop does: the gradient of
the op asks for them there. What a body reads of the graph around it is *captured*: it becomes one
more argument, that the loop hands on unchanged. Source: tensorflow/python/ops/while_v2.py and
tensorflow/core/framework/function.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError
from modelfmt.graph import Dims, Func, Function, Node, Shape, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.table_builder import Table
from modelfmt.ops import opdefs
from modelfmt.ops.shapes import Static
from modelfmt.tensor import Tensor


class BuiltFunction(Function):
    """A function that no file holds yet.

    Attributes:
        taken, yielded: the dtypes of its arguments and of its results, in order.
    """

    def __init__(
        self, name: str, nodes: dict[str, Node], arguments: dict[str, DType],
        results: dict[str, tuple[str, DType]],
    ) -> None:  # fmt: skip
        super().__init__(
            name, nodes, list(arguments), {key: tensor for key, (tensor, _) in results.items()}
        )
        self.taken = list(arguments.values())
        self.yielded = [dtype for _, dtype in results.values()]


class FunctionBuilder(GraphBuilder):
    """The body of a function that grows within ``outer``; ``arguments`` are its tensors so far."""

    def __init__(self, outer: GraphBuilder) -> None:
        super().__init__()
        self._outer = outer
        self.keras_major = outer.keras_major
        self._functions = outer._functions
        self._captured: dict[str, str] = {}
        self.arguments: list[str] = []

    @property
    def captured(self) -> list[str]:
        """The tensors of the graph around that the body reads, in the order of their arguments."""
        return list(self._captured)

    def argument(self, name: str, dtype: DType, shape: Dims) -> str:
        """One more argument; the tensor that the body sees."""
        full = self.unique(name)
        self._static[full], self._dtype[full] = Static(shape, None, dtype), dtype
        self._taken.add(full)
        self.arguments.append(full)
        return full

    def capture(self, tensor: str) -> str:
        """A tensor of the graph around, as the body sees it; asked again, the same one."""
        if tensor not in self._captured:
            shape, dtype = self._outer.shape(tensor), self._outer.dtype(tensor)
            stem = parse_input(tensor).node.replace("/", "_").lower()
            self._captured[tensor] = self.argument(stem, dtype, shape)
        return self._captured[tensor]

    def weight(self, tensor: Tensor, name: str | None = None) -> str:
        """A weight stands in the graph around; the body captures what reads it."""
        return self.capture(self._outer.weight(tensor, name))

    def table_handle(self, table: Table) -> str | None:
        """A table stands in the graph around, where that can hold one."""
        handle = self._outer.table_handle(table)
        return None if handle is None else self.capture(handle)

    def finished(self, name: str, results: Sequence[str]) -> BuiltFunction:
        """The function, with its edges spelled as in a FunctionDef; known to the graph from now on.

        Args:
            name: of the function, made unique in the graph.
            results: tensors of the body, arguments among them.
        """
        nodes = {
            node.name: Node(node.name, node.op, [self._edge(i) for i in node.inputs], node.attrs)
            for node in self._grown.values()
        }
        taken = {argument: self._dtype[argument] for argument in self.arguments}
        named = {
            f"output_{k}": (self._edge(tensor), self.dtype(tensor))
            for k, tensor in enumerate(results)
        }
        full, count = name, 0
        while full in self._functions:
            count += 1
            full = f"{name}_{count}"
        function = BuiltFunction(full, nodes, taken, named)
        self._functions[full] = function
        return function

    def _edge(self, tensor: str) -> str:
        """``a:1`` as ``a:output_arg:index``; an argument is its own name."""
        edge = parse_input(tensor)
        if edge.node in self.arguments:
            return edge.node
        node = self._grown[edge.node]
        row = opdefs.get(node.op)
        first = 0
        for argument in row.outputs if row else ():
            count = opdefs.width(argument, node.attrs)
            if edge.port < first + count:
                return f"{edge.node}:{argument.name}:{edge.port - first}"
            first += count
        raise MismatchError(f"input {tensor!r} names no tensor of this function")


#: One turn of a loop: given the body's builder, the counter and the state, the next state.
Turn = Callable[[FunctionBuilder, str, list[str]], Sequence[str]]


def while_loop(
    graph: GraphBuilder, limit: str, state: Sequence[str], turn: Turn,
    *, shapes: Sequence[Dims] | None = None, name: str = "while",
) -> list[str]:  # fmt: skip
    """A loop of ``limit`` turns, as a StatelessWhile; the state after the last one.

    Args:
        graph: where the loop goes.
        limit: a scalar int32 tensor.
        state: the tensors that the first turn gets.
        turn: builds the body; called once.
        shapes: of the state in every turn, where they are not those of ``state``.
        name: of the node.
    """
    start = graph.const(0, dtypes.int32, f"{name}/loop_counter")
    operands = [start, limit, *state]
    dims = [(), (), *(shapes or map(graph.shape, state))]

    def opened() -> tuple[FunctionBuilder, list[str]]:
        inner = FunctionBuilder(graph)
        names = ["counter", "limit", *(f"state_{k}" for k in range(len(state)))]
        return inner, [
            inner.argument(stem, graph.dtype(tensor), shape)
            for stem, tensor, shape in zip(names, operands, dims, strict=True)
        ]

    body, (counter, end, *inside) = opened()
    following = turn(body, counter, inside)
    advanced = body.op("AddV2", counter, 1, name="next")
    captured = [body.capture(tensor) for tensor in body.captured]
    stem = graph.unique(name).replace("/", "_")
    done = body.finished(f"{stem}_body", [advanced, end, *following, *captured])
    condition, (counter, end, *_) = opened()
    for tensor in body.captured:
        condition.capture(tensor)
    less = condition.op("Less", counter, end)
    asked = condition.finished(f"{stem}_cond", [less])
    dims += [graph.shape(tensor) for tensor in body.captured]
    outputs = graph.ops(
        "StatelessWhile", *operands, *body.captured, name=name,
        cond=Func(asked.name), body=Func(done.name),
        output_shapes=[Shape(shape) for shape in dims],
    )  # fmt: skip
    return outputs[2 : 2 + len(state)]

