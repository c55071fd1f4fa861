"""The messages at work: loading, bytes, text, Any, and what files of other versions hold."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from modelfmt import proto
from modelfmt.proto.compile import SCHEMA
from modelfmt.proto.pool import NAMES

MESSAGES = sorted(
    name
    for name, value in NAMES.items()
    if isinstance(value, type) and issubclass(value, proto.Message) and value is not proto.Message
)


def run(script: str, **environment: str) -> None:
    """Run a script in a fresh interpreter."""
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        check=True,
        env={**os.environ, **environment},
        timeout=60,
    )


# Loading


def test_importing_loads_nothing():
    run(
        """
        import sys
        from modelfmt import proto
        assert "modelfmt.proto.pool" not in sys.modules
        assert not hasattr(proto, "__wrapped__") and "modelfmt.proto.pool" not in sys.modules
        proto.GraphDef
        assert "modelfmt.proto.pool" in sys.modules
        """
    )


def test_the_default_pool_stays_empty_of_us():
    run(
        """
        from google.protobuf import descriptor_pool
        from modelfmt import proto
        assert proto.SavedModel.DESCRIPTOR.full_name == "tensorflow.SavedModel"
        for name in ("tensorflow.SavedModel", "tensorflow.DataType"):
            try:
                descriptor_pool.Default().FindFileContainingSymbol(name)
            except KeyError:
                continue
            raise SystemExit(f"{name} is in the default pool")
        """
    )


def test_an_attribute_is_made_once():
    assert proto.GraphDef is proto.GraphDef
    assert type(proto.GraphDef().node.add()) is proto.NodeDef


def test_every_name_is_listed_and_no_other_answers():
    assert set(NAMES) <= set(dir(proto))
    with pytest.raises(AttributeError, match=r"modelfmt\.proto.*GraphDefs"):
        _ = proto.GraphDefs


def test_no_two_packages_contend_for_a_name():
    schema = FileDescriptorSet.FromString(SCHEMA.read_bytes())
    declared = sum(len(file.message_type) + len(file.enum_type) for file in schema.file)
    by_hand = 5  # Message, two errors, two functions
    assert len(NAMES) == declared + by_hand


def test_the_messages_of_keras_carry_a_prefix():
    package = "third_party.tensorflow.python.keras.protobuf"
    assert proto.KerasSavedObject.DESCRIPTOR.full_name == f"{package}.SavedObject"
    assert proto.SavedObject.DESCRIPTOR.full_name == "tensorflow.SavedObject"


def test_enums_have_names_and_numbers():
    assert proto.DataType.DT_HALF == proto.DataType.Value("DT_HALF") == 19
    assert proto.DataType.Name(19) == "DT_HALF"
    assert proto.SaverDef.CheckpointFormatVersion.V2 == 2


# Bytes


def test_bytes_are_those_the_format_asks_for():
    shape = proto.TensorShapeProto(dim=[proto.TensorShapeProto.Dim(size=3, name="n")])
    shape.dim.add(size=-1)
    expected = bytes.fromhex(
        "12 05"  #  field 2, dim: 5 bytes
        "08 03"  #    field 1, size: 3
        "12 01 6e"  # field 2, name: "n"
        "12 0b"  #  field 2, dim: 11 bytes
        "08 ff ff ff ff ff ff ff ff ff 01"  # size: -1, ten bytes of varint
    )
    assert shape.SerializeToString() == expected
    assert proto.TensorShapeProto.FromString(expected) == shape


@pytest.mark.parametrize("name", MESSAGES)
def test_bytes_round_trip(name, samples):
    message_class = getattr(proto, name)
    for sample in samples(message_class):
        data = sample.SerializeToString(deterministic=True)
        assert data or not message_class.DESCRIPTOR.fields
        again = message_class.FromString(data)
        assert again == sample
        assert again.SerializeToString(deterministic=True) == data


def test_unknown_fields_are_carried():
    unknown = bytes.fromhex("ca 03 02 68 69")  # field 57: "hi"
    data = proto.NodeDef(name="x").SerializeToString() + unknown
    assert proto.NodeDef.FromString(data).SerializeToString() == data


def test_damaged_bytes_raise_decode_error():
    with pytest.raises(proto.DecodeError):
        proto.NodeDef.FromString(b"\x0a\x05abc")  # a name of 5 bytes, of which 3 are there


def test_a_proto2_message_tells_absent_from_zero():
    frame = proto.GraphDebugInfo.FileLineCol.FromString(b"\x10\x00")  # line 0, and no more
    assert frame.HasField("line") and not frame.HasField("col")


# Text


@pytest.mark.parametrize("name", MESSAGES)
def test_text_round_trip(name, samples):
    message_class = getattr(proto, name)
    for sample in samples(message_class):
        text = proto.format_text(sample)
        assert text.isascii()
        assert proto.parse_text(text, message_class) == sample


def test_text_looks_as_tensorflow_writes_it():
    node = proto.NodeDef(name="β", op="Placeholder")
    node.attr["shape"].shape.unknown_rank = True
    node.attr["dtype"].type = proto.DataType.DT_FLOAT
    assert proto.format_text(node) == textwrap.dedent(
        r"""
        name: "\316\262"
        op: "Placeholder"
        attr {
          key: "dtype"
          value {
            type: DT_FLOAT
          }
        }
        attr {
          key: "shape"
          value {
            shape {
              unknown_rank: true
            }
          }
        }
        """
    ).removeprefix("\n")


def test_text_spells_out_an_any_of_ours():
    asset = proto.AssetFileDef(filename="vocab.txt")
    collection = proto.CollectionDef()
    collection.any_list.value.add().Pack(asset)
    text = proto.format_text(collection)
    assert "[type.googleapis.com/tensorflow.AssetFileDef]" in text
    assert 'filename: "vocab.txt"' in text

    [packed] = proto.parse_text(text, proto.CollectionDef).any_list.value
    unpacked = proto.AssetFileDef()
    assert packed.Unpack(unpacked)
    assert unpacked == asset


def test_text_keeps_an_any_of_others():
    stranger = proto.Any(type_url="type.googleapis.com/example.Stranger", value=b"\x08\x01")
    assert proto.parse_text(proto.format_text(stranger), proto.Any) == stranger


def test_bad_text_raises_parse_error_with_a_place():
    with pytest.raises(proto.ParseError) as caught:
        proto.parse_text('name: "x"\nopp: "Const"\n', proto.NodeDef)
    assert (caught.value.GetLine(), caught.value.GetColumn()) == (2, 1)


# Implementations


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_each_implementation_of_protobuf_serves(implementation):
    run(
        """
        import os
        from modelfmt import proto
        from google.protobuf.internal import api_implementation
        assert api_implementation.Type() == os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"]

        graph = proto.GraphDef()
        graph.node.add(name="x").attr["dtype"].type = proto.DataType.DT_FLOAT
        graph.library.function.add().arg_attr[3].attr["_output_shapes"].list.shape.add()
        assert proto.GraphDef.FromString(graph.SerializeToString()) == graph
        assert proto.parse_text(proto.format_text(graph), proto.GraphDef) == graph
        assert proto.SaverDef.CheckpointFormatVersion.V2 == 2

        packed = proto.Any()
        packed.Pack(graph)
        text = proto.format_text(packed)
        assert "placeholder" not in text and "DT_FLOAT" in text
        unpacked = proto.GraphDef()
        assert proto.parse_text(text, proto.Any).Unpack(unpacked) and unpacked == graph
        """,
        PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=implementation,
    )
