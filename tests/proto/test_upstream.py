"""TensorFlow is the referee: our messages are its messages, and the two get along."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from modelfmt import proto
from modelfmt.proto.pool import NAMES

pytestmark = pytest.mark.oracle

# Every file format of ours begins with one of these, or holds one as bytes in another.
ROOTS = {
    "tensorflow.core.protobuf.saved_model_pb2": ["SavedModel"],
    "tensorflow.core.protobuf.fingerprint_pb2": ["FingerprintDef"],
    "tensorflow.core.protobuf.tensor_bundle_pb2": ["BundleHeaderProto", "BundleEntryProto"],
    "tensorflow.core.protobuf.trackable_object_graph_pb2": ["TrackableObjectGraph"],
    "tensorflow.core.util.saved_tensor_slice_pb2": ["SavedTensorSlices"],
    "tensorflow.python.training.checkpoint_state_pb2": ["CheckpointState"],
    # Collections of a MetaGraphDef.
    "tensorflow.core.framework.variable_pb2": ["VariableDef"],
    "tensorflow.core.protobuf.queue_runner_pb2": ["QueueRunnerDef"],
    "tensorflow.core.protobuf.control_flow_pb2": ["CondContextDef", "WhileContextDef"],
    # keras_metadata.pb: TensorFlow's own Keras declares it, and so does tf_keras.
    "tensorflow.python.keras.protobuf.saved_metadata_pb2": ["SavedMetadata"],
}

# The package of Keras' messages, without its last part; tf_keras renamed it to its own.
KERAS = "third_party.tensorflow.python.keras"

OURS = {
    value.DESCRIPTOR.full_name: value.DESCRIPTOR
    for name, value in NAMES.items()
    if hasattr(value, "DESCRIPTOR") and name != "Message"
    if not value.DESCRIPTOR.full_name.startswith("google.protobuf.")
}


@pytest.fixture(scope="module")
def upstream() -> dict[str, Any]:
    """Upstream's top-level messages and enums that the roots lead to, by full name."""
    pytest.importorskip("tensorflow", reason="TensorFlow is the referee")
    found: dict[str, Any] = {}
    for module, names in ROOTS.items():
        for name in names:
            collect(getattr(importlib.import_module(module), name).DESCRIPTOR, found)
    return {name: found[name] for name in found if not name.startswith("google.protobuf.")}


def collect(descriptor: Any, found: dict[str, Any]) -> None:
    while descriptor.containing_type is not None:
        descriptor = descriptor.containing_type
    if descriptor.full_name not in found:
        found[descriptor.full_name] = descriptor
        for neighbour in neighbours(descriptor):
            collect(neighbour, found)


def neighbours(descriptor: Any) -> Iterator[Any]:
    """The messages and enums that the fields of a message mention."""
    for field in getattr(descriptor, "fields", ()):  # an enum has none
        yield from filter(None, (field.message_type, field.enum_type))
    for nested in getattr(descriptor, "nested_types", ()):
        yield from neighbours(nested)


def describe(descriptor: Any) -> object:
    """All that decides how a message or enum is read and written."""
    if hasattr(descriptor, "values_by_name"):
        return {value.name: value.number for value in descriptor.values}
    declaration, file = DescriptorProto(), FileDescriptorProto()
    descriptor.CopyToProto(declaration)
    descriptor.file.CopyToProto(file)
    assert file.syntax in ("", "proto2", "proto3")  # in an edition, features decide instead
    return {
        "map entry": declaration.options.map_entry,
        "fields": {
            field.name: describe_field(field, declared, file.syntax == "proto3")
            for field, declared in zip(descriptor.fields, declaration.field, strict=True)
        },
        "messages": {nested.name: describe(nested) for nested in descriptor.nested_types},
        "enums": {enum.name: describe(enum) for enum in descriptor.enum_types},
    }


def describe_field(field: Any, declared: FieldDescriptorProto, proto3: bool) -> dict[str, object]:
    repeated = declared.label == declared.LABEL_REPEATED
    whole = (declared.TYPE_STRING, declared.TYPE_BYTES, declared.TYPE_MESSAGE)  # never packed
    packed = declared.options.packed if declared.options.HasField("packed") else proto3
    return {
        "number": declared.number,
        "type": FieldDescriptorProto.Type.Name(declared.type),
        "type name": declared.type_name.replace("third_party.py.tf_keras.", f"{KERAS}."),
        "label": FieldDescriptorProto.Label.Name(declared.label),
        "json name": field.json_name,
        "default": None if repeated else field.default_value,
        "oneof": field.containing_oneof and field.containing_oneof.name,
        "presence": field.has_presence,
        "packed": repeated and declared.type not in whole and packed,
    }


def test_we_have_all_that_the_formats_lead_to_and_no_more(upstream):
    assert set(OURS) == set(upstream)


@pytest.mark.parametrize("name", OURS)
def test_a_definition_is_that_of_upstream(name, upstream):
    assert describe(OURS[name]) == describe(upstream[name])


@pytest.mark.parametrize("name", ["SavedMetadata", "SavedObject", "VersionDef"])
def test_tf_keras_declares_the_same(name):
    pytest.importorskip("tf_keras", reason="tf_keras is the referee")
    module = "versions_pb2" if name == "VersionDef" else "saved_metadata_pb2"
    theirs = getattr(importlib.import_module(f"tf_keras.protobuf.{module}"), name)
    assert describe(getattr(proto, f"Keras{name}").DESCRIPTOR) == describe(theirs.DESCRIPTOR)


@pytest.mark.parametrize("name", [n for n in OURS if not hasattr(OURS[n], "values_by_name")])
def test_upstream_reads_our_bytes_and_writes_them_back(name, upstream, samples):
    from google.protobuf import message_factory

    theirs = message_factory.GetMessageClass(upstream[name])
    ours = message_factory.GetMessageClass(OURS[name])
    for sample in samples(ours):
        data = sample.SerializeToString(deterministic=True)
        read = theirs.FromString(data)
        read.DiscardUnknownFields()  # so that a field they don't know would be missed
        assert read.SerializeToString(deterministic=True) == data


FIRST = {
    "TensorFlow first": "import tensorflow as tf; from modelfmt import proto; proto.GraphDef",
    "ours first": "from modelfmt import proto; proto.GraphDef; import tensorflow as tf",
}


@pytest.mark.parametrize("imports", FIRST.values(), ids=FIRST)
def test_we_share_a_process_with_tensorflow(imports):
    pytest.importorskip("tensorflow", reason="TensorFlow is the other party")
    script = """
        assert proto.GraphDef is not tf.compat.v1.GraphDef

        graph = tf.Graph()
        with graph.as_default():
            tf.constant([1.0, 2.0], name="x")
        ours = proto.GraphDef.FromString(graph.as_graph_def().SerializeToString())
        assert [node.name for node in ours.node] == ["x"]
        ours.node[0].name = "y"

        theirs = tf.compat.v1.GraphDef.FromString(ours.SerializeToString())
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.import_graph_def(theirs, name="")
            assert session.run("y:0").tolist() == [1.0, 2.0]
        """
    subprocess.run(
        [sys.executable, "-c", imports + "\n" + textwrap.dedent(script)],
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout=120,
    )
