"""Control flow contexts: read and written as the same bytes, the order of maps included."""

from __future__ import annotations

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, ModelFormatError, UnsupportedError
from modelfmt.storage import wire
from modelfmt.tf.contexts import (
    CondContextDef,
    ValuesDef,
    WhileContextDef,
    read_cond_context,
    read_while_context,
    write_cond_context,
    write_while_context,
)

NEW = bytes.fromhex("ca 03") + b"\x03new"  # 57: "new"
# external_values, a map whose keys are not in their order: z -> in/z, a -> in/a
OUTSIDE = bytes.fromhex(
    "12 09 0a 01 7a 12 04 69 6e 2f 7a"
    "12 09 0a 01 61 12 04 69 6e 2f 61"
)  # fmt: skip
COND = bytes.fromhex(
    "0a 01 63"  # 1 context_name "c"
    "12 03 70 3a 30"  # 2 pred_name "p:0"
    "1a 03 76 3a 30"  # 3 pivot_name "v:0"
    "20 01"  # 4 branch
)
VALUES = ValuesDef(("x", "y"), {"z": "in/z", "a": "in/a"})
WHILE = WhileContextDef(
    "w", 32, True, False, "w/LoopCond:0", "w/Merge:0", "w/Identity:0", ("w/Exit:0", "w/Exit_1:0"),
    ("w/Enter:0",), "w/max:0", VALUES,
)  # fmt: skip


def values_field(field: int) -> bytes:
    return wire.length_delimited(field, b"\x0a\x01x\x0a\x01y" + OUTSIDE)


def test_a_conditional() -> None:
    raw = COND + values_field(5)
    context = read_cond_context(raw)
    assert context == CondContextDef("c", "p:0", "v:0", 1, VALUES)
    assert context.values is not None and list(context.values.external_values) == ["z", "a"]
    assert write_cond_context(context) == raw


def test_a_loop_says_what_its_message_says() -> None:
    raw = write_while_context(WHILE)
    assert read_while_context(raw) == WHILE
    assert proto.WhileContextDef.FromString(raw) == proto.WhileContextDef(
        context_name="w", parallel_iterations=32, back_prop=True, pivot_name="w/LoopCond:0",
        pivot_for_pred_name="w/Merge:0", pivot_for_body_name="w/Identity:0",
        loop_exit_names=["w/Exit:0", "w/Exit_1:0"], loop_enter_names=["w/Enter:0"],
        maximum_iterations_name="w/max:0",
        values_def=proto.ValuesDef(
            values=["x", "y"], external_values={"z": "in/z", "a": "in/a"}
        ),
    )  # fmt: skip
    assert values_field(9) in raw


def test_contexts_within_contexts() -> None:
    inner = CondContextDef("w/cond", "p:0", "v:0", 0, None, (WHILE,))
    outer = WhileContextDef("w", nested=(inner, inner))
    raw = write_while_context(outer)
    assert read_while_context(raw) == outer
    message = proto.WhileContextDef.FromString(raw)
    assert [nested.cond_ctxt.context_name for nested in message.nested_contexts] == ["w/cond"] * 2
    assert message.nested_contexts[0].cond_ctxt.nested_contexts[0].while_ctxt.swap_memory is False


def test_what_is_not_known_is_carried() -> None:
    values = wire.length_delimited(5, b"\x0a\x01x" + NEW)
    raw = COND + values + NEW
    context = read_cond_context(raw)
    assert context.unknown == NEW and write_cond_context(context) == raw
    loop = write_while_context(WHILE) + NEW
    assert write_while_context(read_while_context(loop)) == loop


@pytest.mark.parametrize(
    ("tail", "error", "words"),
    [
        (b"\x2a\x09short", CorruptFileError, "not a CondContextDef"),
        (b"\x0a\x01\xff", CorruptFileError, "not a CondContextDef"),
        (b"\x32\x00", UnsupportedError, "neither a conditional nor a loop"),
        (wire.length_delimited(6, NEW), UnsupportedError, "neither a conditional nor a loop"),
    ],
)
def test_broken(tail: bytes, error: type[ModelFormatError], words: str) -> None:
    with pytest.raises(error, match=words):
        read_cond_context(COND + tail)


def test_contexts_too_deep_for_protobuf() -> None:
    raw = COND
    for _ in range(60):  # each is two messages deep
        raw = COND + wire.length_delimited(6, wire.length_delimited(1, raw))
    with pytest.raises(CorruptFileError):
        read_cond_context(raw)
