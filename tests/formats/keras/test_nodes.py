"""One entry of inbound_nodes in the spellings of all majors."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.keras.nodes import read_call, read_ref, write_call_2, write_call_3
from modelfmt.network import Call, Ref, Spec, map_refs, refs_in


def tensor3(layer: str, node: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {
        "shape": [None, 4], "dtype": "float32", "keras_history": [layer, node, 0]}}


def call3(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": list(args), "kwargs": kwargs}


def counted(ref: Ref) -> list[Any]:
    return [ref.layer, ref.call, ref.index]


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        ([["x", 0, 0]], Call([Ref("x")])),
        ([["x", 0, 0, {}]], Call([Ref("x")])),
        ([["x", 0, 0, {}], ["y", 0, 0, {}]], Call([Ref("x"), Ref("y")], structure=True)),
        (["x", 0, 0, {"y": ["y", 0, 0], "name": None}],
         Call([Ref("x")], kwargs={"y": Ref("y")})),
        ([["x", 0, 0, {"perm": ["x", 0, 0, 1]}]], Call([Ref("x")], kwargs={
            "perm": ["x", 0, 0, 1]})),
        (["_CONSTANT_VALUE", -1, 2.5, {"y": ["x", 0, 0]}],
         Call([], kwargs={"y": Ref("x"), "*args": [2.5]})),
        (call3(tensor3("x")), Call([Ref("x")])),
        (call3([tensor3("x"), tensor3("y")]), Call([Ref("x"), Ref("y")], structure=True)),
        (call3(tensor3("x"), tensor3("y"), mask=None), Call([Ref("x"), Ref("y")])),
        (call3(tensor3("x"), 2.0), Call([Ref("x")], kwargs={"*args": [Ref("x"), 2.0]})),
        (call3(tensor3("x"), mask=tensor3("y")), Call([Ref("x")], kwargs={"mask": Ref("y")})),
        (call3(tensor3("x"), training=False), Call([Ref("x")], kwargs={"training": False})),
    ],
)
def test_read_calls(node: Any, wanted: Call) -> None:
    assert read_call(node, frozenset("xy"), lambda ref, spec: None) == wanted


def test_recorded_shapes_are_told() -> None:
    seen: dict[Ref, Spec] = {}
    read_call(call3(tensor3("x", 1)), frozenset("x"), seen.__setitem__)
    assert seen == {Ref("x", 1): Spec((None, 4))}


@pytest.mark.parametrize(
    "node",
    [
        call3(tensor3("x")),
        call3([tensor3("x"), tensor3("y", 2)], axis=1),
        call3(tensor3("x"), 2.0, [tensor3("y")]),
        call3(tensor3("x"), mask=tensor3("y"), slices={"class_name": "__slice__", "config": {}}),
    ],
)
def test_keras_3_calls_are_written_as_read(node: Any) -> None:
    call = read_call(node, frozenset(), lambda ref, spec: None)
    assert write_call_3(call, lambda ref: Spec((None, 4))) == node


@pytest.mark.parametrize(
    ("class_name", "node"),
    [
        ("Dense", [["x", 0, 0, {}]]),
        ("Add", [["x", 0, 0, {}], ["y", 1, 0, {}]]),
        ("MultiHeadAttention", [["x", 0, 0, {"value": ["y", 0, 0]}]]),
        ("TFOpLambda", ["x", 0, 0, {"y": ["y", 0, 0]}]),
        ("TFOpLambda", ["_CONSTANT_VALUE", -1, 2.5, {"y": ["x", 0, 0]}]),
        ("TFOpLambda", [["x", 0, 0, {"axis": -1}], ["y", 0, 0, {"axis": -1}]]),
    ],
)
def test_keras_2_calls_are_written_as_read(class_name: str, node: Any) -> None:
    call = read_call(node, frozenset("xy"), lambda ref, spec: None)
    assert write_call_2(call, class_name, counted) == node


def test_keras_2_names_what_keras_3_counts() -> None:
    call = Call([Ref("q"), Ref("v")])
    assert write_call_2(call, "MultiHeadAttention", counted) == [
        ["q", 0, 0, {"value": ["v", 0, 0]}]]
    with pytest.raises(ConversionError, match="2 positional arguments"):
        write_call_2(call, "Mystery", counted)


def test_refs_are_found_and_replaced_anywhere() -> None:
    value = {"a": [1, Ref("x")], "b": {"c": Ref("y", 2)}}
    assert refs_in(value) == [Ref("x"), Ref("y", 2)]
    assert map_refs(value, lambda ref: ref.layer) == {"a": [1, "x"], "b": {"c": "y"}}


@pytest.mark.parametrize("value", [None, [], ["x"], ["x", 0], ["x", "0", 0], [0, 0, 0]])
def test_what_is_no_reference_is_named(value: Any) -> None:
    with pytest.raises(CorruptFileError, match="no tensor reference"):
        read_ref(value)
