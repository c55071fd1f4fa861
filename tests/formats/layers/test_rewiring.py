"""Networks rewired: layers added after and before one."""

from __future__ import annotations

from modelfmt.layers.rewiring import INPUT, OUTPUT, Step, add_after, add_before
from modelfmt.network import Call, Layer, Network, Ref


def network(kind: str = "Functional", calls: int = 1) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4]})
    a = Layer("Dense", "a", calls=[Call([Ref("x")]) for _ in range(calls)])
    b = Layer("Softmax", "b", calls=[Call([Ref("a", calls - 1)], kwargs={"mask": Ref("a")})])
    return Network("m", kind, [x, a, b], [Ref("x")], [Ref("a"), Ref("b")])


def test_readers_of_the_layer_read_the_last_step() -> None:
    made = network()
    added = add_after(made, made.layer("a"), [Step("ReLU", {}), Step("Flatten", {})])
    assert [layer.name for layer in made.layers] == ["x", "a", "a_relu", "a_flatten", "b"]
    assert [layer.calls[0].inputs for layer in added] == [[Ref("a")], [Ref("a_relu")]]
    call = made.layer("b").calls[0]
    assert call.inputs == [Ref("a_flatten")] and call.kwargs == {"mask": Ref("a_flatten")}
    assert made.outputs == [Ref("a_flatten"), Ref("b")]


def test_steps_take_their_sources_by_number() -> None:
    made = network("Sequential")
    steps = [Step("ReLU", {}), Step("Add", {}, (OUTPUT, 0, INPUT))]
    added = add_after(made, made.layer("a"), steps)
    assert made.kind == "Functional"  # a row of layers says no such thing
    call = added[1].calls[0]
    assert call.inputs == [Ref("a"), Ref("a_relu"), Ref("x")] and call.structure


def test_a_row_of_layers_stays_a_sequential() -> None:
    made = network("Sequential")
    add_after(made, made.layer("a"), [Step("ReLU", {})])
    assert made.kind == "Sequential"


def test_each_call_of_a_shared_layer_has_its_own() -> None:
    made = network(calls=2)
    add_after(made, made.layer("a"), [Step("ReLU", {})])
    assert [c.inputs for c in made.layer("a_relu").calls] == [[Ref("a", 0)], [Ref("a", 1)]]
    assert made.layer("b").calls[0].inputs == [Ref("a_relu", 1)]


def test_names_are_new() -> None:
    made = network()
    steps = [Step("ReLU", {}), Step("ReLU", {}), Step("ReLU", {}, name="_end")]
    added = add_after(made, made.layer("a"), steps)
    assert [layer.name for layer in added] == ["a_relu", "a_relu_", "a_end"]


def test_before_a_layer() -> None:
    made = network(calls=2)
    new = add_before(made, made.layer("a"), Step("ReLU", {}, name="_first"))
    assert [layer.name for layer in made.layers] == ["x", "a_first", "a", "b"]
    assert [call.inputs for call in new.calls] == [[Ref("x")], [Ref("x")]]
    assert [c.inputs for c in made.layer("a").calls] == [[Ref("a_first", 0)], [Ref("a_first", 1)]]


def test_an_operation_is_in_no_sequential() -> None:
    made = network("Sequential")
    new = add_before(made, made.layer("a"), Step("Transpose", {}, module="keras.src.ops.numpy"))
    assert made.kind == "Functional" and new.is_operation
