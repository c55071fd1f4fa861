"""keras_metadata.pb, as we write it."""

from __future__ import annotations

import json

from modelfmt import proto
from modelfmt.tf.keras_metadata_writer import write_keras_metadata
from modelfmt.tf.objects import ObjectGraph, ObjectNode

GRAPH = ObjectGraph([
    ObjectNode({"layer_with_weights-0": 1, "layer-0": 1}, {}), ObjectNode({"cell": 2}, {}),
    ObjectNode({}, {}),
])  # fmt: skip


def test_each_object_has_its_way_from_the_root() -> None:
    described = {
        2: ("_tf_keras_layer", {"name": "c"}), 0: ("_tf_keras_network", {"class_name": "F"}),
        1: ("_tf_keras_rnn_layer", {"x": [1, None, float("inf")]}),
    }  # fmt: skip
    nodes = proto.KerasSavedMetadata.FromString(write_keras_metadata(described, GRAPH)).nodes
    assert [(n.node_id, n.node_path, n.identifier) for n in nodes] == [
        (0, "root", "_tf_keras_network"),
        (1, "root.layer_with_weights-0", "_tf_keras_rnn_layer"),
        (2, "root.layer_with_weights-0.cell", "_tf_keras_layer"),
    ]
    assert [json.loads(n.metadata) for n in nodes] == [
        {"class_name": "F"}, {"x": [1, None, float("inf")]}, {"name": "c"}
    ]  # fmt: skip
    assert {(n.version.producer, n.version.min_consumer) for n in nodes} == {(2, 1)}
