"""Attention without projections: scores of queries and keys as they are, by product or by sum.

    scores = q . k, or a weighted sum of tanh(q + k) along the last axis
    y = softmax(scores) . v

Source: Keras, Attention and AdditiveAttention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.attention_masks import as_bool
from modelfmt.layers.attention_recognition import Role, Scores, attended, hiding_of
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.extents import Extent
from modelfmt.layers.mask_recognition import shown_steps
from modelfmt.layers.products import escapes, interior, is_layout, layout, product_at
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import lengths
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


class _Scored(LayerCodec):
    """Softmax of scores, masked, times the values; a subclass says the scores."""

    arity = None
    parameters = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
    arguments = frozenset({"return_attention_scores", "use_causal_mask"})
    optional_weights = {"scale": "use_scale"}
    supports_masking = True
    root_ops = frozenset({"BatchMatMulV2", "Einsum", "SelectV2", "Mul"})

    def scores(self, layer: Layer, q: str, k: str, graph: GraphBuilder) -> str:
        """(batch, T, S)."""
        raise NotImplementedError

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *,
        return_attention_scores: Any = False, use_causal_mask: Any = False,
    ) -> list[str]:  # fmt: skip
        """The output (batch, T, size), then the scores where they are asked for."""
        if len(inputs) not in (2, 3):
            raise MismatchError(
                f"{layer.class_name} takes query, value and perhaps key", expected="2 or 3 inputs",
                found=len(inputs),
            )
        query, value = inputs[:2]
        seen, shown = graph.masks.get(query), graph.masks.get(value)
        scores = self.scores(layer, query, inputs[-1], graph)
        hidden = None if shown is None else graph.op("ExpandDims", as_bool(shown, graph), -2)
        if use_causal_mask or layer.config.get("causal"):
            causal = _causal(scores, graph)
            hidden = causal if hidden is None else graph.op("LogicalAnd", hidden, causal)
        if hidden is not None:
            scores = _lowered(scores, graph.op("LogicalNot", hidden), graph)
        weights = graph.op("Softmax", scores)
        y = graph.op("BatchMatMulV2", weights, value)
        if seen is not None:
            y = _kept(y, graph.op("ExpandDims", as_bool(seen, graph), -1), graph)
        return [y, weights] if return_attention_scores else [y]

    def summed(self, scores: Scores, graph: View) -> tuple[str, str, dict[str, Tensor]] | None:
        """(q, k, weights) of scores that are this layer's; None for others."""
        raise NotImplementedError

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        masks: dict[str, tuple[str, ...]] = {}
        shown = shown_steps(tensor, graph)
        found = attended(shown[0] if shown else tensor, graph)
        if found is None or found[0].equation() != "abc,acd->abd":
            return None
        product, scores = found
        below = self.summed(scores, graph)
        if below is None or scores.axes is not None:
            return None
        query, key, weights = below
        value = product.right
        if shown is not None:
            masks[shown[1]] = (query,)
        roles: list[Role] = [("b", 0), ("q", 1), ("k", 1)]
        sizes = {(part, axis): role for part in (scores.tensor, product.left)
                 for axis, role in enumerate(roles)}
        sizes |= {(query, 1): roles[1], (value, 1): roles[2], (key, 1): roles[2]}
        hiding = hiding_of(scores, roles, sizes, graph)
        if hiding is None or hiding.window or hiding.zeroed:
            return None
        for mask, told in hiding.masks:
            if [role[0] for role in told] != ["b", "k"]:
                return None
            masks[mask] = (*masks.get(mask, ()), value)
        given: Config = {"use_causal_mask": True} if hiding.causal else {}
        inputs = (query, value) if key == value else (query, value, key)
        nodes = interior(tensor, [*inputs, *masks], graph)
        outputs: dict[str, int] = {}
        if escapes(product.left, nodes, graph):
            given["return_attention_scores"] = True
            outputs = {graph.resolve(tensor): 0, graph.resolve(product.left): 1}
        config: Config = {flag: name in weights for name, flag in self.optional_weights.items()}
        return Claim(inputs, config, weights, nodes, kwargs=given, outputs=outputs, masks=masks)

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The queries' for the output, none for the scores."""
        return [graph.masks.get(inputs[0]), *(None for _ in outputs[1:])]


def _causal(scores: str, graph: GraphBuilder) -> str:
    """(T, S): true where a key does not stand after its query."""
    rows, columns = (_counted(size, graph) for size in lengths(scores, graph)[-2:])
    return graph.op("GreaterEqual", graph.op("ExpandDims", rows, -1), columns)


def _counted(size: Extent, graph: GraphBuilder) -> str:
    return graph.op("Range", 0, size, 1)


def _lowered(scores: str, hidden: str, graph: GraphBuilder) -> str:
    """The scores less 1e9 where they are hidden."""
    if graph.keras_major == 3:
        return graph.op("SelectV2", hidden, graph.op("Sub", scores, 1e9), scores)
    marked = graph.op("Cast", hidden, DstT=dtypes.float32)
    return graph.op("Sub", scores, graph.op("Mul", 1e9, marked))


def _kept(y: str, seen: str, graph: GraphBuilder) -> str:
    """y, zero where the query is masked."""
    if graph.keras_major == 3:
        return graph.op("SelectV2", seen, y, 0.0)
    return graph.op("Mul", y, graph.op("Cast", seen, DstT=dtypes.float32))


def _sums(q: str, k: str, graph: GraphBuilder) -> str:
    """(batch, T, S, size): every query plus every key."""
    return graph.op("AddV2", graph.op("ExpandDims", q, -2), graph.op("ExpandDims", k, -3))


def _terms(tensor: str, view: View) -> tuple[str, str] | None:
    """(q, k) of every query plus every key."""
    node = view.producer(tensor)
    if node is None or node.op != "AddV2":
        return None
    found: dict[int, str] = {}
    for term in node.inputs:
        spread, shape = view.producer(term), view.shape(term)
        if spread is None or not is_layout(spread, view) or shape is None or len(shape) != 4:
            return None
        arranged = layout(term, view, until=lambda tensor: len(view.shape(tensor) or ()) == 3)
        places = [k for k, group in enumerate(arranged.groups) if not group]
        if len(arranged.own) != 3 or places not in ([1], [2]):
            return None
        found[places[0]] = arranged.source
    return (found[2], found[1]) if len(found) == 2 else None


def _reduced(tensor: str, view: View) -> str | None:
    """What is summed along its last axis."""
    node = view.producer(tensor)
    if node is None or node.op != "Sum" or view.attr(node, "keep_dims"):
        return None
    return node.inputs[0] if view.ints(node.inputs[1]) in ([-1], [3]) else None


def _factor(tensor: str, view: View, rank: int) -> tuple[str, Tensor | None]:
    """(x, c) of x times a constant of that rank; None where there is no constant."""
    node = view.producer(tensor)
    if node is not None and node.op == "Mul":
        for x, c in (node.inputs, node.inputs[::-1]):
            constant = view.constant(c)
            if constant is not None and len(constant.root.shape) == rank:
                return x, constant.root
            if view.scalar(c) == 1:
                return x, None
    return tensor, None


def _argument(tensor: str, op: str, view: View) -> str | None:
    node = view.producer(tensor)
    return node.inputs[0] if node is not None and node.op == op else None


@register_layer
class Attention(_Scored):
    """Attention.  y = softmax(scale * q . k) . v, or with score_mode "concat"
    softmax(concat_score_weight * sum(tanh(scale * (q + k)))) . v

    Shapes:  q (batch, T, size), v (batch, S, any), k (batch, S, size); scale () with use_scale,
             concat_score_weight () with score_mode "concat"
    Weights: scale, concat_score_weight
    Masks:   of q and of v: what is hidden of v is not looked at, of q becomes 0
    Source:  Keras, Attention.call; tf_keras, BaseDenseAttention.call
    """

    class_name = "Attention"
    weights = ("scale",)
    config = {"use_scale": False, "score_mode": "dot", "causal": False}

    def weight_names(self, config: Config) -> tuple[str, ...]:
        more = ("concat_score_weight",) if config.get("score_mode") == "concat" else ()
        return super().weight_names(config) + more

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        whole = super().completed(config, weights)
        if "score_mode" not in config and "concat_score_weight" in weights:
            whole["score_mode"] = "concat"
        return whole

    def summed(self, scores: Scores, graph: View) -> tuple[str, str, dict[str, Tensor]] | None:
        if any(constant[0] != "*" for constant in scores.constants) or len(scores.constants) > 1:
            return None
        roots = [graph.constant(constant[1:]) for constant in scores.constants]
        factors = [each.root for each in roots if each is not None and not each.root.shape]
        if len(factors) != len(roots):
            return None
        product = product_at(scores.tensor, graph)
        if product is not None:
            if product.equation() != "abc,adc->abd":
                return None
            if graph.constant(product.left) or graph.constant(product.right):
                return None
            return product.left, product.right, dict(zip(self.weights, factors, strict=False))
        inner = _reduced(scores.tensor, graph)
        within = inner and _argument(inner, "Tanh", graph)
        if not within or not factors:
            return None
        sums, scale = _factor(within, graph, 0)
        terms = _terms(sums, graph)
        weights = {} if scale is None else {"scale": scale}
        return None if terms is None else (
            *terms, {**weights, "concat_score_weight": factors[0]}
        )

    def scores(self, layer: Layer, q: str, k: str, graph: GraphBuilder) -> str:
        scale = layer.weights.get("scale")
        if layer.config["score_mode"] == "dot":
            total = graph.op("BatchMatMulV2", q, k, adj_y=True)
            return total if scale is None else graph.op("Mul", total, graph.weight(scale, "scale"))
        if layer.config["score_mode"] != "concat":
            raise ConversionError("unknown score_mode", found=layer.config["score_mode"])
        sums = _sums(q, k, graph)
        if scale is not None:
            sums = graph.op("Mul", graph.weight(scale, "scale"), sums)
        total = graph.op("Sum", graph.op("Tanh", sums), [-1])
        factor = graph.weight(layer.weight("concat_score_weight"), "concat_score_weight")
        return graph.op("Mul", factor, total)


@register_layer
class AdditiveAttention(_Scored):
    """AdditiveAttention.  y = softmax(sum(scale * tanh(q + k))) . v

    Shapes:  q (batch, T, size), v (batch, S, any), k (batch, S, size), scale (size,)
    Weights: scale, with use_scale
    Masks:   as of Attention
    Source:  Keras, AdditiveAttention._calculate_scores
    """

    class_name = "AdditiveAttention"
    weights = ("scale",)
    config = {"use_scale": True, "causal": False}

    def summed(self, scores: Scores, graph: View) -> tuple[str, str, dict[str, Tensor]] | None:
        inner = _reduced(scores.tensor, graph)
        if inner is None or scores.constants:
            return None
        raised, scale = _factor(inner, graph, 1)
        within = _argument(raised, "Tanh", graph)
        terms = within and _terms(within, graph)
        return (*terms, {} if scale is None else {"scale": scale}) if terms else None

    def scores(self, layer: Layer, q: str, k: str, graph: GraphBuilder) -> str:
        sums = graph.op("Tanh", _sums(q, k, graph))
        if "scale" in layer.weights:
            sums = graph.op("Mul", graph.weight(layer.weight("scale"), "scale"), sums)
        return graph.op("Sum", sums, [-1])
