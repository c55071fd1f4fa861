"""Writer: whole models as graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.errors import ConversionError, MismatchError, UnknownLayerError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import sinks
from modelfmt.layers import infer_specs, write_network
from modelfmt.network import Call, Layer, Network, Ref, Spec
from modelfmt.tensor import Tensor
from modelfmt.tf.graphdef import write_graphdef


def x(name: str = "x", *shape: int | None, dtype: str = "float32") -> Layer:
    return Layer("InputLayer", name, {"batch_shape": list(shape or (None, 4)), "dtype": dtype})


def dense(name: str, *sources: Any, units: int = 4, size: int = 4, **config: Any) -> Layer:
    values = np.arange(size * units, dtype="f4").reshape(size, units)
    weights = {
        "kernel": Tensor.from_numpy("kernel", values),
        "bias": Tensor.from_numpy("bias", np.ones(units, "f4")),
    }
    return Layer("Dense", name, config, weights, calls=[Call([ref(s)]) for s in sources])


def merge(name: str, *sources: Any) -> Layer:
    return Layer("Add", name, calls=[Call([ref(s) for s in sources], structure=True)])


def ref(source: Any) -> Ref:
    return source if isinstance(source, Ref) else Ref(source)


def network(layers: list[Layer], inputs: list[str], outputs: list[Any]) -> Network:
    return Network("m", layers=layers, inputs=[Ref(i) for i in inputs],
                   outputs=[ref(o) for o in outputs])  # fmt: skip


def written(model: Network) -> GraphBuilder:
    graph = GraphBuilder()
    write_network(model, graph)
    return graph


def test_a_model() -> None:
    graph = written(network([x(), dense("d", "x", activation="relu")], ["x"], ["d"]))
    assert list(graph) == ["x", "d/kernel", "d/MatMul", "d/bias", "d/BiasAdd", "d/Relu", "d"]
    assert (graph["d"].op, graph["d"].inputs) == ("Identity", ["d/Relu"])
    assert graph["x"].attrs["dtype"] is float32 and graph.shape("x") == (None, 4)
    assert graph.shape("d") == (None, 4)


def test_inputs_and_outputs_keep_the_models_order_and_names() -> None:
    layers = [x("a"), x("b", 2, 4), merge("s", "b", "a"), dense("p", "s"), dense("q", "s")]
    graph = GraphBuilder()
    assert write_network(network(layers, ["b", "a"], ["q", "p"]), graph) == ["q", "p"]
    assert list(graph)[:2] == ["b", "a"]
    assert sinks(graph) == ["q", "p"]


def test_the_sinks_are_exactly_the_outputs() -> None:
    layers = [x(), dense("d", "x"), dense("unused", "d"), merge("s", "d", "x")]
    graph = written(network(layers, ["x"], ["s", "d"]))
    assert sinks(graph) == ["s", "d"]
    assert not any(name.startswith("unused") for name in graph)


def test_an_output_that_is_an_input_or_stands_twice() -> None:
    graph = GraphBuilder()
    model = network([x(), dense("d", "x")], ["x"], ["x", "d", "d"])
    assert write_network(model, graph) == ["x_1", "d", "d_1"]
    assert sinks(graph) == ["x_1", "d", "d_1"]


def test_a_layer_called_twice_has_its_weights_once() -> None:
    layers = [x("a"), x("b"), dense("s", "a", "b"), merge("y", Ref("s", 0), Ref("s", 1))]
    graph = written(network(layers, ["a", "b"], ["y"]))
    consts = [name for name, node in graph.items() if node.op == "Const"]
    assert consts == ["s/kernel", "s/bias"]
    assert graph["s/MatMul"].inputs == ["a", "s/kernel"]
    assert graph["s_1/MatMul"].inputs == ["b", "s/kernel"]
    assert graph["y/AddV2"].inputs == ["s/BiasAdd", "s_1/BiasAdd"]


def test_a_second_call_takes_no_other_layers_scope() -> None:
    layers = [x(), dense("s", "x", Ref("s", 0)), dense("s_1", Ref("s", 1))]
    graph = written(network(layers, ["x"], ["s_1"]))
    scopes = {name.split("/")[0] for name, node in graph.items() if node.op == "MatMul"}
    assert len(scopes) == 3 and {"s", "s_1"} < scopes
    assert graph["s_1/MatMul"].inputs[1] == "s_1/kernel"


def test_a_nested_model_is_written_in_its_scope() -> None:
    inner = network([x("i"), dense("d", "i"), dense("e", "d")], ["i"], ["e"])
    outer = Layer("Functional", "inner", network=inner, calls=[Call([Ref("x")])])
    graph = written(network([x(), outer, dense("y", "inner")], ["x"], ["y"]))
    assert graph["inner/d/MatMul"].inputs == ["x", "inner/d/kernel"]
    assert graph["y/MatMul"].inputs[0] == "inner/e/BiasAdd"
    assert sinks(graph) == ["y"]


def test_a_nested_model_called_twice() -> None:
    inner = network([x("i"), dense("d", "i")], ["i"], ["d"])
    outer = Layer("Functional", "inner", network=inner, calls=[Call([Ref("x")]), Call([Ref("z")])])
    layers = [x(), x("z"), outer, merge("y", Ref("inner", 0), Ref("inner", 1))]
    graph = written(network(layers, ["x", "z"], ["y"]))
    assert [n for n, node in graph.items() if node.op == "Const"] == [
        "inner/d/kernel", "inner/d/bias",
    ]  # fmt: skip
    assert graph["inner_1/d/MatMul"].inputs == ["z", "inner/d/kernel"]


def test_a_nested_model_of_several_inputs_and_outputs() -> None:
    inner = network(
        [x("i"), x("j"), merge("s", "i", "j"), dense("d", "s")], ["i", "j"], ["d", "s"]
    )
    outer = Layer("Functional", "n", network=inner, calls=[Call([Ref("x"), Ref("z")])])
    layers = [x(), x("z"), outer, merge("y", Ref("n", 0, 0), Ref("n", 0, 1))]
    graph = written(network(layers, ["x", "z"], ["y"]))
    assert graph["y/AddV2"].inputs == ["n/d/BiasAdd", "n/s/AddV2"]


def test_dropout_leaves_no_node() -> None:
    drop = Layer("Dropout", "drop", {"rate": 0.5}, calls=[Call([Ref("x")])])
    graph = written(network([x(), drop, dense("d", "drop")], ["x"], ["d"]))
    assert not any("drop" in name for name in graph)
    assert graph["d/MatMul"].inputs[0] == "x"


def test_names_that_tensorflow_refuses() -> None:
    graph = written(network([x("my in"), dense("_d e", "my in")], ["my in"], ["_d e"]))
    assert next(iter(graph)) == "my_in" and ".d_e/MatMul" in graph


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a.pb", "b.pb"):
        layers = [x("a"), x("b"), dense("s", "a", "b"), merge("y", Ref("s", 0), Ref("s", 1))]
        write_graphdef(written(network(layers, ["a", "b"], ["y"])), str(tmp_path / name))
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_specs_are_noted_on_every_call() -> None:
    layers = [x("a", None, 7, 4), x("b", 2, 4), dense("s", "a", "b", units=3)]
    infer_specs(network(layers, ["a", "b"], [Ref("s", 0), Ref("s", 1)]))
    assert [call.outputs for call in layers[2].calls] == [
        [Spec((None, 7, 3), "float32")], [Spec((2, 3), "float32")],
    ]  # fmt: skip


def test_the_dtype_of_an_input() -> None:
    graph = written(network([x("i", None, dtype="int32")], ["i"], ["i"]))
    assert graph["i"].attrs["dtype"] is int32


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([x(), Layer("Cauldron", "c", calls=[Call([Ref("x")])])], UnknownLayerError, "Cauldron"),
        ([x(), dense("d", Ref("x", 0, 5))], MismatchError, "made by no layer"),
        ([x(), dense("d", "x", size=5)], MismatchError, 'layer "d".*kernel does not fit'),
        ([x(), dense("d")], MismatchError, "never called"),
        ([x(), Layer("Dense", "d", calls=[Call([])])], MismatchError, "called on nothing"),
        ([x(), dense("d", "d")], MismatchError, "depends on itself"),
        ([x(), dense("d", "e"), dense("e", "d"), dense("f", "d")], MismatchError, "depends on it"),
        ([x(), dense("d", "x", activation="sorcery")], ConversionError, "sorcery"),
        ([x(dtype="resource"), dense("d", "x")], ConversionError, "only dense inputs"),
    ],
)
def test_what_makes_no_sense_is_named(layers: list[Layer], error: Any, words: str) -> None:
    if layers[0].config["dtype"] == "resource":
        layers[0].config["sparse"] = True
    with pytest.raises(error, match=words):
        written(network(layers, ["x"], [layers[-1].name]))


def test_a_model_without_outputs() -> None:
    with pytest.raises(MismatchError, match="no outputs"):
        written(network([x()], ["x"], []))


def test_an_argument_that_cannot_be_written() -> None:
    layer = dense("d", "x")
    layer.calls[0].kwargs = {"initial_state": [1]}
    with pytest.raises(ConversionError, match="initial_state"):
        written(network([x(), layer], ["x"], ["d"]))
    layer.calls[0].kwargs = {"training": False, "mask": None}
    assert "d" in written(network([x(), layer], ["x"], ["d"]))


@pytest.mark.oracle
def test_tensorflow_runs_a_shared_nested_model(tmp_path: Path) -> None:
    import tensorflow as tf

    inner = network([x("i"), dense("d", "i", activation="relu")], ["i"], ["d"])
    outer = Layer("Functional", "n", network=inner, calls=[Call([Ref("x")]), Call([Ref("z")])])
    layers = [x(), x("z"), outer, merge("y", Ref("n", 0), Ref("n", 1))]
    path = tmp_path / "g.pb"
    write_graphdef(written(network(layers, ["x", "z"], ["y", Ref("n", 1)])), str(path))
    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((3, 4)).astype("f4") for _ in range(2))
    kernel = np.arange(16, dtype="f4").reshape(4, 4)
    first, second = (np.maximum(v @ kernel + 1, 0) for v in (a, b))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            got = session.run(["y:0", "n:0"], {"x:0": a, "z:0": b})
    np.testing.assert_allclose(got[0], first + second, rtol=1e-6)
    np.testing.assert_allclose(got[1], second, rtol=1e-6)
