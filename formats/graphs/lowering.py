"""Loops that are functions as TensorFlow 1 spells them: frames, and arrays instead of lists.

    s = StatelessWhile(s0, v)             s/Enter = Enter(s0)        v' = Enter(v, is_constant)
        cond(s, v), body(s, v)      ->    s/Merge = Merge(s/Enter, s/NextIteration)
                                          s/LoopCond = LoopCond(cond(s/Merge, v'))
                                          s/Switch = Switch(s/Merge, s/LoopCond)
                                          s/Exit = Exit(s/Switch:0), the result
                                          s/NextIteration = NextIteration(body(s/Switch:1, v'))

    TensorListReserve, TensorListFromTensor      TensorArrayV3; with TensorArrayScatterV3
    TensorListGetItem, TensorListSetItem         TensorArrayReadV3, TensorArrayWriteV3
    TensorListStack, TensorListLength            TensorArrayGatherV3, TensorArraySizeV3

A list is a value; an array is a handle, that stays the same in a loop, and a flow, that stands
where the list stood. Nodes of a body that read nothing hang on a control edge, or they would run
outside of the frame. Source: tensorflow/python/ops/control_flow_ops.py (while_loop, as TensorFlow 1
writes it), tensor_array_ops.py, and while_v2.py for what the bodies hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, CorruptFileError, Where
from modelfmt.graph import (
    AttrValue,
    Func,
    Function,
    Graph,
    Node,
    Shape,
    parse_input,
    tensor_name,
)
from modelfmt.graphs.inline import port
from modelfmt.graphs.order import ordered
from modelfmt.graphs.saver import const_node, made_node
from modelfmt.tensor import Tensor

LOOPS = frozenset({"While", "StatelessWhile"})
LISTS = frozenset({
    "TensorListReserve", "TensorListFromTensor", "TensorListGetItem", "TensorListSetItem",
    "TensorListStack", "TensorListLength",
})  # fmt: skip
_RESOURCE = dtypes.from_name("resource")
_VARIANT = dtypes.from_name("variant")
#: TensorFlow has no shape of more.
_MOST_AXES = 254


def lower(graph: Graph, ends: Sequence[str] = ()) -> dict[str, Node]:
    """The nodes of ``graph`` without functional loops and lists.

    Args:
        graph: with the functions of its loops.
        ends: tensors whose names must go on to exist.

    Raises:
        ConversionError: a list that comes from or goes where no array can.
        CorruptFileError: a loop of a function that the graph lacks.
    """
    lowering = _Lowering(graph)
    lowering.emit(graph, {}, "", [])
    fetched = [parse_input(end).node for end in ends]
    for end in fetched:
        lowering.keep(end)
    lowering.drop_unread(fetched)
    return lowering.nodes


class _Lowering:
    """The nodes made so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {}
        #: A tensor as it was called -> as it is called now, where that differs.
        self.now: dict[str, str] = {}
        #: The flow of an array -> its handle, as seen in the same frame.
        self.handles: dict[str, str] = {}
        self.kinds: dict[str, list[AttrValue]] = {}

    def emit(
        self, body: Graph, arguments: Mapping[str, str], scope: str, control: list[str]
    ) -> Callable[[str], str]:
        """The nodes of a graph or a body below ``scope``; what its edges are called now.

        Args:
            body: a graph, or a Function.
            arguments: the tensors that its arguments are.
            scope: ends in a slash, or is empty.
            control: control edges for nodes that read nothing.
        """

        def edge(text: str) -> str:
            if text.startswith("^"):
                name = text[1:]
                source = arguments.get(name) or self.now.get(f"^{scope}{name}", scope + name)
                return f"^{parse_input(source).node}"
            parsed = parse_input(text)
            if parsed.node in arguments:
                return arguments[parsed.node]
            if parsed.node not in body:
                raise CorruptFileError(f"reads {text!r}, which does not exist")
            at = port(body[parsed.node], text, self.graph)
            full = tensor_name(scope + parsed.node, at)
            return self.now.get(full, full)

        def read(name: str) -> list[str]:
            node = body[name]
            if node.op in ("NextIteration", "RefNextIteration"):
                return []
            return [n for n in (parse_input(i).node for i in node.inputs) if n in body]

        for name in ordered(body, read):
            node = body[name]
            inputs = list(dict.fromkeys(control)) if not node.inputs else []
            if node.op in ("NextIteration", "RefNextIteration"):
                inputs = list(node.inputs)  # a loop of frames already: what it reads comes later
            else:
                inputs += [edge(i) for i in node.inputs]
            if node.op in LOOPS:
                self._loop(node, scope + name, inputs)
            elif node.op in LISTS:
                self._list(node, scope + name, inputs)
            elif any(i in self.handles for i in inputs) and node.op != "Identity":
                raise _refused(node, "reads a list as a whole")
            else:
                new = node.copy()
                new.name, new.inputs = scope + name, inputs
                self.nodes[new.name] = new
                if node.op == "Identity" and inputs[0] in self.handles:
                    new.attrs["T"] = dtypes.float32
                    self.handles[new.name] = self.handles[inputs[0]]
        return edge

    def keep(self, end: str) -> None:
        """An IdentityN by the name of a loop, for those who fetch its results."""
        if end not in self.nodes and end in self.kinds:
            results = [self.now[tensor_name(end, k)] for k in range(len(self.kinds[end]))]
            self.nodes[end] = Node(end, "IdentityN", results, {"T": self.kinds[end]})

    def drop_unread(self, ends: Iterable[str]) -> None:
        """Remove what nothing reads any more, and nothing fetches: sinks are outputs."""
        own = {name for name, readers in self.graph.consumers().items() if not readers}
        own.update(ends)
        counts = Counter(parse_input(i).node for n in self.nodes.values() for i in n.inputs)
        todo = [name for name in self.nodes if name not in own and not counts[name]]
        while todo:
            for text in self.nodes.pop(todo.pop()).inputs:
                name = parse_input(text).node
                counts[name] -= 1
                if not counts[name] and name not in own:
                    todo.append(name)

    # --- loops ---

    def _loop(self, node: Node, name: str, inputs: list[str]) -> None:
        controls = [i for i in inputs if i.startswith("^")]
        inputs = [i for i in inputs if not i.startswith("^")]
        cond, body = self._function(node, "cond"), self._function(node, "body")
        kinds = [dtypes.float32 if k is _VARIANT else k for k in _types(node)]
        self.kinds[name] = list(kinds)
        results = list(body.results.values())
        turns = int(str(node.attrs.get("parallel_iterations", 10)))
        seen: list[str] = []
        varying: list[int] = []
        for k, (source, kind) in enumerate(zip(inputs, kinds, strict=True)):
            invariant = results[k] == body.arguments[k]
            enter = self._enter(f"{name}/Enter{_number(k)}", source, kind, name, turns, invariant)
            self.nodes[enter].inputs += controls
            if source in self.handles:
                array = self._enter(
                    f"{name}/Enter{_number(k)}/handle", self.handles[source], _RESOURCE, name,
                    turns, True,
                )  # fmt: skip
                self.handles[enter] = array
            seen.append(enter)
            if not invariant:
                varying.append(k)
                merge = self._add(
                    "Merge", f"{name}/Merge{_number(k)}", [enter, enter], [kind, kind]
                )
                self._share(enter, merge)
                seen[k] = merge
        if not varying:
            raise _refused(node, "changes nothing")
        edge = self.emit(
            cond, dict(zip(cond.arguments, seen, strict=True)), f"{name}/cond/",
            [f"^{seen[varying[0]]}"],
        )  # fmt: skip
        (asked,) = cond.results.values()
        going = self._add("LoopCond", f"{name}/LoopCond", [edge(asked)], [dtypes.bool_])
        given = list(seen)
        for k in varying:
            both = self._add(
                "Switch", f"{name}/Switch{_number(k)}", [seen[k], going], [kinds[k], dtypes.bool_]
            )
            given[k] = self._add(
                "Identity", f"{name}/Identity{_number(k)}", [f"{both}:1"], [kinds[k]]
            )
            self._share(seen[k], given[k])
        edge = self.emit(
            body, dict(zip(body.arguments, given, strict=True)), f"{name}/body/",
            [f"^{given[varying[0]]}"],
        )  # fmt: skip
        for k, result in enumerate(results):
            old = tensor_name(name, k)
            if k not in varying:
                self.now[old] = inputs[k]
                continue
            back = f"{name}/NextIteration{_number(k)}"
            following = self._add("NextIteration", back, [edge(result)], [kinds[k]])
            self.nodes[seen[k]].inputs[1] = following
            exit_ = self._add(
                "Exit", f"{name}/Exit{_number(k)}", [f"{name}/Switch{_number(k)}"], [kinds[k]]
            )
            self.now[old] = exit_
            if inputs[k] in self.handles:
                self.handles[exit_] = self.handles[inputs[k]]
        self.now[f"^{name}"] = self.now[tensor_name(name, varying[0])]

    def _function(self, node: Node, attr: str) -> Function:
        called = node.attrs.get(attr)
        function = self.graph.functions.get(called.name) if isinstance(called, Func) else None
        if function is None:
            raise CorruptFileError(f'node "{node.name}" calls a function that the graph lacks')
        return function

    def _enter(
        self, name: str, source: str, kind: DType, frame: str, turns: int, invariant: bool
    ) -> str:
        return self._add(
            "Enter", name, [source], [kind],
            frame_name=frame, is_constant=invariant, parallel_iterations=turns,
        )  # fmt: skip

    def _share(self, source: str, tensor: str) -> None:
        if source in self.handles:
            self.handles[tensor] = self.handles[source]

    # --- lists ---

    def _list(self, node: Node, name: str, inputs: list[str]) -> None:
        kind = node.attrs.get("element_dtype", dtypes.int32)  # TensorListLength has none
        if not isinstance(kind, DType):
            raise _refused(node, "of no dtype")
        int32, flow = dtypes.int32, dtypes.float32
        if node.op in ("TensorListReserve", "TensorListFromTensor"):
            size = inputs[1]
            if node.op == "TensorListFromTensor":
                shape = self._add("Shape", f"{name}/Shape", [inputs[0]], [kind])
                bounds = [self._const(f"{name}/{n}", [v], inputs) for n, v in _FIRST.items()]
                size = self._add(
                    "StridedSlice", f"{name}/size", [shape, *bounds], [int32] * 4,
                    shrink_axis_mask=1,
                )  # fmt: skip
            array = self._add(
                "TensorArrayV3", f"{name}/TensorArrayV3", [size], [int32],
                dtype=kind, clear_after_read=False,
            )  # fmt: skip
            made = f"{array}:1"
            if node.op == "TensorListFromTensor":
                rows = self._range(name, size, inputs)
                made = self._add(
                    "TensorArrayScatterV3", f"{name}/TensorArrayScatterV3",
                    [array, rows, inputs[0], made], [_RESOURCE, int32, kind, flow],
                )  # fmt: skip
            self.now[name] = made
            self.handles[made] = array
            return
        if inputs[0] not in self.handles:
            raise _refused(node, "reads a list from elsewhere")
        array = self.handles[inputs[0]]
        if node.op == "TensorListGetItem":
            self._add(
                "TensorArrayReadV3", name, [array, inputs[1], inputs[0]],
                [_RESOURCE, int32, flow], dtype=kind,
            )  # fmt: skip
        elif node.op == "TensorListSetItem":
            self._add(
                "TensorArrayWriteV3", name, [array, inputs[1], inputs[2], inputs[0]],
                [_RESOURCE, int32, kind, flow],
            )  # fmt: skip
            self.handles[name] = array
        elif node.op == "TensorListLength":
            self._add("TensorArraySizeV3", name, [array, inputs[0]], [_RESOURCE, flow])
        else:
            size = self._add(
                "TensorArraySizeV3", f"{name}/size", [array, inputs[0]], [_RESOURCE, flow]
            )
            rows = self._range(name, size, inputs)
            self._add(
                "TensorArrayGatherV3", name, [array, rows, inputs[0]], [_RESOURCE, int32, flow],
                dtype=kind, element_shape=self._shape(inputs[1]),
            )  # fmt: skip

    def _range(self, name: str, size: str, inputs: Sequence[str]) -> str:
        start, step = (self._const(f"{name}/{n}", v, inputs) for n, v in _STEPS.items())
        return self._add("Range", f"{name}/range", [start, size, step], [dtypes.int32] * 3)

    def _const(self, name: str, value: object, inputs: Sequence[str]) -> str:
        """An int32 Const that runs in the frame in which ``inputs`` are."""
        node = const_node(name, value, dtypes.int32)  # type: ignore[arg-type]
        node.inputs = [f"^{parse_input(inputs[0]).node}"]
        self.nodes[name] = node
        return name

    def _shape(self, tensor: str) -> Shape:
        """The value of a shape that is a Const; unknown else."""
        node = self.nodes.get(parse_input(tensor).node)
        value = node.attrs.get("value") if node is not None and node.op == "Const" else None
        if not isinstance(value, Tensor) or len(value.shape) != 1 or value.size > _MOST_AXES:
            return Shape(None)
        return Shape(tuple(None if size < 0 else int(size) for size in value.numpy()))

    def _add(
        self, op: str, name: str, inputs: list[str], kinds: Sequence[DType], **attrs: AttrValue
    ) -> str:
        if name in self.nodes or (name in self.graph and self.graph[name].op not in LISTS):
            raise ConversionError(
                "a loop needs a name that another node has", where=Where(key=f'node "{name}"')
            )
        self.nodes[name] = made_node(op, name, inputs, kinds, **attrs)
        return name


#: The operands of a StridedSlice that takes a shape's first size, and of a Range of all rows.
_FIRST = {"begin": 0, "end": 1, "strides": 1}
_STEPS = {"start": 0, "delta": 1}


def _number(k: int) -> str:
    return f"_{k}" if k else ""


def _types(node: Node) -> list[DType]:
    kinds = node.attrs.get("T")
    return [k for k in kinds if isinstance(k, DType)] if isinstance(kinds, list) else []


def _refused(node: Node, what: str) -> ConversionError:
    return ConversionError(
        f"{node.op} {what}: TensorFlow 1 has no word for it", where=Where(key=f'node "{node.name}"')
    )
