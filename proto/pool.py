"""The schema, loaded: a private descriptor pool, and what it defines, by attribute name.

protobuf allows each full name, such as "tensorflow.GraphDef", once per pool. The default pool
belongs to TensorFlow, whether it is imported before us, after us or never; so ours is another.

All classes are made here and at once (3 ms): the import lock then promises that two threads
never get two different GraphDefs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import message as protobuf_message
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

if TYPE_CHECKING:
    from typing import Any

    from modelfmt.proto._runtime import Message

    M = TypeVar("M", bound=Message)

POOL = descriptor_pool.DescriptorPool()


def parse_text(text: str, message_class: type[M]) -> M:
    """Read a message from protobuf's text format (.pbtxt).

    Raises: ParseError, whose GetLine() and GetColumn() say where.
    Written by: format_text.
    """
    message = message_class()
    try:
        text_format.Parse(text, cast("Any", message), descriptor_pool=POOL)
    except RecursionError:  # of the binary format protobuf itself limits the depth
        raise text_format.ParseError("messages nested too deep") from None
    return message


def format_text(message: Message) -> str:
    """Write a message in protobuf's text format: fields by number, maps by key, ASCII only.

    An Any that holds a message of this schema is spelled out; any other is left as bytes.
    """
    # as_utf8 is stated because its default differs between protobuf 4 and 7.
    return text_format.MessageToString(cast("Any", message), as_utf8=False, descriptor_pool=POOL)


NAMES: dict[str, object] = {
    "Message": protobuf_message.Message,
    "DecodeError": protobuf_message.DecodeError,
    "ParseError": text_format.ParseError,
    "parse_text": parse_text,
    "format_text": format_text,
}


def _load(schema: descriptor_pb2.FileDescriptorSet) -> None:
    for file in schema.file:  # compile.py puts each file after those it imports
        POOL.AddSerializedFile(file.SerializeToString())
        prefix = file.options.objc_class_prefix
        for enum in file.enum_type:
            full_name = f"{file.package}.{enum.name}"
            NAMES[prefix + enum.name] = EnumTypeWrapper(POOL.FindEnumTypeByName(full_name))
        for declared in file.message_type:
            descriptor = POOL.FindMessageTypeByName(f"{file.package}.{declared.name}")
            NAMES[prefix + declared.name] = message_factory.GetMessageClass(descriptor)


_SCHEMA = Path(__file__).with_name("schema.binpb")
_load(descriptor_pb2.FileDescriptorSet.FromString(_SCHEMA.read_bytes()))
