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
from modelfmt.layers.attention_masks import as_bool
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.extents import Extent
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import lengths
from modelfmt.network import Config, Layer


class _Scored(LayerCodec):
    """Softmax of scores, masked, times the values; a subclass says the scores."""

    arity = None
    parameters = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
    arguments = frozenset({"return_attention_scores", "use_causal_mask"})
    optional_weights = {"scale": "use_scale"}
    supports_masking = True

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

    def scores(self, layer: Layer, q: str, k: str, graph: GraphBuilder) -> str:
        sums = graph.op("Tanh", _sums(q, k, graph))
        if "scale" in layer.weights:
            sums = graph.op("Mul", graph.weight(layer.weight("scale"), "scale"), sums)
        return graph.op("Sum", sums, [-1])
