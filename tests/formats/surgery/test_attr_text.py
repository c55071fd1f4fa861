"""Values of attrs from texts, of the kind that stands there."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.errors import NOWHERE, MismatchError, UnsupportedError
from modelfmt.graph import AttrValue, Func, Shape
from modelfmt.surgery.attr_text import kind_of, parse_attr
from modelfmt.tensor import Tensor

GOOD: list[tuple[str, AttrValue, AttrValue]] = [
    ("true", False, True), ("0", True, False), ("-3", 1, -3), ("1", 0.5, 1.0), ("1e-3", 0.5, 1e-3),
    ("NHWC", "NCHW", "NHWC"), ("x=y", b"\xff", "x=y"), ("float16", dtypes.float32,
     dtypes.from_name("float16")), ("[?, 28]", Shape(()), Shape((None, 28))),
    ("[-1, 2]", Shape(()), Shape((None, 2))), ("?", Shape(()), Shape(None)), ("[]", Shape(None),
     Shape(())), ("[1, 2]", [3], [1, 2]), ("[1, 2]", [0.5], [1.0, 2.0]), ('["a"]', ["b"], ["a"]),
    ('["int32"]', [dtypes.float32], [dtypes.int32]), ("[]", [1], []), ("[4]", [], [4]),
    ("[[1, null], null]", [Shape(())], [Shape((1, None)), Shape(None)]),
    ("other", Func("f", {"a": 1}), Func("other", {"a": 1})),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "wanted"), GOOD)
def test_good(text: str, old: AttrValue, wanted: AttrValue) -> None:
    found = parse_attr(text, old, NOWHERE)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(("text", "old"), [
    ("maybe", True), ("x", 1), ("1.5", 1), (str(1 << 63), 1), ("x", 1.0), ("float31", dtypes.int32),
    ("[1, -2]", Shape(())), ("{}", Shape(())), ("3", [1]), ('["a"]', [1]), ("[1]", ["a"]),
    ("[true]", [1]), ("[", [1]), ("[{}]", []),
])  # fmt: skip
def test_bad(text: str, old: AttrValue) -> None:
    with pytest.raises(MismatchError, match="no value of that kind"):
        parse_attr(text, old, NOWHERE)


def test_a_tensor_is_no_text() -> None:
    with pytest.raises(UnsupportedError, match="a tensor cannot be set"):
        parse_attr("1", Tensor.from_numpy("x", [1]), NOWHERE)


def test_kinds() -> None:
    assert [kind_of(v) for v in (True, 1, 0.5, "a", [1], [], None)] == [
        "bool", "int", "float", "string", "list(int)", "list", "nothing",
    ]  # fmt: skip
