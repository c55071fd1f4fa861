"""Any layer in a TimeDistributed recognised: step by step, or all steps of all samples at once.

    Keras 3    Transpose(Pack(layer(x[:, 0]), layer(x[:, 1]), ...)), each step a slice
    Keras 2    Reshape(layer(Reshape(x, (batch * time, ...))), (batch, time, ...))

Source: Keras and tf_keras, TimeDistributed.call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

from modelfmt.graph import Node
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.products import interior
from modelfmt.layers.recurrent.body import activated
from modelfmt.layers.registry import codecs
from modelfmt.network import Config
from modelfmt.tensor import Tensor

#: Layers that do the same to all steps at once, so that none of them needs a TimeDistributed.
_FREE = {
    "Dense", "EinsumDense", "Activation", "Reshape", "Permute", "TimeDistributed", "Softmax",
    "ReLU", "ELU", "LeakyReLU", "PReLU", "Rescaling", "Identity", "Masking",
}  # fmt: skip


@dataclasses.dataclass
class Stepwise:
    """What is applied to every step of ``x``."""

    x: str
    codec: LayerCodec
    config: Config
    weights: Mapping[str, Tensor]
    nodes: tuple[str, ...]

    def key(self) -> object:
        """Equal for the same layer."""
        weights = [(name, id(w.payload), w.shape) for name, w in self.weights.items()]
        return self.codec.class_name, weights, sorted((k, repr(v)) for k, v in self.config.items())


def stepwise(tensor: str, view: View) -> Stepwise | None:
    """The layer of which ``tensor`` is the TimeDistributed, or None."""
    node = view.producer(tensor)
    if node is None:
        return None
    parts = _parts(node, view)
    return _unrolled(tensor, parts, view) if parts else _joined(tensor, node, view)


def _parts(node: Node, view: View) -> list[str]:
    """The steps that a tensor (batch, time, ...) is packed of."""
    axis = 1
    if node.op == "Transpose":
        order = view.ints(node.inputs[1])
        inner = view.producer(node.inputs[0])
        if order is None or order[:2] != [1, 0] or order[2:] != list(range(2, len(order))):
            return []
        if inner is None:
            return []
        node, axis = inner, 0
    return list(node.inputs) if node.op == "Pack" and view.attr(node, "axis") == axis else []


def _unrolled(tensor: str, parts: list[str], view: View) -> Stepwise | None:
    found: list[Stepwise] = []
    for step, part in enumerate(parts):
        made = _applied(part, view, partial(_step_of, step=step, view=view), free=True)
        if made is None or (found and (made.x, made.key()) != (found[0].x, found[0].key())):
            return None
        found.append(made)
    first = found[0]
    shape = view.shape(first.x)
    if shape is None or len(shape) < 3 or shape[1] != len(parts):
        return None
    return dataclasses.replace(first, nodes=interior(tensor, [first.x], view))


def _step_of(tensor: str, step: int, view: View) -> str | None:
    """x, where a tensor is x[:, step]."""
    node = view.producer(tensor)
    if node is None or node.op != "StridedSlice":
        return None
    begin, end = (view.ints(i) for i in node.inputs[1:3])
    masks = [view.attr(node, f"{name}_mask") for name in ("ellipsis", "new_axis")]
    if begin is None or end is None or any(masks) or begin[-1] != step:
        return None
    if len(begin) == 2:
        whole = view.attr(node, "begin_mask") == 1 and view.attr(node, "end_mask") == 1
        return view.resolve(node.inputs[0]) if whole and view.attr(
            node, "shrink_axis_mask"
        ) == 2 else None
    turned = view.producer(node.inputs[0])
    if len(begin) != 1 or view.attr(node, "shrink_axis_mask") != 1 or turned is None:
        return None
    order = view.ints(turned.inputs[1]) if turned.op == "Transpose" else None
    if order is None or order[:2] != [1, 0] or order[2:] != list(range(2, len(order))):
        return None
    return view.resolve(turned.inputs[0])


def _joined(tensor: str, node: Node, view: View) -> Stepwise | None:
    if node.op != "Reshape":
        return None

    def source(flat: str) -> str | None:
        made = view.producer(flat)
        if made is None or made.op != "Reshape":
            return None
        x, rows = view.shape(made.inputs[0]), view.shape(flat)
        whole = x is not None and rows is not None and len(x) > 2 and None not in x[1:]
        if not whole or x is None or rows is None or rows[1:] != x[2:]:
            return None
        return view.resolve(made.inputs[0])

    found = _applied(node.inputs[0], view, source, free=False)
    before = None if found is None else view.shape(found.x)
    after, inner = view.shape(tensor), view.shape(node.inputs[0])
    if found is None or before is None or after is None or inner is None:
        return None
    if after[1:2] != before[1:2] or after[2:] != inner[1:] or None in inner[1:]:
        return None
    return dataclasses.replace(found, nodes=interior(tensor, [found.x], view))


# -- the layer itself -------------------------------------------------------------------------


def _applied(
    tensor: str, view: View, source: Callable[[str], str | None], *, free: bool
) -> Stepwise | None:
    """The largest layer that makes ``tensor`` of what has a ``source``, its activation with it."""
    best: tuple[int, Stepwise] | None = None
    for function, inner in activated(tensor, view):
        for codec, claim in _claims(inner, view):
            if claim.mask is not None or claim.masks or claim.outputs or claim.kwargs:
                continue
            if len(claim.inputs) != 1 or (not free and codec.class_name in _FREE):
                continue
            x = source(claim.inputs[0])
            if x is None or (function != "linear" and "activation" not in codec.config):
                continue
            config = dict(claim.config)
            if function != "linear":
                if config.get("activation", "linear") != "linear":
                    continue
                config["activation"] = function
            config = codec.completed(config, claim.weights)
            made = Stepwise(x, codec, config, claim.weights, claim.nodes)
            if best is None or len(claim.nodes) > best[0]:
                best = len(claim.nodes), made
    return None if best is None else best[1]


def _claims(tensor: str, view: View) -> list[tuple[LayerCodec, Claim]]:
    node = view.producer(tensor)
    if node is None:
        return []
    offered = [c for c in codecs() if c.class_name != "TimeDistributed" and node.op in c.roots()]
    claims = [(codec, codec.recognise(tensor, view)) for codec in offered]
    return [(codec, claim) for codec, claim in claims if claim is not None]
