"""Dtype policies recognised: in which dtype a graph computes what a layer does.

    computes in    weights kept in    policy
    float16        float32            mixed_float16
    float16        float16            float16
    float32        -                  float32; nothing is said where all compute in it

A View sees through the Casts between layers of different precision: Keras puts them there itself,
by each layer's policy. A layer that computes in float32 whatever its policy, and yields half
precision, has the policy of half precision. Source: Keras, DTypePolicy; see ``policies``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.graph import parse_input
from modelfmt.graphs.view import HALF, View
from modelfmt.layers.assembling import Recognised
from modelfmt.network import Config


def settle_policies(found: Sequence[Recognised], view: View) -> None:
    """Give every claim the ``dtype`` that says in what it computes, in place."""
    computed = [_computed(item, view) for item in found]
    if all(kind is None or kind is dtypes.float32 for kind in computed):
        return
    # What computes in float32 anyway does not tell, nor what has no weights: as the others do.
    half = [item for item, kind in zip(found, computed, strict=True) if kind in HALF]
    telling = [item for item in half if item.claim.weights and not item.codec.computes_in_float32]
    mixed = any(map(_kept_wider, telling or half))
    for item, kind in zip(found, computed, strict=True):
        if kind is None:
            continue
        wider = _kept_wider(item) if any(item is each for each in telling) else mixed
        name = f"mixed_{kind.name}" if kind in HALF and wider else kind.name
        item.claim = dataclasses.replace(item.claim, config=_with_dtype(item, name))


def _computed(item: Recognised, view: View) -> DType | None:
    """The floating-point dtype that a claim computes in; None where there is none."""
    node = view.graph.find(parse_input(item.tensor).node)
    if item.codec.takes_literals or node is None:
        return None
    kind = view.dtype(item.tensor)
    if kind is None or not kind.is_floating:
        return None
    if kind is not dtypes.float32:
        return kind
    taken = view.dtype(item.claim.inputs[0]) if item.claim.inputs else None
    if item.codec.computes_in_float32 and taken in HALF and _narrowed(item.tensor, taken, view):
        return taken
    return kind


def _narrowed(tensor: str, kind: DType | None, view: View) -> bool:
    """Whether a tensor is made half precision as soon as it is there, and used in no other."""
    if tensor in view.outputs:
        return False
    casts = [
        node for node in view.live_casts if view.resolve(node.data_inputs[0]) == tensor
        and node.attrs.get("DstT") is kind
    ]  # fmt: skip
    scope = tensor.rpartition("/")[0]
    return any(node.name.rpartition("/")[0] == scope for node in casts)


def _kept_wider(item: Recognised) -> bool:
    """Whether weights are kept in float32."""
    return any(weight.dtype.name == "float32" for weight in item.claim.weights.values())


def _with_dtype(item: Recognised, name: str) -> Config:
    config: Config = {**item.claim.config, "dtype": name}
    for key in item.codec.wraps:
        config[key] = _inner(config.get(key), name)
    return config


def _inner(held: Any, name: str) -> Any:
    """A wrapped layer's config, or a list of them, with the dtype."""
    if isinstance(held, list):
        return [_inner(each, name) for each in held]
    if isinstance(held, dict) and isinstance(held.get("config"), dict):
        return {**held, "config": {**held["config"], "dtype": name}}
    return held
