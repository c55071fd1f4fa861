"""The part of a graph that is kept: walked from the outputs, cut at the inputs."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MissingError
from modelfmt.graph import Graph, Node, Shape
from modelfmt.surgery.kept import Kept, KeptGraph, free_name, redirected
from modelfmt.tf.metagraph import Signature, TensorInfo


def graph(*nodes: Node) -> Graph:
    return Graph({node.name: node for node in nodes})


def placeholder(name: str) -> Node:
    return Node(name, "Placeholder", [], {"dtype": float32, "shape": Shape((None,))})


def relu(name: str, *inputs: str) -> Node:
    return Node(name, "Relu", list(inputs), {"T": float32})


def ends(inputs: dict[str, str], outputs: dict[str, str]) -> Signature:
    def infos(named: dict[str, str]) -> dict[str, TensorInfo]:
        return {key: TensorInfo(tensor, float32, (None,)) for key, tensor in named.items()}

    return Signature(infos(inputs), infos(outputs))


def kept(whole: Graph, inputs: dict[str, str], outputs: dict[str, str]) -> Kept:
    found = Kept(whole, ends(inputs, outputs))
    found.settle()
    return found


def test_what_the_outputs_need_is_kept_in_order() -> None:
    whole = graph(
        relu("train", "y"), placeholder("x"), relu("y", "x", "^c"), relu("c", "x"),
        relu("save", "c"), placeholder("unused"),
    )  # fmt: skip
    found = kept(whole, {"in": "x"}, {"out": "y"})
    assert list(found.nodes) == ["x", "y", "c"]
    assert all(found.nodes[name] is whole[name] for name in found.nodes)


def test_an_input_that_is_no_placeholder_becomes_one() -> None:
    whole = graph(placeholder("file"), relu("pipe", "file"), relu("y", "pipe"))
    found = kept(whole, {"in": "pipe"}, {"out": "y"})
    assert {n.name: n.op for n in found.nodes.values()} == {"pipe": "Placeholder", "y": "Relu"}
    assert found.nodes["pipe"].attrs["shape"] == Shape((None,))
    assert found.ends.inputs["in"].tensor == "pipe"


def test_a_further_output_of_a_pipeline_is_renamed() -> None:
    next_ = Node("next", "IteratorGetNext", ["it"], {"output_types": [float32, dtypes.int32]})
    whole = graph(Node("it", "OneShotIterator"), next_, relu("y", "next:1"), relu("next_1", "y"))
    found = kept(whole, {"in": "next:1"}, {"out": "y"})
    assert found.ends.inputs["in"].tensor == "next_1_1"
    assert found.nodes["y"].inputs == ["next_1_1"] and "next" not in found.nodes
    assert whole["y"].inputs == ["next:1"]


def test_a_node_whose_other_output_is_needed_stays() -> None:
    split = Node("s", "Split", ["d", "x"], {"num_split": 2, "T": float32})
    whole = graph(Node("d", "Const"), placeholder("x"), split, relu("y", "s", "s:1"))
    found = kept(whole, {"x": "x", "in": "s"}, {"out": "y"})
    assert found.nodes["s"].op == "Split" and found.nodes["y"].inputs == ["s_0", "s:1"]


def test_a_default_of_an_input_is_kept() -> None:
    default = Node("x", "PlaceholderWithDefault", ["c"], {"dtype": float32})
    found = kept(graph(Node("c", "Const"), default), {"x": "x"}, {"y": "x"})
    assert list(found.nodes) == ["c", "x"]


def test_the_learning_phase_is_false_unless_it_is_fed() -> None:
    phase = Node("keras_learning_phase", "Placeholder", [], {"dtype": dtypes.bool_})
    whole = graph(phase, relu("y", "keras_learning_phase"))
    found = kept(whole, {}, {"y": "y"}).nodes["keras_learning_phase"]
    assert found.op == "Const" and not found.attrs["value"].numpy()  # type: ignore[union-attr]
    fed = kept(whole, {"p": "keras_learning_phase"}, {"y": "y"})
    assert fed.nodes["keras_learning_phase"] is phase


def test_a_placeholder_that_is_no_input_is_named() -> None:
    with pytest.raises(ConversionError, match='node "rate"'):
        kept(graph(placeholder("rate"), relu("y", "rate")), {}, {"y": "y"})


def test_a_tensor_that_does_not_exist() -> None:
    with pytest.raises(MissingError):
        Kept(graph(relu("y")), ends({}, {"y": "z"}))


def test_places_that_are_gone_are_left_out() -> None:
    y = relu("y", "x")
    y.attrs["_class"] = ["loc:@gone", "loc:@x"]
    z = relu("z", "y")
    z.attrs["_class"] = ["loc:@gone"]
    found = kept(graph(placeholder("x"), y, z), {"x": "x"}, {"z": "z"})
    assert found.nodes["y"].attrs["_class"] == ["loc:@x"] and "_class" not in found.nodes["z"].attrs
    assert y.attrs["_class"] == ["loc:@gone", "loc:@x"]


def test_a_call_without_results_does_nothing() -> None:
    whole = graph(placeholder("x"), Node("call", "IdentityN", ["^x"]), relu("y", "x", "^call"))
    assert kept(whole, {"x": "x"}, {"y": "y"}).nodes["call"] == Node("call", "NoOp", ["^x"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", "b"), ("a:0", "b"), ("^a", "^b"), ("a:1", "a:1"), ("c:1", "d"), ("x", "x"),
        ("^x", "^x"),
    ],
)  # fmt: skip
def test_redirecting(text: str, found: str) -> None:
    assert redirected(text, {"a": "b", "c:1": "d"}) == found


def test_free_names() -> None:
    assert free_name("a", {"a", "a_1"}.__contains__) == "a_2" and free_name("b", str.isdigit) == "b"


def test_a_kept_graph_is_of_its_origins_version() -> None:
    whole = graph(relu("y"))
    whole.producer = 21
    assert KeptGraph({}, whole).producer == 21 and KeptGraph({}, whole).functions == {}
