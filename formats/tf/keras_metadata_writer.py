"""keras_metadata.pb, writing: what tf.keras rebuilds the layers of a SavedModel from.

keras_metadata.py tells the format. Source: tf_keras saving/legacy/saved_model/save.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelfmt import proto
from modelfmt.tf.keras_metadata import ROOT
from modelfmt.tf.objects import ObjectGraph


def write_keras_metadata(
    described: Mapping[int, tuple[str, Mapping[str, Any]]], graph: ObjectGraph
) -> bytes:
    """A SavedMetadata.

    Args:
        described: identifier and metadata of the Keras objects, by node id.
        graph: the objects, of which these are some.

    Read by: ``keras_metadata.read_keras_metadata``.
    """
    message = proto.KerasSavedMetadata()
    for number in sorted(described):
        identifier, metadata = described[number]
        way = graph.paths[number]
        node = message.nodes.add(
            node_id=number, node_path=".".join([ROOT, *way.split("/")]) if way else ROOT,
            identifier=identifier, metadata=json.dumps(metadata, allow_nan=True),
        )  # fmt: skip
        node.version.producer = 2
        node.version.min_consumer = 1
    return message.SerializeToString(deterministic=True)
