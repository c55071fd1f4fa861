"""FunctionDefs: written as they were read, or with other arguments."""

from __future__ import annotations

import pytest

from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import CorruptFileError, UnsupportedError
from modelfmt.graph import Function, Graph
from modelfmt.graphs.handles import Value
from modelfmt.graphs.specialise import Specialiser
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.functiondef import (
    WireFunction,
    read_function,
    read_library,
    write_function,
    write_library,
)

TEXT = """
signature { name: "f"
  input_arg { name: "x" type: DT_FLOAT } input_arg { name: "v" type: DT_RESOURCE
    handle_data { dtype: DT_FLOAT } }
  output_arg { name: "y" type: DT_FLOAT } output_arg { name: "h" type: DT_RESOURCE }
  control_output: "r" control_output: "gone" is_stateful: true }
attr { key: "api_implements" value { s: "twin" } } attr { key: "_keep" value { i: 1 } }
arg_attr { key: 0 value { attr { key: "_user_specified_name" value { s: "x" } } } }
arg_attr { key: 1 value { attr { key: "_output_shapes" value { list { shape { } } } } } }
resource_arg_unique_id { key: 1 value: 7 }
node_def { name: "r" op: "ReadVariableOp" input: "v"
  attr { key: "dtype" value { type: DT_FLOAT } } }
node_def { name: "m" op: "Mul" input: "x" input: "r:value:0"
  attr { key: "T" value { type: DT_FLOAT } } }
node_def { name: "log" op: "NoOp" }
ret { key: "y" value: "m:z:0" } ret { key: "h" value: "v" }
control_ret { key: "r" value: "r" } control_ret { key: "gone" value: "log" }
"""
RAW = proto.parse_text(TEXT, proto.FunctionDef).SerializeToString() + b"\xca\x03\x02hi"  # field 57


class Library(Graph):
    @property
    def functions(self) -> dict[str, Function]:
        return {"f": read_function(RAW)}


def test_what_is_read() -> None:
    function = read_function(RAW)
    assert (function.name, function.arguments) == ("f", ["x", "v"])
    assert function.results == {"y": "m:z:0", "h": "v"} and list(function) == ["r", "m", "log"]


def test_an_untouched_function_keeps_its_bytes() -> None:
    assert b"".join(map(piece_bytes, write_function(read_function(RAW)))) == RAW
    library = b"".join(map(piece_bytes, write_library({"f": read_function(RAW)})))
    whole = b"\x12" + bytes([len(library) & 127 | 128, len(library) >> 7]) + library
    ((name, again),) = read_library(whole)
    assert name == "f" and isinstance(again, WireFunction) and again.raw == RAW


def test_a_copy_takes_values() -> None:
    copy = Specialiser(Library()).function("f", [None, Value(float32, (2,))])
    raw = b"".join(map(piece_bytes, write_function(copy)))
    assert raw.count(b"\xca\x03\x02hi") == 1
    message = proto.FunctionDef.FromString(raw)
    signature = message.signature
    assert signature.name == "f_frozen" and signature.is_stateful
    assert [a.type for a in (*signature.input_arg, *signature.output_arg)] == [1, 1, 1, 1]
    assert not signature.input_arg[1].handle_data and list(signature.control_output) == ["r"]
    assert dict(message.control_ret) == {"r": "r"}
    assert dict(message.ret) == {"y": "m:z:0", "h": "v"}
    assert list(message.attr) == ["_keep"]  # no twin may take its place
    assert list(message.arg_attr) == [0] and not message.resource_arg_unique_id
    nodes = {n.name: n for n in message.node_def}
    assert list(nodes) == ["r", "m"] and nodes["r"].op == "Identity"
    assert nodes["m"].input[1] == "r:output:0"


def test_what_cannot_be_written_or_read() -> None:
    with pytest.raises(UnsupportedError, match="no file holds"):
        write_function(Function("g", {}, [], {}))
    with pytest.raises(CorruptFileError, match="UTF-8"):
        read_function(b"\x0a\x03\x0a\x01\xff")
