"""Attention with heads: queries look up values by keys, in several projections at once.

    q, k, v = x @ kernel + bias, each (batch, ..., heads, size)
    scores = softmax(q . k / sqrt(size)), hidden where the masks say so
    y = (scores . v) @ kernel + bias of the output

Keras 3 has two ways for the scores: a fused one, which hides by a very large negative number, and
the one of Softmax, which sets what is hidden to 0 in the end. They differ where a query may look at
nothing at all. Source: Keras, MultiHeadAttention and GroupedQueryAttention.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.attention_masks import AttentionMasks, as_bool, combined, spread_out
from modelfmt.layers.codec import Claim, Derived, LayerCodec, TensorName
from modelfmt.layers.einsum import write_einsum
from modelfmt.layers.heads_recognition import Headed, headed
from modelfmt.layers.products import escapes
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.layers.sizing import known_shape
from modelfmt.network import Config, Layer

#: What the fused way puts in the place of hidden scores. Source: Keras backend/tensorflow/nn.py.
_VERY_LOW = -0.7 * 3.38953e38

_PROJECTIONS = ("query", "key", "gate", "value", "attention_output")


def _size(weight: str, axis: int) -> Derived:
    """A config entry that is the size of a weight along an axis."""

    def compute(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
        return shapes[weight][axis]

    return Derived(compute)


class _Headed(LayerCodec):
    """What attention with heads is made of, whoever shares the heads."""

    parameters = (
        "query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask",
        "return_attention_scores", "training", "use_causal_mask",
    )  # fmt: skip
    arguments = frozenset(parameters)
    supports_masking = True
    scopes = ("query", "key", "value", "gate", "attention_output", "softmax", "einsum")
    root_ops = frozenset({"AddV2", "BiasAdd", "Einsum", "MatMul", "BatchMatMulV2", "Reshape",
                          "Transpose"})

    def weight_names(self, config: Config) -> tuple[str, ...]:
        kinds = ("kernel", "bias") if config.get("use_bias", True) else ("kernel",)
        return tuple(
            f"{part}/{kind}"
            for part in _PROJECTIONS
            if part != "gate" or config.get("use_gate")
            for kind in kinds
        )

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        whole = super().completed(config, weights)
        if weights and "use_bias" not in config:
            whole["use_bias"] = "query/bias" in weights
        if weights and "use_gate" not in config:
            whole["use_gate"] = "gate/kernel" in weights
        return whole

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """As any layer; a dropout vanishes."""
        (found,) = super().canonical(layer, shapes)
        del found.config["dropout"]
        rank, axes = len(shapes[0] or ()), found.config.get("attention_axes")
        if ([axes] if isinstance(axes, int) else axes) == [*range(1, rank - 1)]:
            found.config["attention_axes"] = None
        return [found]

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, value: Any = None,
        key: Any = None, query_mask: Any = None, value_mask: Any = None, key_mask: Any = None,
        attention_mask: Any = None, return_attention_scores: Any = False,
        use_causal_mask: Any = False,
    ) -> list[str]:  # fmt: skip
        """The output, then the scores (batch, heads, ...) where they are asked for."""
        query = inputs[0]
        if not isinstance(value, str):
            raise MismatchError(f"{layer.class_name} is called without a value")
        apart = isinstance(key, str) and key != value
        masks = AttentionMasks(
            self.query_mask(query, query_mask, graph),
            value_mask or graph.masks.get(value),
            key_mask or (graph.masks.get(key) if isinstance(key, str) else None),
            attention_mask,
            bool(use_causal_mask),
        )
        mask = combined(masks, query, value, layer.config.get("sliding_window"), graph)
        with graph.scope("query"):
            q = _projected(layer, "query", query, graph)
        with graph.scope("key"):
            k = _projected(layer, "key", key if apart else value, graph)
        with graph.scope("value"):
            v = _projected(layer, "value", value, graph)
        k, v = self.shared(layer, k, q, graph), self.shared(layer, v, q, graph)
        axes = self.attention_axes(layer, q, graph)
        fused = (
            graph.keras_major == 3
            and not return_attention_scores
            and not layer.config.get("dropout")
            and len(known_shape(q, graph, layer.class_name)) == 4
        )
        probabilities = _probabilities(layer, q, k, axes, mask, fused, graph)
        of_q, of_k, of_scores = _letters(len(known_shape(q, graph, layer.class_name)), axes)
        y = write_einsum(f"{of_scores},{of_k}->{of_q}", probabilities, v, graph)
        if layer.config.get("use_gate"):
            with graph.scope("gate"):
                gate = graph.op("Sigmoid", _projected(layer, "gate", query, graph))
            y = graph.op("Mul", y, gate)
        with graph.scope("attention_output"):
            y = _projected(layer, "attention_output", y, graph, bound=2)
        return [y, probabilities] if return_attention_scores else [y]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = headed(tensor, graph)
        config = None if found is None else self.told(found, graph)
        if found is None or config is None:
            return None
        parts, hiding = found.parts, found.hiding
        weights = {}
        for part in _PROJECTIONS[:-1]:
            if part in parts:
                weights[f"{part}/kernel"] = parts[part].kernel
                if (bias := parts[part].bias) is not None:
                    weights[f"{part}/bias"] = bias
        weights["attention_output/kernel"] = found.kernel
        if found.output.bias is not None:
            weights["attention_output/bias"] = found.output.bias
        config |= {"use_bias": found.output.bias is not None, "use_gate": "gate" in parts}
        if hiding.window is not None:
            config["sliding_window"] = hiding.window
        query, key, value = (parts[name].x for name in ("query", "key", "value"))
        given: Config = {"value": TensorName(value)}
        if key != value:
            given["key"] = TensorName(key)
        if hiding.causal:
            given["use_causal_mask"] = True
        inputs = [query, value, key]
        masks: dict[str, tuple[int, ...]] = {}
        for mask, roles in hiding.masks:
            kinds = [role[0] for role in roles]
            if kinds == ["b", "q"]:
                masks[mask] = (0,)
            elif kinds == ["b", "k"]:
                masks[mask] = (1, 2)
            elif kinds[-2:] == ["q", "k"] and "attention_mask" not in given:
                given["attention_mask"] = TensorName(mask)
                inputs.append(mask)
            else:
                return None
        outputs: dict[str, int] = {}
        if escapes(found.probabilities, found.nodes, graph):
            given["return_attention_scores"] = True
            outputs = {graph.resolve(tensor): 0, found.probabilities: 1}
        if hiding.zeroed and not outputs:
            # Only with a dropout, of whatever rate, does Keras set to 0 what is hidden.
            config["dropout"] = 0.1
        return Claim(
            tuple(dict.fromkeys(inputs)), config, weights, found.nodes,
            args=(TensorName(query),), kwargs=given, outputs=outputs,
            masks={mask: tuple(inputs[k] for k in of) for mask, of in masks.items()},
            zeroes=hiding.zeroed if hiding.masks else None,
        )

    def told(self, found: Headed, graph: View) -> Config | None:
        """The config that tells this class; None where it is of another one."""
        raise NotImplementedError

    def query_mask(self, query: str, stated: Any, graph: GraphBuilder) -> str | None:
        """The mask of the queries."""
        return stated or graph.masks.get(query)

    def shared(self, layer: Layer, x: str, query: str, graph: GraphBuilder) -> str:
        """Keys or values for every head of the queries."""
        return x

    def attention_axes(self, layer: Layer, query: str, graph: GraphBuilder) -> list[int]:
        """The axes of the projected tensors along which queries look at keys."""
        return [1]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The queries' for the output, none for the scores."""
        return [graph.masks.get(inputs[0]), *(None for _ in outputs[1:])]


@register_layer
class MultiHeadAttention(_Headed):
    """MultiHeadAttention.  y = (softmax(q . k / sqrt(key_dim)) . v) @ kernel + bias

    Shapes:  query (batch, ..., T, ..., in), value and key (batch, ..., S, ..., in);
             query/kernel and key/kernel (in, heads, key_dim), value/kernel (in, heads, value_dim),
             attention_output/kernel (heads, value_dim, *output_shape)
    Weights: query/kernel, query/bias, key/..., gate/... (with use_gate), value/...,
             attention_output/...
    Masks:   of query, value and key, attention_mask and the causal one together
    Nodes:   products as in ``einsum``, Softmax or SelectV2 between them
    Source:  Keras, MultiHeadAttention.call
    """

    class_name = "MultiHeadAttention"
    config = {
        "num_heads": _size("query/kernel", 1), "key_dim": _size("query/kernel", 2),
        "value_dim": _size("value/kernel", 2), "use_bias": True, "output_shape": None,
        "attention_axes": None, "dropout": 0.0, "use_gate": False, "sliding_window": None,
    }  # fmt: skip

    def told(self, found: Headed, graph: View) -> Config | None:
        heads = {part.kernel.shape[1] for part in found.parts.values()}
        if len(heads) != 1:
            return None
        rank = len(found.parts["query"].product.left_axes)
        axes = None if found.axes == list(range(1, rank - 1)) else found.axes
        size, fed = list(found.kernel.shape[2:]), found.parts["query"].kernel.shape[0]
        return {"attention_axes": axes, "output_shape": None if size == [fed] else size}

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, **given: Any
    ) -> list[str]:
        """As any attention. In Keras 3 the call takes the masks off its tensors: whoever reads
        the same tensors later sees none. That of the queries is still due to the output.
        """
        made = super().write(layer, inputs, graph, **given)
        if graph.keras_major == 3:
            for tensor in (given.get("value"), given.get("key")):
                if isinstance(tensor, str) and tensor != inputs[0]:
                    graph.masks.pop(tensor, None)
        return made

    def query_mask(self, query: str, stated: Any, graph: GraphBuilder) -> str | None:
        """Keras 3 looks at the tensor only, whatever the call says."""
        return graph.masks.get(query)

    def attention_axes(self, layer: Layer, query: str, graph: GraphBuilder) -> list[int]:
        rank = len(known_shape(query, graph, layer.class_name))
        axes = layer.config.get("attention_axes")
        if axes is None:
            return list(range(1, rank - 2))
        wanted = [axes] if isinstance(axes, int) else list(axes)
        counted = [a + rank - 1 if graph.keras_major == 3 and a < 0 else a for a in wanted]
        if not all(1 <= a < rank - 2 for a in counted) or len(set(counted)) != len(counted):
            raise ConversionError(
                f"{layer.class_name} cannot look along these axes", expected=f"1 to {rank - 3}",
                found=f"attention_axes={wanted}",
            )
        return counted

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """As any attention; then Keras 3 takes the mask off the queries too."""
        found = super().masks(layer, inputs, outputs, graph)
        if graph.keras_major == 3:
            for tensor in inputs:
                graph.masks.pop(tensor, None)
        return found


@register_layer
class GroupedQueryAttention(_Headed):
    """GroupedQueryAttention.  As MultiHeadAttention; several heads of queries share one of keys.

    Shapes:  query (batch, T, in), value and key (batch, S, in); query/kernel (in, query heads,
             head_dim), key/kernel and value/kernel (in, key heads, head_dim),
             attention_output/kernel (query heads, head_dim, in)
    Weights: query/kernel, query/bias, key/..., gate/... (with use_gate), value/...,
             attention_output/...
    Nodes:   as of MultiHeadAttention; GatherV2 repeats the heads of keys and values
    Source:  Keras, GroupedQueryAttention.call
    """

    class_name = "GroupedQueryAttention"
    config = {
        "head_dim": _size("query/kernel", 2), "num_query_heads": _size("query/kernel", 1),
        "num_key_value_heads": _size("key/kernel", 1), "use_bias": True, "dropout": 0.0,
        "use_gate": False, "sliding_window": None,
    }  # fmt: skip

    def told(self, found: Headed, graph: View) -> Config | None:
        sizes = {found.parts[part].kernel.shape[1:] for part in ("key", "value")}
        fed = found.parts["query"].kernel.shape[0]
        same = len(sizes) == 1 and found.kernel.shape[2:] == (fed,) and found.axes == [1]
        return {} if same else None

    def shared(self, layer: Layer, x: str, query: str, graph: GraphBuilder) -> str:
        heads = layer.weight("query/kernel").shape[1]
        groups = layer.weight("key/kernel").shape[1]
        if heads == groups:
            return x
        if heads % groups:
            raise MismatchError(
                "heads of queries that cannot be shared out among those of keys",
                expected=f"a multiple of {groups}", found=heads,
            )
        places = [head // (heads // groups) for head in range(heads)]
        return graph.op("GatherV2", x, places, 2)


def _projected(
    layer: Layer, part: str, x: str, graph: GraphBuilder, bound: int = 1
) -> str:
    """x times a kernel along the last ``bound`` axes, plus the bias."""
    kernel = layer.weight(f"{part}/kernel")
    letters = string.ascii_lowercase[: len(kernel.shape)]
    equation = f"...{letters[:bound]},{letters}->...{letters[bound:]}"
    y = write_einsum(equation, x, graph.weight(kernel, "kernel"), graph)
    if f"{part}/bias" in layer.weights:
        y = graph.op("AddV2", y, graph.weight(layer.weight(f"{part}/bias"), "bias"))
    return y


def _letters(rank: int, axes: Sequence[int]) -> tuple[str, str, str]:
    """Names for the axes of projected queries, of projected keys, and of their scores.

    The scores have the batch's axes first, the heads among them, then those of the queries along
    ``axes``, then those of the keys.
    """
    of_q = string.ascii_lowercase[:rank]
    of_k = "".join(a.upper() if place in axes else a for place, a in enumerate(of_q))
    batch = "".join(of_q[k] for k in range(rank - 1) if k not in axes)
    return of_q, of_k, batch + "".join(of_q[k] for k in axes) + "".join(of_k[k] for k in axes)


def _probabilities(
    layer: Layer, q: str, k: str, axes: Sequence[int], mask: str | None, fused: bool,
    graph: GraphBuilder,
) -> str:  # fmt: skip
    """The scores after softmax."""
    rank = len(known_shape(q, graph, layer.class_name))
    scale = 1.0 / math.sqrt(float(layer.weight("query/kernel").shape[2]))
    of_q, of_k, of_scores = _letters(rank, axes)
    if fused:
        scores = write_einsum(f"{of_q},{of_k}->{of_scores}", q, k, graph)
        scores = graph.op("Mul", scores, scale)
    else:
        scaled = graph.op("Mul", q, scale)
        scores = write_einsum(f"{of_q},{of_k}->{of_scores}", scaled, k, graph)
    if mask is not None:
        mask = spread_out(mask, len(of_scores), len(axes), graph)
    if fused:
        if mask is not None:
            scores = graph.op("SelectV2", as_bool(mask, graph), scores, _VERY_LOW)
        return graph.op("Softmax", scores)
    if mask is not None:
        graph.masks[scores] = mask
    over = list(range(len(of_scores) - len(axes), len(of_scores)))
    robust = bool(layer.config.get("softmax_robust_masking"))
    softmax = Layer(
        "Softmax", "softmax",
        {"axis": over[0] if len(over) == 1 else over, "robust_masking": robust},
    )  # fmt: skip
    return codec_for(softmax).write(softmax, [scores], graph)[0]
