"""A model's config as it was written: the rows of its layers, found by name; and calls as values.

    {"class_name", "config": {"name", "layers": [row, ...]} or [row, ...], ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfmt.network import Call, Ref
from modelfmt.surgery.layer_weights import Way

#: Where an object stood in the memory of the process that saved it.
_ADDRESS = "shared_object_id"
_NOT_OF_THE_LAYER = frozenset({"inbound_nodes", "name"})


def rows_of(config: Any) -> list[Any]:
    """The rows of a model's config."""
    rows = config.get("config") if isinstance(config, dict) else None
    if isinstance(rows, dict):
        rows = rows.get("layers")
    return rows if isinstance(rows, list) else []


def row_at(config: Any, way: Way) -> Any:
    for row in rows_of(config):
        if isinstance(row, dict):
            body = row.get("config")
            name = row.get("name") or (body.get("name") if isinstance(body, dict) else None)
            if name == way[0]:
                return row if len(way) == 1 else row_at(row, way[1:])
    return None


def without_layers(row: Any) -> Any:
    """A row without its inner layers, its name and its connections."""
    kept = {k: v for k, v in row.items() if k not in _NOT_OF_THE_LAYER}
    body = kept.get("config")
    if isinstance(body, list):
        kept["config"] = None
    elif isinstance(body, dict):
        left_out = {"name", "layers", "input_layers", "output_layers"}
        kept["config"] = {k: v for k, v in body.items() if k not in left_out}
    found: dict[str, Any] = without_addresses(kept)
    return found


def without_addresses(value: Any) -> Any:
    """A value without the addresses that Keras gives shared objects: each save has others."""
    if isinstance(value, dict):
        return {k: without_addresses(v) for k, v in value.items() if k != _ADDRESS}
    return [without_addresses(v) for v in value] if isinstance(value, list) else value


def besides_layers(config: Any) -> dict[str, Any]:
    """What a model's config says besides its layers; how it was compiled is compared elsewhere."""
    left_out = {"class_name", "compile_config", "keras_version"}
    return {k: v for k, v in without_layers(config).items() if k not in left_out}


def call_tree(call: Call, names: Mapping[str, str]) -> Any:
    """A call like JSON, its tensors as text; ``names`` has other names for layers."""
    found: dict[str, Any] = {"inputs": [ref_text(ref, names) for ref in call.inputs]}
    if call.structure:
        found["as a list"] = True
    if call.kwargs:
        found["kwargs"] = _with_texts(call.kwargs, names)
    return found


def _with_texts(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Ref):
        return ref_text(value, names)
    if isinstance(value, dict):
        return {key: _with_texts(v, names) for key, v in value.items()}
    return [_with_texts(v, names) for v in value] if isinstance(value, list | tuple) else value


def ref_text(ref: Ref, names: Mapping[str, str] | None = None) -> str:
    """``dense``, or ``dense, call 1:2`` for output 2 of its second call."""
    name = (names or {}).get(ref.layer, ref.layer)
    call = f", call {ref.call}" if ref.call else ""
    return f"{name}{call}:{ref.index}" if ref.index else name + call
