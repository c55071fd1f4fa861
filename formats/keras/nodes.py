"""One call of a layer, as configs spell it: an entry of ``inbound_nodes`` <-> Call.

    Keras 1   [["a", 0, 0], ["b", 0, 0]]
    Keras 2   [["a", 0, 0, {kwargs}], ["b", 0, 0, {kwargs}]]; a TFOpLambda on a lone tensor
              ["a", 0, 0, {kwargs}]; in kwargs a tensor is ["b", 0, 0]; a constant first argument
              ["_CONSTANT_VALUE", -1, value, {kwargs}]
    Keras 3   {"args": [...], "kwargs": {...}}, a tensor being {"class_name": "__keras_tensor__",
              "config": {"shape", "dtype", "keras_history": ["a", 0, 0]}}

Refs are read as written; ``config.py`` moves their node indices. Positional arguments that are
not just tensors, or one list of them, stand whole under ``kwargs["*args"]``, Refs in their place.
Source: tf_keras engine/node.py ``serialize``, Keras models/functional.py ``serialize_node``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.network import Call, Config, Ref, Spec, map_refs

#: The names of the positional arguments after the first, where Keras 2 must name them.
_POSITIONAL = {
    "MultiHeadAttention": ("value", "key"),
    "SimpleRNN": ("initial_state",),
    "GRU": ("initial_state",),
    "LSTM": ("initial_state",),
    "RNN": ("initial_state",),
    "Bidirectional": ("initial_state",),
}
_FLAT = frozenset({"TFOpLambda", "SlicingOpLambda"})

__all__ = ["read_call", "read_ref", "write_call_2", "write_call_3"]

Seen = Callable[[Ref, Spec], None]


def read_call(node: Any, names: frozenset[str], seen: Seen) -> Call:
    """The Call of one entry of ``inbound_nodes``.

    Args:
        node: the entry, in any dialect.
        names: the model's layer names, to tell a tensor in kwargs from another list.
        seen: told of each tensor's Spec, where the entry records it.

    Raises:
        CorruptFileError: the entry is spelled in no known way.
    """
    if isinstance(node, dict) and "args" in node:
        args = _revive(node["args"], seen)
        kwargs = _revive(node.get("kwargs") or {}, seen)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise CorruptFileError("a call is neither args nor kwargs", found=f"{node!r:.120}")
        return Call.of(args, kwargs)
    kwargs = {}
    argument = _legacy(node, names, kwargs)
    if isinstance(argument, list) and len(argument) == 1 and not _is_leaf(node):
        argument = argument[0]
    return Call.of([argument], kwargs)


def read_ref(value: Any) -> Ref:
    """The Ref of ``[name, node, tensor]``. Raises CorruptFileError."""
    if not _is_leaf(value):
        raise CorruptFileError(
            "no tensor reference", expected="[layer, node, tensor]", found=f"{value!r:.80}"
        )
    return Ref(value[0], value[1], value[2])


def _revive(value: Any, seen: Seen) -> Any:
    """A Keras 3 argument with its tensors as Refs."""
    if isinstance(value, list):
        return [_revive(inner, seen) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") != "__keras_tensor__":
        return {key: _revive(inner, seen) for key, inner in value.items()}
    config = value.get("config")
    if not isinstance(config, dict):
        raise CorruptFileError("a __keras_tensor__ without config", found=f"{value!r:.80}")
    ref = read_ref(config.get("keras_history"))
    shape = config.get("shape")
    if isinstance(shape, list):
        seen(ref, Spec(tuple(shape), str(config.get("dtype") or "float32")))
    return ref


def _is_leaf(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and (isinstance(value[2], int) or value[0] == "_CONSTANT_VALUE")
    )


def _legacy(node: Any, names: frozenset[str], kwargs: Config) -> Any:
    """The first argument of a Keras 1 or 2 call; what else it is called with joins ``kwargs``."""
    if _is_leaf(node):
        if len(node) == 4 and isinstance(node[3], dict):
            kwargs.update({key: _tensors_in(v, names) for key, v in node[3].items()})
        return node[2] if node[0] == "_CONSTANT_VALUE" else read_ref(node)
    if isinstance(node, dict):
        return {key: _legacy(inner, names, kwargs) for key, inner in node.items()}
    if isinstance(node, list):
        return [_legacy(inner, names, kwargs) for inner in node]
    raise CorruptFileError("an inbound node of no known spelling", found=f"{node!r:.80}")


def _tensors_in(value: Any, names: frozenset[str]) -> Any:
    if _is_leaf(value) and len(value) == 3 and value[0] in names:
        return read_ref(value)
    if isinstance(value, dict):
        return {key: _tensors_in(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_tensors_in(inner, names) for inner in value]
    return value


def write_call_3(call: Call, spec_of: Callable[[Ref], Spec]) -> Config:
    """An entry of Keras 3's ``inbound_nodes``: the twin of ``read_call``.

    Raises:
        ConversionError: from ``spec_of``, where a tensor's shape is unknown.
    """

    def tensor(ref: Ref) -> Config:
        spec = spec_of(ref)
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": list(spec.shape or ()),
                "dtype": spec.dtype,
                "keras_history": [ref.layer, ref.call, ref.index],
            },
        }

    args, kwargs = call.arguments()
    return {"args": map_refs(args, tensor), "kwargs": map_refs(kwargs, tensor)}


def write_call_2(call: Call, class_name: str, counted: Callable[[Ref], list[Any]]) -> Any:
    """An entry of Keras 2's ``inbound_nodes``: the twin of ``read_call``.

    Args:
        call: what to write.
        class_name: the called layer's.
        counted: ``[layer, node, tensor]`` of a Ref, its node counted as Keras 2 does.

    Raises:
        ConversionError: positional arguments that Keras 2 has no spelling for.
    """
    args, kwargs = call.arguments()
    extra = _POSITIONAL.get(class_name, ())
    if not args or len(args) > 1 + len(extra):
        raise ConversionError(
            f"Keras 2 cannot say a call of {class_name} with {len(args)} positional arguments"
        )
    kwargs.update(zip(extra, args[1:], strict=False))
    named = map_refs(kwargs, counted)

    def entry(value: Any) -> Any:
        if isinstance(value, Ref):
            return [*counted(value), named]
        if isinstance(value, list | tuple):
            return [entry(inner) for inner in value]
        if isinstance(value, dict):
            return {key: entry(inner) for key, inner in value.items()}
        return ["_CONSTANT_VALUE", -1, value, named]

    written = entry(args[0])
    lone = not isinstance(args[0], list | tuple | dict)
    return written if not lone or class_name in _FLAT else [written]
