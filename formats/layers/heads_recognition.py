"""Attention with heads recognised, from the output's projection back to queries, keys and values.

    q, k, v = projection(x); y = projection(attended(q, k, v) [* sigmoid(projection(x))])

Each projection is the product of a tensor and a kernel (in, heads, size), whatever its axes were
merged to on the way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain

from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.attention_recognition import (
    Hiding,
    Role,
    Scores,
    attended,
    hiding_of,
    is_inverse_root,
    joined_roles,
    single,
    unscaled,
)
from modelfmt.layers.einsum import Projection, projection
from modelfmt.layers.products import Axis, Product, interior, product_at, repeated
from modelfmt.tensor import Tensor


@dataclasses.dataclass
class Heads:
    """What one projection to heads was recognised as.

    Attributes:
        x: what is projected.
        kernel: (in, heads, size).
        bias: (heads, size), if there is one.
        roles: of the axes of the projected tensor, piece by piece.
    """

    x: str
    kernel: Tensor
    bias: Tensor | None
    roles: list[list[Role]]
    product: Product


@dataclasses.dataclass
class Headed:
    """A whole layer: ``parts`` are query, key, value and, with a gate, gate."""

    parts: dict[str, Heads]
    output: Projection
    kernel: Tensor
    axes: list[int]
    hiding: Hiding
    probabilities: str
    nodes: tuple[str, ...]

    @property
    def bias(self) -> bool:
        """Whether all projections have a bias."""
        return self.output.bias is not None


def headed(tensor: str, view: View) -> Headed | None:
    """The layer of attention with heads that computes ``tensor``, or None."""
    output = projection(tensor, view, split=True)
    if output is None:
        return None
    gate, mixed = _gated(output.x, view)
    found = attended(mixed, view, split=True)
    if found is None:
        return None
    values, scores = found
    below = _scored(scores, view)
    if below is None:
        return None
    product, q, k, factors = below
    v = _heads(values.right, values.right_axes, "k", "V", view)
    if v is None or not is_inverse_root(factors, q.kernel.shape[2], view):
        return None
    of_scores = single(joined_roles(product, q.roles, k.roles, {"H"}))
    if of_scores is None:
        return None
    looked: set[Role] = {role for role in of_scores if role[0] == "k"}
    along = [place for place, role in enumerate(of_scores) if role in looked]
    if along != (scores.axes or [len(of_scores) - 1]):
        return None
    of_mixed = joined_roles(values, [[r] for r in of_scores], v.roles, looked)
    if of_mixed is None:
        return None
    parts = {"query": q, "key": k, "value": v}
    if gate is not None:
        gated = _heads(gate, output.product.left_axes, "q", "V", view)
        if gated is None or gated.x != q.x:
            return None
        parts["gate"] = gated
    kernel = _output_kernel(output, of_mixed)
    axes = sorted(role[1] for role in of_scores if isinstance(role, tuple) and role[0] == "q")
    biases = [part.bias is None for part in parts.values()] + [output.bias is None]
    if kernel is None or len(set(biases)) != 1:
        return None
    hiding = hiding_of(scores, of_scores, _sizes(product, of_scores, parts, scores, view), view)
    if hiding is None:
        return None
    leaves = [part.x for part in parts.values()] + [mask for mask, _ in hiding.masks]
    return Headed(
        parts, output, kernel, axes, hiding, view.resolve(values.left),
        interior(tensor, leaves, view),
    )


def _gated(tensor: str, view: View) -> tuple[str | None, str]:
    """(gate before its sigmoid, x) of x times a gate."""
    node = view.producer(tensor)
    if node is None or node.op != "Mul":
        return None, tensor
    for x, gate in (node.inputs, node.inputs[::-1]):
        opened = view.producer(gate)
        if opened is not None and opened.op == "Sigmoid":
            return view.resolve(opened.inputs[0]), x
    return None, tensor


def _scored(scores: Scores, view: View) -> tuple[Product, Heads, Heads, list[str]] | None:
    """The product of queries and keys, both, and what they are scaled by.

    Queries are those of whom an axis comes first among what keys and queries do not share.
    """
    product = product_at(scores.tensor, view, split=True)
    if product is None:
        return None
    for each in _ways(product, scores):
        factors = list(scores.constants)
        left, of_left = unscaled(each.left, view)
        right, of_right = unscaled(each.right, view)
        q = _heads(left, each.left_axes, "q", "H", view)
        k = _heads(right, each.right_axes, "k", "H", view)
        if q is not None and k is not None:
            return each, q, k, factors + of_left + of_right
    return None


def _ways(product: Product, scores: Scores) -> Iterator[Product]:
    """The product with queries as its left factor: keys have the axes that softmax goes along."""
    along = scores.axes or [len(product.axes) - 1]
    last = {axis for place in along for axis in product.axes[place]}
    left = {axis for group in product.left_axes for axis in group}
    yield product.turned() if last & left else product


def _heads(
    tensor: str, pieces: Sequence[Sequence[Axis]], kind: str, size: str, view: View
) -> Heads | None:
    """A projection to heads; ``pieces`` are its axes as the next product has them."""
    times = 1
    if (more := repeated(tensor, view)) is not None:
        tensor, times = more
    found = projection(tensor, view, split=True)
    if found is None:
        return None
    product, kernel = found.product, found.kernel
    own = {axis: k for k, group in enumerate(product.left_axes) for axis in group}
    others = [axis for group in product.right_axes for axis in group]
    summed, columns = others[:1], others[1:]
    made = [axis for group in product.axes for axis in group]
    if not columns or [axis for axis in made if axis in columns] != columns or summed[0] in made:
        return None
    if summed[0] not in own or [own[a] for a in made if a in own] != list(range(len(own) - 1)):
        return None
    behind = [k for k, group in enumerate(product.axes) if any(axis in columns for axis in group)]
    if len(columns) == 2:
        heads, width = (axis.size for axis in columns)
    elif len(pieces) == len(product.axes) and len(pieces[behind[0]]) == 2:
        heads, width = (axis.size for axis in pieces[behind[0]])
    else:
        return None
    if not heads or not width or kernel.size % (heads * width):
        return None
    names: list[Role] = ["N", size]

    def of(axis: Axis) -> list[Role]:
        if axis in own:
            return [(kind, own[axis])]
        return names if len(columns) == 1 else [names[columns.index(axis)]]

    roles = [[role for axis in group for role in of(axis)] for group in product.axes]
    if pieces and [len(g) for g in pieces] != [len(g) for g in roles]:
        return None
    if times != 1 and len(columns) != 2:
        return None
    bias = found.bias
    if bias is not None:
        if bias.size != heads * width or behind != list(range(len(roles)))[-len(behind) :]:
            return None
        bias = _shaped(bias, (heads, width))
    whole = (kernel.size // (heads * width), heads, width)
    return Heads(found.x, _shaped(kernel, whole), bias, roles, product)


def _shaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    return tensor if tensor.shape == shape else tensor.reshaped(shape)


def _output_kernel(output: Projection, roles: Sequence[Sequence[Role]]) -> Tensor | None:
    """The kernel (heads, size, ...) of the output; None where it is another product."""
    product = output.product
    if any(len(group) != 1 for group in product.axes):
        return None
    if [len(group) for group in product.left_axes] != [len(group) for group in roles]:
        return None
    told = dict(zip(chain(*product.left_axes), chain(*roles), strict=True))
    columns = list(chain(*product.right_axes))
    if [told.get(axis) for axis in columns[:2]] != ["N", "V"] or not columns[2:]:
        return None
    made = [group[0] for group in product.axes]
    kept = [told[axis] for axis in made if axis in told]
    places = [role[1] for role in kept if isinstance(role, tuple)]
    ordered = places == list(range(len(told) - 2)) and len(places) == len(kept)
    if not ordered or made[len(kept) :] != columns[2:]:
        return None
    sizes = [axis.size for axis in columns]
    if None in sizes:
        return None
    if output.bias is not None and output.bias.shape != tuple(sizes[2:]):
        return None
    return _shaped(output.kernel, tuple(size or 0 for size in sizes))


def _sizes(
    product: Product, roles: Sequence[Role], parts: dict[str, Heads], scores: Scores, view: View
) -> dict[tuple[str, int], Role]:
    """The role of every axis whose size a mask may ask for."""
    found: dict[tuple[str, int], Role] = {}
    for group, role in zip(product.axes, roles, strict=True):
        for axis in group:
            found.update(dict.fromkeys(axis.origins, role))
    for name, kind in (("query", "q"), ("value", "k"), ("key", "k")):
        part = parts[name]
        for place, groups in enumerate(part.product.left_axes):
            for axis in groups:
                found.update(dict.fromkeys(axis.origins, (kind, place)))
            found[part.x, place] = (kind, place)
    # Whatever is scaled or hidden has the axes of the scores.
    todo = [scores.tensor]
    for _ in range(8):
        following = []
        for tensor in todo:
            for reader in view.consumers.get(parse_input(tensor).node, ()):
                if view.producer(reader) and view.graph[reader].op in ("Mul", "RealDiv"):
                    following.append(reader)
                    found.update({(reader, k): role for k, role in enumerate(roles)})
        todo = following
    return found
