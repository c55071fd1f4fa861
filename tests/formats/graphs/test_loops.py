"""What goes around in a loop over time."""

from __future__ import annotations

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.function_builder import FunctionBuilder, while_loop
from modelfmt.graphs.loops import is_range, loop_of, stacked
from modelfmt.graphs.view import View


def running(step: int = 1) -> View:
    """The running sums of a sequence (5, 2), of every ``step``-th row, as a list."""
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (5, 2))
    rows = graph.op("TensorListFromTensor", x, [2])
    out = graph.op("TensorListReserve", [2], 5, element_dtype=dtypes.float32)
    zero = graph.op("Fill", [2], graph.const(0.0, dtypes.float32))

    def turn(body: FunctionBuilder, counter: str, state: list[str]) -> list[str]:
        index = counter if step == 1 else body.op("Mul", counter, step)
        row = body.op(
            "TensorListGetItem", body.capture(rows), index, [2], element_dtype=dtypes.float32
        )
        total = body.op("AddV2", state[0], row, name="total")
        written = body.op("TensorListSetItem", state[1], counter, total)
        return [total, written]

    limit = graph.const(5, dtypes.int32, "limit")
    _, made = while_loop(graph, limit, [zero, out], turn, shapes=[(2,), ()])
    graph.op("TensorListStack", made, [2], element_dtype=dtypes.float32, name="y")
    return look(graph)


def test_the_variables_and_the_limit_of_a_loop() -> None:
    view = running()
    handle = stacked("y", view)
    assert handle is not None
    found = loop_of(handle, view)
    assert found is not None
    loop, variable = found
    assert len(loop.variables) == 3  # the counter, the sum, the list
    assert [view.scalar(limit) for limit in loop.limits() or ()] == [5]
    written = loop.written(variable)
    assert written is not None and loop.is_counter(written.index)
    node = view.producer(written.value)
    assert node is not None and node.op == "AddV2"
    assert loop.read(node.inputs[1]) == "x"
    carried = loop.variable(node.inputs[0])
    assert carried is not None and carried.following == written.value


def test_a_row_that_is_not_this_turns_is_none() -> None:
    view = running(step=2)
    handle = stacked("y", view)
    assert handle is not None
    found = loop_of(handle, view)
    assert found is not None
    reads = [name for name, node in view.live.items() if node.op == "TensorListGetItem"]
    assert reads and [found[0].read(name) for name in reads] == [None]


def test_ranges() -> None:
    graph = GraphBuilder()
    size = graph.placeholder("n", dtypes.int32, ())
    graph.op("Range", 0, size, 1, name="all")
    graph.op("Range", 1, size, 1, name="later")
    view = View(graph)
    assert is_range("all", view)
    assert not is_range("later", view)
