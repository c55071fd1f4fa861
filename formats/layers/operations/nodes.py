"""A NodeDef as protobuf's JSON has it, written as a node: tf.keras 2.0 to 2.3.

    {"name": "Mul", "op": "Mul", "input": ["a", "Mul/y"], "attr": {"T": {"type": "DT_FLOAT"}}}
    constants  {"1": 2.0}: the inputs, by their place, that are no tensors of the model

64-bit numbers are text, bytes base64, as protobuf's JSON mapping says. Source: tf_keras 2.3,
TensorFlowOpLayer; tensorflow/core/framework/node_def.proto and attr_value.proto.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.graph import AttrValue, Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.network import Config
from modelfmt.ops import opdefs

#: The names of types that are not ``DT_`` and the dtype's own name in capitals.
_TYPES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16"}


def write_node(config: Config, inputs: Sequence[str], graph: GraphBuilder) -> list[str]:
    """The node of a TensorFlowOpLayer, its inputs being the tensors and the constants.

    Raises:
        ConversionError: the config spells its node in a way that cannot be read.
        CorruptFileError: an attr that is none.
    """
    node = config.get("node_def")
    if isinstance(node, str):
        try:
            node = json.loads(node)
        except json.JSONDecodeError:
            raise ConversionError(
                "a node_def as serialised bytes in text cannot be read", found=f"{node!r:.60}"
            ) from None
    if not isinstance(node, dict) or not isinstance(node.get("op"), str):
        raise ConversionError("a layer without a node_def", found=f"{node!r:.80}")
    op = node["op"]
    row = opdefs.get(op)
    derived = {arg.number_attr for arg in row.inputs} if row else set()
    attrs: dict[str, Any] = {
        name: _attr(value)
        for name, value in (node.get("attr") or {}).items()
        if name not in derived and not name.startswith("_")
    }
    named = [i for i in node.get("input") or [] if not str(i).startswith("^")]
    constants = {int(place): value for place, value in (config.get("constants") or {}).items()}
    tensors = iter(inputs)
    operands: list[Any] = []
    for place in range(max(len(named), len(constants) + len(inputs))):
        value = constants[place] if place in constants else next(tensors, None)
        if value is None:
            raise ConversionError(f"the node {op} lacks its input {place}")
        operands.append(value)
    return graph.ops(op, *operands, **attrs)


def _attr(value: Any) -> AttrValue:
    """One AttrValue out of its JSON."""
    if not isinstance(value, Mapping) or len(value) > 1:
        raise CorruptFileError("no attr of a node", found=f"{value!r:.80}")
    if not value:
        return []
    key, held = next(iter(value.items()))
    try:
        if key == "list":
            return [_attr({k: v}) for k, items in held.items() for v in items]
        return _plain(key, held)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise CorruptFileError(f"no {key} of an attr", found=f"{held!r:.60}") from None


def _plain(key: str, held: Any) -> AttrValue:
    match key:
        case "b":
            return bool(held)
        case "i":
            return int(held)
        case "f":
            return float(held)
        case "s":
            return _text(base64.b64decode(held, validate=True))
        case "type":
            name = str(held).removeprefix("DT_")
            return dtypes.from_name(_TYPES.get(name, name.lower()))
        case "shape":
            if held.get("unknownRank"):
                return Shape(None)
            sizes = [int(row.get("size", 0)) for row in held.get("dim", [])]
            return Shape(tuple(None if size < 0 else size for size in sizes))
    raise ConversionError(f"an attr of kind {key} cannot be read", found=f"{held!r:.60}")


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
