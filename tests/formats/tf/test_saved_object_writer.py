"""Object graphs, as we write them and as our readers find them again."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.errors import MismatchError, Where
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import TensorInfo
from modelfmt.tf.objects import parse_objects
from modelfmt.tf.saved_object_writer import (
    SavedFunction,
    SavedThing,
    SavedVariable,
    variable_keys,
    write_saved_objects,
    write_trackables,
)

W = SavedVariable(Tensor.from_numpy("w", np.ones((2, 3), "f4")), "dense/kernel")
B = SavedVariable(Tensor.from_numpy("b", np.ones(3, "f8")), "dense/bias", trainable=False)
INFO = TensorInfo("x", dtypes.float32, (None, 2))


def things() -> list[SavedThing]:
    """root -> layer -> kernel, and a.b -> bias; a list of both; a function at the end."""
    return [
        SavedThing({"layer-0": 1, "signatures": 5}, "_tf_keras_network", '{"name": "m"}'),
        SavedThing({"kernel": 2, "a.b": 3, "variables": 4}, "_tf_keras_layer"),
        SavedThing({}, W),
        SavedThing({}, B),
        SavedThing({"0": 2, "1": 3}, "trackable_list_wrapper"),
        SavedThing({"serve": 6}, "signature_map"),
        SavedThing({}, SavedFunction("f", {"x": INFO}, {"y": INFO}, [3, 2])),
    ]


def test_a_key_is_the_shortest_way_to_a_variable() -> None:
    assert variable_keys(things()) == {
        2: "layer-0/kernel/.ATTRIBUTES/VARIABLE_VALUE", 3: "layer-0/a..b/.ATTRIBUTES/VARIABLE_VALUE"
    }  # fmt: skip


def test_a_variable_out_of_reach_has_none() -> None:
    with pytest.raises(MismatchError, match='no way leads to the variable "dense/kernel"'):
        variable_keys([SavedThing({}, "root"), SavedThing({}, W)])


def test_the_bundle_knows_all_but_functions() -> None:
    graph = parse_objects(write_trackables(things()), Where())
    assert len(graph.nodes) == 6
    assert graph.variables["layer-0/variables/1"] == "layer-0/a..b/.ATTRIBUTES/VARIABLE_VALUE"
    assert graph.nodes[2].full_name == "dense/kernel" and graph.nodes[5].children == {}
    message = proto.TrackableObjectGraph.FromString(write_trackables(things()))
    holding = [node.has_checkpoint_values.value for node in message.nodes]
    assert holding == [True, True, True, True, True, False]


def test_the_saved_graph_knows_kinds() -> None:
    message = proto.SavedObjectGraph.FromString(write_saved_objects(things()))
    kinds = [node.WhichOneof("kind") for node in message.nodes]
    assert kinds == [
        "user_object", "user_object", "variable", "variable", "user_object", "user_object",
        "bare_concrete_function",
    ]  # fmt: skip
    root, bias = message.nodes[0].user_object, message.nodes[3].variable
    assert (root.identifier, root.metadata) == ("_tf_keras_network", '{"name": "m"}')
    assert (root.version.producer, root.version.min_consumer) == (1, 1)
    assert (bias.name, bias.trainable) == ("dense/bias", False)
    assert bias.dtype == dtypes.from_name("float64").enum
    assert [dim.size for dim in bias.shape.dim] == [3]


def test_a_function_is_called_with_keywords_and_bound_to_variables() -> None:
    message = proto.SavedObjectGraph.FromString(write_saved_objects(things()))
    bare = message.nodes[6].bare_concrete_function
    assert (bare.concrete_function_name, list(bare.argument_keywords)) == ("f", ["x"])
    assert bare.allowed_positional_arguments == 1  # as keras.layers.TFSMLayer calls it
    concrete = message.concrete_functions["f"]
    assert list(concrete.bound_inputs) == [3, 2]
    positional, named = concrete.canonicalized_input_signature.tuple_value.values
    assert len(positional.tuple_value.values) == 0
    spec = named.dict_value.fields["x"].tensor_spec_value
    assert (spec.name, spec.dtype, [d.size for d in spec.shape.dim]) == ("x", 1, [-1, 2])
    assert list(concrete.output_signature.dict_value.fields) == ["y"]


def test_the_same_objects_are_the_same_bytes() -> None:
    assert write_saved_objects(things()) == write_saved_objects(things())
    assert write_trackables(things()) == write_trackables(things())
