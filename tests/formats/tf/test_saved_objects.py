"""The object graph of a SavedModel: kinds, ways, lists, and ids that there are not."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MissingError
from modelfmt.tf.metagraph import MetaGraph
from modelfmt.tf.objects import Slot
from modelfmt.tf.saved_objects import KINDS, SavedObjects, read_saved_objects


def message() -> Any:
    """A root with a layer, whose variables are a list of two, and an optimizer with a slot."""
    meta = proto.MetaGraphDef()
    nodes = meta.object_graph_def.nodes
    for children in (
        [("layer-0", 1), ("opt", 5)], [("variables", 2), ("kernel", 3)],
        [("1", 4), ("0", 3), ("10", 0), ("9", 1), ("push", 1)], [], [], [],
    ):  # fmt: skip
        node = nodes.add()
        for name, number in children:
            node.children.add(local_name=name, node_id=number)
    for number, identifier in ((0, "_tf_keras_network"), (1, "_tf_keras_layer"),
                               (2, "trackable_list_wrapper"), (5, "optimizer")):  # fmt: skip
        nodes[number].user_object.identifier = identifier
    for number in (3, 4):
        nodes[number].variable.name = f"v{number}"
    nodes[5].slot_variables.add(
        original_variable_node_id=3, slot_name="m", slot_variable_node_id=4
    )
    return meta


def read(meta: Any) -> SavedObjects:
    return read_saved_objects(MetaGraph(meta.SerializeToString()))


def test_kinds_children_and_slots() -> None:
    objects = read(message())
    assert [n.kind for n in objects.nodes] == [*["user_object"] * 3, *["variable"] * 2,
                                               "user_object"]  # fmt: skip
    assert objects.nodes[1].identifier == "_tf_keras_layer"
    assert objects.nodes[3].identifier == ""
    assert objects.nodes[3].message.variable.name == "v3"
    assert objects.nodes[0].children == {"layer-0": 1, "opt": 5}
    assert objects.nodes[5].slots == (Slot(3, "m", 4),)


def test_the_kinds_are_those_of_the_message() -> None:
    (oneof,) = proto.SavedObject.DESCRIPTOR.oneofs
    assert {field.name for field in oneof.fields} == set(KINDS)


def test_ways() -> None:
    objects = read(message())
    assert objects.paths == {0: "", 1: "layer-0", 5: "opt", 2: "layer-0/variables",
                             3: "layer-0/kernel", 4: "layer-0/variables/1"}  # fmt: skip
    assert objects.graph.find("layer-0/variables/0") == 3
    with pytest.raises(MissingError, match="no attribute 'bias'"):
        objects.graph.find("layer-0/bias")


def test_a_list_in_its_order() -> None:
    assert read(message()).items(2) == [3, 4, 1, 0]


def test_tensorflow_1_saved_no_objects() -> None:
    objects = read(proto.MetaGraphDef())
    assert objects.nodes == [] and objects.paths == {}


def test_an_object_of_no_known_kind() -> None:
    meta = message()
    meta.object_graph_def.nodes.add()
    assert read(meta).nodes[6].kind == ""


@pytest.mark.parametrize("number", [-1, 6])
def test_objects_that_there_are_not(number: int) -> None:
    meta = message()
    meta.object_graph_def.nodes[1].children[0].node_id = number
    with pytest.raises(CorruptFileError, match="saved object 1 leads to objects") as error:
        read(meta)
    assert error.value.expected == "0 to 5" and error.value.found == [number]
    meta = message()
    meta.object_graph_def.nodes[5].slot_variables[0].slot_variable_node_id = number
    with pytest.raises(CorruptFileError, match="saved object 5 leads to objects"):
        read(meta)
