"""Control flow contexts: the conditionals and loops of TensorFlow 1, as collections tell of them.

    CondContextDef   1 context_name  2 pred_name  3 pivot_name  4 branch  5 values_def
                     6 nested_contexts
    WhileContextDef  1 context_name  2 parallel_iterations  3 back_prop  4 swap_memory
                     5 pivot_name  6 pivot_for_pred_name  7 pivot_for_body_name
                     8 loop_exit_names  9 values_def  10 loop_enter_names
                     11 maximum_iterations_name  12 nested_contexts
    ValuesDef        1 values  2 external_values {tensor outside: tensor that brings it in}
    ControlFlowContextDef  1 cond_ctxt or 2 while_ctxt

The entries of a map keep their order, and fields that a later TensorFlow may add are carried, so
that what is read is written as the same bytes.
Source: tensorflow/core/protobuf/control_flow.proto.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from modelfmt import proto
from modelfmt.errors import UnsupportedError
from modelfmt.storage import wire
from modelfmt.tf.defs import parse, unknown_fields

_COND, _WHILE = 1, 2


@dataclasses.dataclass(frozen=True)
class ValuesDef:
    """The tensors seen inside a context, and those from outside by the tensor outside."""

    values: tuple[str, ...] = ()
    external_values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unknown: bytes = b""


@dataclasses.dataclass(frozen=True)
class CondContextDef:
    """One branch of a conditional; ``branch`` is 1 for the one taken if the predicate is true."""

    name: str
    pred: str = ""
    pivot: str = ""
    branch: int = 0
    values: ValuesDef | None = None
    nested: tuple[ContextDef, ...] = ()
    unknown: bytes = b""


@dataclasses.dataclass(frozen=True)
class WhileContextDef:
    """A loop; ``pivot`` is the output of its LoopCond."""

    name: str
    parallel_iterations: int = 0
    back_prop: bool = False
    swap_memory: bool = False
    pivot: str = ""
    pivot_for_pred: str = ""
    pivot_for_body: str = ""
    loop_exits: tuple[str, ...] = ()
    loop_enters: tuple[str, ...] = ()
    maximum_iterations: str = ""
    values: ValuesDef | None = None
    nested: tuple[ContextDef, ...] = ()
    unknown: bytes = b""


ContextDef: TypeAlias = CondContextDef | WhileContextDef


def read_cond_context(raw: bytes) -> CondContextDef:
    """A serialised CondContextDef. Raises CorruptFileError, UnsupportedError."""
    message = parse(proto.CondContextDef, raw)
    return CondContextDef(
        message.context_name, message.pred_name, message.pivot_name, message.branch,
        _read_values(raw, 5), _read_nested(raw, 6), unknown_fields(proto.CondContextDef, raw),
    )  # fmt: skip


def write_cond_context(context: CondContextDef) -> bytes:
    """The twin of ``read_cond_context``."""
    head = proto.CondContextDef(
        context_name=context.name, pred_name=context.pred, pivot_name=context.pivot,
        branch=context.branch,
    )  # fmt: skip
    return b"".join([
        head.SerializeToString(deterministic=True), _write_values(context.values, 5),
        _write_nested(context.nested, 6), context.unknown,
    ])  # fmt: skip


def read_while_context(raw: bytes) -> WhileContextDef:
    """A serialised WhileContextDef. Raises CorruptFileError, UnsupportedError."""
    message = parse(proto.WhileContextDef, raw)
    return WhileContextDef(
        message.context_name, message.parallel_iterations, message.back_prop,
        message.swap_memory, message.pivot_name, message.pivot_for_pred_name,
        message.pivot_for_body_name, tuple(message.loop_exit_names),
        tuple(message.loop_enter_names), message.maximum_iterations_name,
        _read_values(raw, 9), _read_nested(raw, 12), unknown_fields(proto.WhileContextDef, raw),
    )  # fmt: skip


def write_while_context(context: WhileContextDef) -> bytes:
    """The twin of ``read_while_context``."""
    head = proto.WhileContextDef(
        context_name=context.name, parallel_iterations=context.parallel_iterations,
        back_prop=context.back_prop, swap_memory=context.swap_memory,
        pivot_name=context.pivot, pivot_for_pred_name=context.pivot_for_pred,
        pivot_for_body_name=context.pivot_for_body, loop_exit_names=context.loop_exits,
    )  # fmt: skip
    tail = proto.WhileContextDef(
        loop_enter_names=context.loop_enters, maximum_iterations_name=context.maximum_iterations
    )
    return b"".join([
        head.SerializeToString(deterministic=True), _write_values(context.values, 9),
        tail.SerializeToString(deterministic=True), _write_nested(context.nested, 12),
        context.unknown,
    ])  # fmt: skip


def _read_values(raw: bytes, field: int) -> ValuesDef | None:
    parts = _parts(raw, field)
    if not parts:
        return None
    whole = b"".join(parts)  # a reader of protobuf merges them
    values = parse(proto.ValuesDef, whole).values
    outside: dict[str, str] = {}
    for entry in _parts(whole, 2):  # one by one, for protobuf forgets their order
        outside.update(parse(proto.ValuesDef, wire.length_delimited(2, entry)).external_values)
    return ValuesDef(tuple(values), outside, unknown_fields(proto.ValuesDef, whole))


def _write_values(values: ValuesDef | None, field: int) -> bytes:
    if values is None:
        return b""
    parts = [proto.ValuesDef(values=values.values)]
    parts += [proto.ValuesDef(external_values={k: v}) for k, v in values.external_values.items()]
    written = b"".join(part.SerializeToString(deterministic=True) for part in parts)
    return wire.length_delimited(field, written + values.unknown)


def _read_nested(raw: bytes, field: int) -> tuple[ContextDef, ...]:
    found: list[ContextDef] = []
    for part in _parts(raw, field):
        held = [span for span in wire.scan(part) if span.field in (_COND, _WHILE)]
        if len(held) != 1 or unknown_fields(proto.ControlFlowContextDef, part):
            raise UnsupportedError("a nested context that is neither a conditional nor a loop")
        read = read_cond_context if held[0].field == _COND else read_while_context
        found.append(read(part[held[0].offset : held[0].end]))
    return tuple(found)


def _write_nested(contexts: Iterable[ContextDef], field: int) -> bytes:
    out = b""
    for context in contexts:
        inner = (
            wire.length_delimited(_COND, write_cond_context(context))
            if isinstance(context, CondContextDef)
            else wire.length_delimited(_WHILE, write_while_context(context))
        )
        out += wire.length_delimited(field, inner)
    return out


def _parts(raw: bytes, field: int) -> list[bytes]:
    return [raw[span.offset : span.end] for span in wire.scan(raw) if span.field == field]
