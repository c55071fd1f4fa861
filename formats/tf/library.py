"""The definitions of the ops that a graph uses.

Source: tensorflow/python/framework/meta_graph.py, stripped_op_list_for_graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfmt import proto
from modelfmt.dtypes import DType
from modelfmt.graph import Function, Node
from modelfmt.ops import opdefs
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.attrvalue import write_attr


def op_list(
    nodes: Mapping[str, Node], functions: Mapping[str, Function]
) -> Iterator[proto.OpDef]:
    """The definitions of the ops used, by name; a reader of an older TensorFlow asks for them."""
    used = {node.op for node in nodes.values()}
    for function in functions.values():
        used |= {node.op for node in function.values()}
    for name in sorted(used):
        row = opdefs.get(name)
        if row is not None:
            yield op_def(row)


def op_def(row: opdefs.OpDef) -> proto.OpDef:
    """An OpDef message of a row of the table."""
    message = proto.OpDef(
        name=row.name, is_stateful=row.stateful, is_commutative=row.commutative
    )
    for field, args in ((message.input_arg, row.inputs), (message.output_arg, row.outputs)):
        for arg in args:
            field.add(
                name=arg.name, type=arg.type.enum if isinstance(arg.type, DType) else 0,
                type_attr=arg.type_attr, number_attr=arg.number_attr,
                type_list_attr=arg.type_list_attr, is_ref=arg.is_ref,
            )  # fmt: skip
    for attr in row.attrs:
        added = message.attr.add(name=attr.name, type=attr.type)
        if not isinstance(attr.default, opdefs.Required):
            raw = b"".join(map(piece_bytes, write_attr(attr.default)))
            added.default_value.MergeFromString(raw)
        if attr.minimum is not None:
            added.has_minimum, added.minimum = True, attr.minimum
        if attr.allowed:
            added.allowed_values.list.s.extend(word.encode() for word in attr.allowed)
    return message
