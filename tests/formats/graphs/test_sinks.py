"""Sinks: what nothing reads, without what no model yields."""

from __future__ import annotations

from collections.abc import Mapping

from modelfmt.dtypes import bool_, float32, from_name, int32
from modelfmt.graph import AttrValue, Func, Function, Graph, Node, Shape
from modelfmt.graphs.inline import inline
from modelfmt.graphs.sinks import file_names, sinks

F = {"T": float32}
X = Node("x", "Placeholder", [], {"dtype": float32, "shape": Shape((None, 4))})
FED = Node("fed", "Placeholder", [], {"dtype": bool_, "shape": Shape(())})


def op(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return Node(name, kind, list(inputs), {**F, **attrs})


def graph(*nodes: Node) -> Graph:
    return Graph({node.name: node for node in nodes})


def test_sinks_are_what_nothing_consumes() -> None:
    nodes = [X, Node("k", "Const"), op("a", "Relu", "x"), op("y", "Tanh", "a"),
             op("z", "Elu", "a"), Node("noop", "NoOp", ["^a"])]  # fmt: skip
    assert sinks(graph(*nodes)) == ["y", "z"]


def test_a_control_edge_consumes_nothing() -> None:
    assert sinks(graph(X, op("y", "Relu", "x"), Node("n", "NoOp", ["^y"]))) == ["y"]


def test_numbered_identities_come_in_their_order() -> None:
    names = [f"Identity_{k}" for k in range(11, 0, -1)] + ["Identity"]
    nodes = [X, *(op(name, "Identity", "x") for name in names)]
    assert sinks(graph(*nodes)) == ["Identity", *(f"Identity_{k}" for k in range(1, 12))]


def test_other_names_keep_the_order_of_the_file() -> None:
    names = ["out_2", "out", "out_1"]
    assert sinks(graph(X, *(op(name, "Identity", "x") for name in names))) == names


def test_handles_are_no_outputs_and_ops_nobody_knows_are() -> None:
    variant = from_name("variant")
    nodes = [X, op("y", "Relu", "x"), op("h", "Identity", "list", T=variant),
             Node("list", "TensorListReserve", ["x", "x"], {"element_dtype": float32,
             "shape_type": int32}), op("z", "Sorcery", "x")]  # fmt: skip
    assert sinks(graph(*nodes)) == ["y", "z"]


def test_what_a_function_leaves_unread_is_no_output() -> None:
    class Library(Graph):
        @property
        def functions(self) -> Mapping[str, Function]:
            body = {"u": op("u", "Tanh", "a"), "r": op("r", "Relu", "a")}
            return {"f": Function("f", body, ["a"], {"out": "r:activations:0"})}

    call = Node("y", "PartitionedCall", ["x"], {"f": Func("f"), "Tout": [float32]})
    expanded = inline(Library({"x": X, "y": call}))
    assert "y/u" in expanded and sinks(expanded) == ["y"]


# -- remnants of loops and branches ---------------------------------------------------------------


def loop(variables: int, exits: str) -> list[Node]:
    """A loop over so many variables; ``exits`` are the numbers of those that have an Exit."""
    nodes = [X, op("one", "Const", dtype=float32), Node("cond", "LoopCond", ["less"]),
             op("less", "Less", "m0", "em")]  # fmt: skip
    nodes.append(op("em", "Enter", "one", frame_name="f", is_constant=True))
    nodes.append(Node("control", "Identity", ["cond"], {"T": bool_}))
    for k in range(variables):
        nodes += [
            op(f"e{k}", "Enter", "x", frame_name="f"), op(f"m{k}", "Merge", f"e{k}", f"n{k}", N=2),
            op(f"s{k}", "Switch", f"m{k}", "cond"), op(f"b{k}", "Relu", f"s{k}:1"),
            op(f"n{k}", "NextIteration", f"b{k}"),
        ]  # fmt: skip
    return nodes + [op(f"exit{k}", "Exit", f"s{k}") for k in exits]


def test_what_stands_in_a_loop_is_no_output() -> None:
    nodes = [*loop(2, "1"), op("spare", "Tanh", "b0"), op("y", "Relu", "exit1")]
    assert sinks(graph(*nodes)) == ["y"]


def test_results_of_a_whole_loop_that_nobody_reads() -> None:
    """Lowering gives each variable of a loop its Exit, asked for or not."""
    assert sinks(graph(*loop(3, "012"), op("y", "Relu", "exit1"))) == ["y"]


def test_results_of_a_pruned_loop_are_there_for_a_reason() -> None:
    """TensorFlow 1 froze what the outputs need: an Exit that nothing reads is one."""
    assert sinks(graph(*loop(3, "12"), op("y", "Relu", "exit1"))) == ["exit2", "y"]
    assert sinks(graph(*loop(2, "01"))) == ["exit0", "exit1"]


def test_what_may_be_dead_is_no_output() -> None:
    branch = [X, FED, op("s", "Switch", "x", "fed"), op("a", "Relu", "s:1"), op("b", "Tanh", "s"),
              Node("p", "Switch", ["fed", "fed"], {"T": bool_}),
              Node("pivot", "Identity", ["p:1"], {"T": bool_}), op("spare", "Elu", "a"),
              Node("late", "RandomGamma", ["^pivot"], F)]  # fmt: skip
    assert sinks(graph(*branch, op("m", "Merge", "a", "b", N=2))) == ["m"]
    nested = [op("s2", "Switch", "s:1", "fed"), op("c", "Relu", "s2"), op("d", "Elu", "s2:1"),
              op("m2", "Merge", "c", "d", N=2)]  # fmt: skip
    assert sinks(graph(*branch, *nested, op("m", "Merge", "b", "a", N=2))) == ["m"]


def test_where_there_is_nothing_else_they_are_the_outputs() -> None:
    assert sinks(graph(X, FED, op("s", "Switch", "x", "fed"), op("y", "Relu", "s"))) == ["y"]


# -- what training brings along -------------------------------------------------------------------


def saver() -> list[Node]:
    names = [Node(n, "Const", [], {"dtype": from_name("string")}) for n in ("save/Const", "keys")]
    return [
        *names,
        Node("save/SaveV2", "SaveV2", ["save/Const", "keys", "keys", "w"], {"dtypes": [float32]}),
        Node("save/file", "Identity", ["save/Const", "^save/SaveV2"], {"T": from_name("string")}),
        Node("save/RestoreV2", "RestoreV2", ["save/Const", "keys", "keys"], {"dtypes": [float32]}),
        op("save/Assign", "Assign", "w", "save/RestoreV2"),
    ]


def trained() -> list[Node]:
    return [
        X, Node("w", "VariableV2", [], {"dtype": float32, "shape": Shape((4, 2))}),
        Node("zeros", "Const", [], {"dtype": float32}), op("w/Assign", "Assign", "w", "zeros"),
        op("w/read", "Identity", "w"), op("y", "MatMul", "x", "w/read"),
        Node("asked", "IsVariableInitialized", ["w"], {"dtype": float32}),
        op("training/gradients/dy", "Relu", "y"), op("unused", "Relu", "w/read"),
        Node("size", "Shape", ["x"], {"T": float32, "out_type": int32}),
    ]  # fmt: skip


def test_what_training_and_saving_need_is_no_output() -> None:
    assert sinks(graph(*trained(), op("out", "Relu", "y"), *saver())) == ["out"]


def test_where_there_is_no_model_they_are_the_outputs() -> None:
    nodes = [node for node in trained() if node.name in ("w", "zeros", "w/Assign", "asked")]
    assert sinks(graph(*nodes)) == ["w/Assign", "asked"]


def test_sizes_are_outputs_of_a_frozen_graph() -> None:
    size = Node("size", "Shape", ["x"], {"T": float32, "out_type": int32})
    assert sinks(graph(X, op("y", "Relu", "x"), size)) == ["y", "size"]


def test_names_of_files() -> None:
    assert file_names(graph(*trained(), *saver())) == {"save/Const", "save/file"}
    assert file_names(graph(*trained())) == set()
    read = Node("model/read", "StringLength", ["fed/name"])
    fed = Node("fed/name", "Placeholder", [], {"dtype": from_name("string")})
    restore = Node("r", "RestoreV2", ["fed/name", "keys", "keys"], {"dtypes": [float32]})
    keys = Node("keys", "Const", [], {"dtype": from_name("string")})
    assert "fed/name" in file_names(graph(fed, keys, restore))
    assert "fed/name" not in file_names(graph(fed, keys, restore, read))
