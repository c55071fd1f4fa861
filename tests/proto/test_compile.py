"""The committed schema and stubs are what compile.py makes, and the stubs tell the truth."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from modelfmt import proto
from modelfmt.proto import compile as compiler
from modelfmt.proto.pool import NAMES

STUBS = {
    node.name: node
    for node in ast.parse(compiler.STUBS.read_text()).body
    if isinstance(node, ast.ClassDef)
}


def test_recompiling_gives_the_committed_schema():
    pytest.importorskip("grpc_tools", reason="needs protoc, from grpcio-tools")
    assert compiler.compile_schema() == compiler.SCHEMA.read_bytes(), "run proto/compile.py"


def test_the_stubs_are_those_of_the_committed_schema():
    stubs = compiler.write_stubs(compiler.SCHEMA.read_bytes())
    assert stubs == compiler.STUBS.read_text(), "run proto/compile.py"


def test_every_attribute_has_a_stub_and_every_stub_an_attribute():
    by_hand = {"Message", "DecodeError", "ParseError", "parse_text", "format_text"}
    assert {name.removeprefix("_") for name in STUBS} | by_hand == set(NAMES)


def classes(node: ast.ClassDef, message_class: type) -> Iterator[tuple[ast.ClassDef, type]]:
    """A message's stub and class, and those nested in it."""
    yield node, message_class
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not is_enum(child):
            yield from classes(child, getattr(message_class, child.name))


def is_enum(node: ast.ClassDef) -> bool:
    return [ast.unparse(base) for base in node.bases] == ["Enum"]


MESSAGES = [
    pytest.param(stub, message_class, id=message_class.DESCRIPTOR.full_name)
    for name, node in STUBS.items()
    if not is_enum(node)
    for stub, message_class in classes(node, getattr(proto, name))
]


@pytest.mark.parametrize(("stub", "message_class"), MESSAGES)
def test_the_stub_of_a_message_has_its_fields_and_no_others(stub, message_class):
    variables = {
        node.target.id
        for node in stub.body
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node.annotation).startswith("Class")
    }
    properties = {
        node.name for node in stub.body if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    fields = message_class.DESCRIPTOR.fields_by_name
    assert variables | properties == set(fields)

    message = message_class()
    for name in variables:
        setattr(message, name, getattr(message, name))
    for name in properties:
        with pytest.raises((AttributeError, TypeError)):
            setattr(message, name, getattr(message, name))


@pytest.mark.parametrize(("stub", "message_class"), MESSAGES)
def test_the_stub_names_the_fields_whose_presence_is_known(stub, message_class):
    message = message_class()
    known = set()
    for name in message_class.DESCRIPTOR.fields_by_name:
        try:
            message.HasField(name)
        except ValueError:
            continue
        known.add(name)
    assert literals(stub, "HasField") == known


@pytest.mark.parametrize(("stub", "message_class"), MESSAGES)
def test_the_stub_names_the_oneof(stub, message_class):
    assert literals(stub, "WhichOneof") == set(message_class.DESCRIPTOR.oneofs_by_name)


def literals(stub: ast.ClassDef, method: str) -> set[str]:
    """The names a method accepts; none if there is no such method."""
    found = set()
    for node in stub.body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            annotation = node.args.args[1].annotation
            assert isinstance(annotation, ast.Subscript)  # Literal["a", "b"]
            found = set(ast.literal_eval(annotation.slice))
            if isinstance(annotation.slice, ast.Constant):
                found = {annotation.slice.value}
    return found


@pytest.mark.parametrize("name", [name for name, node in STUBS.items() if is_enum(node)])
def test_the_stub_of_an_enum_has_its_values(name):
    numbers = {
        node.target.id: ast.literal_eval(node.value)
        for node in STUBS[name].body
        if isinstance(node, ast.AnnAssign)
    }
    assert numbers == dict(getattr(proto, name.removeprefix("_")).items())
