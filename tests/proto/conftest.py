"""Sample messages, made from the descriptors, so that no field goes untried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from modelfmt import proto

Field = FieldDescriptorProto

# Values at the edge of each type's range; text that is not ASCII, bytes that are not text.
EDGES: dict[int, Any] = {
    Field.TYPE_DOUBLE: 5e-324,
    Field.TYPE_FLOAT: -1.5,
    Field.TYPE_INT64: -(2**63),
    Field.TYPE_SINT64: -(2**63),
    Field.TYPE_UINT64: 2**64 - 1,
    Field.TYPE_INT32: -(2**31),
    Field.TYPE_UINT32: 2**32 - 1,
    Field.TYPE_FIXED64: 2**64 - 1,
    Field.TYPE_FIXED32: 2**32 - 1,
    Field.TYPE_BOOL: True,
    Field.TYPE_STRING: "β:0",
    Field.TYPE_BYTES: b"\x00\xff",
    Field.TYPE_ENUM: 2**31 - 1,  # unknown to every enum of ours, and still to be carried
}


def _declaration(descriptor: Descriptor) -> DescriptorProto:
    declaration = DescriptorProto()
    descriptor.CopyToProto(declaration)
    return declaration


def _fill(message: Any, choice: int, depth: int) -> None:
    """Set every field; of a oneof, only member number `choice`."""
    members = 0
    for declared, field in zip(
        _declaration(message.DESCRIPTOR).field, message.DESCRIPTOR.fields, strict=True
    ):
        if declared.HasField("oneof_index"):
            members += 1
            if members - 1 != choice:
                continue
        repeated = declared.label == Field.LABEL_REPEATED
        value = getattr(message, declared.name)
        if field.message_type is None:
            if repeated:
                value.extend([EDGES[declared.type]] * 2)
            else:
                setattr(message, declared.name, EDGES[declared.type])
        elif field.message_type.GetOptions().map_entry:
            key_field, value_field = field.message_type.fields
            key = EDGES[key_field.type]
            if value_field.message_type is None:
                value[key] = EDGES[value_field.type]
            else:
                _fill_below(value[key], choice, depth)
        else:
            below = value.add() if repeated else value
            below.SetInParent()
            _fill_below(below, choice, depth)


def _fill_below(message: Any, choice: int, depth: int) -> None:
    if depth:
        _fill(message, choice, depth - 1)


def make_samples(message_class: Callable[[], proto.Message]) -> list[proto.Message]:
    """Messages with all fields set, two messages deep: one for each member of the oneof, if any."""
    declaration = _declaration(message_class().DESCRIPTOR)
    members = sum(field.HasField("oneof_index") for field in declaration.field)
    samples = []
    for choice in range(max(1, members)):
        sample = message_class()
        _fill(sample, choice, depth=2)
        samples.append(sample)
    return samples


@pytest.fixture(scope="session")
def samples() -> Callable[[Callable[[], proto.Message]], list[proto.Message]]:
    return make_samples
