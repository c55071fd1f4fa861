"""Lookups in a table of vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, Derived
from modelfmt.layers.embedding_parts import STITCHES, lookup_in_parts
from modelfmt.layers.quantized import QuantizedCodec, Scheme, as_dtype, dequantized, unpacked
from modelfmt.layers.quantized_products import Rounding, rounding, with_lora
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, lengths, product, reshaped
from modelfmt.layers.template import Field, Match, Template, Weight, X, one_of, op
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


def _side(axis: int) -> Derived:
    def size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
        return shapes["embeddings"][axis]

    return Derived(size)


_CAST = op("Cast", X, DstT=dtypes.int32)


def _repaired(ids: Any) -> Any:
    """Keras 3 counts negative indices from the end."""
    return op(
        "SelectV2", op("Less", ids, 0), op("AddV2", ids, Field("input_dim")), ids
    )


#: Ids as they are looked up. Models of tf.keras 2 cast what they get to floats, and back here.
_IDS = one_of(
    _repaired(_CAST), _repaired(X), op("Cast", op("Cast", X)), _CAST, X
)


@register_layer
class Embedding(QuantizedCodec):
    """Embedding.  y[...] = embeddings[x[...]]

    Shapes:  x (batch, ...), int32 or int64, else cast to int32; embeddings (input_dim,
             output_dim); y (batch, ..., output_dim)
    Weights: embeddings; further ones where it is quantized (quantized.py)
    Nodes:   GatherV2(embeddings, x, 0); in Keras 3 SelectV2(Less(x, 0), AddV2(x, input_dim), x)
             in place of x
    Masks:   NotEqual(x, 0), with mask_zero
    Source:  Keras, Embedding.call and ops.take
    """

    class_name = "Embedding"
    table = "embeddings"
    schemes = ("int8", "int4")
    weights: ClassVar[tuple[str, ...]] = ("embeddings",)
    config = {
        "input_dim": _side(0), "output_dim": _side(1),
        "mask_zero": False, "sparse": False,
    }  # fmt: skip
    also_read: ClassVar[Sequence[Template]] = (
        op("GatherV2", Weight("embeddings"), _IDS, 0), op("Gather", Weight("embeddings"), _IDS),
    )

    def roots(self) -> frozenset[str]:
        return super().roots() | STITCHES | {"Reshape"} if self.also_read else frozenset()

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """In one table, or in one that stands in parts."""
        return super().recognise(tensor, graph) or lookup_in_parts(tensor, graph)

    def refine(self, match: Match, graph: View) -> Match | None:
        """The table is a matrix, and indices are integers."""
        shape = match.weights["embeddings"].root.shape
        if len(shape) != 2 or match.config.get("input_dim", shape[0]) != shape[0]:
            return None
        return match

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if layer.config["sparse"]:
            raise ConversionError("an Embedding that yields sparse tensors cannot be written")
        ids = inputs[0]
        if graph.dtype(ids) not in (dtypes.int32, dtypes.int64):
            ids = graph.op("Cast", ids, DstT=dtypes.int32)
        table = layer.weight("embeddings")
        if graph.keras_major == 3:
            behind = graph.op("AddV2", ids, table.shape[0])
            ids = graph.op("SelectV2", graph.op("Less", ids, 0), behind, ids)
        if (found := self.scheme(layer.config)) is not None:
            return [self._quantized(layer, found, ids, graph)]
        return [graph.op("GatherV2", graph.weight(table, "embeddings"), ids, 0)]

    def _quantized(self, layer: Layer, found: Scheme, ids: str, graph: GraphBuilder) -> str:
        """Rows of whole numbers, each divided by its scale, or by its groups' scales."""

        def rows(name: str, table: Tensor | None = None) -> str:
            return graph.op("GatherV2", graph.weight(table or layer.weight(name), name), ids, 0)

        table = layer.weight("embeddings")
        if found.mode == "int4":
            table = unpacked(table, int(layer.config["output_dim"]))
        scale, vectors = rows("embeddings_scale"), rows("embeddings", table)
        if found.grouped:
            y = dequantized(
                layer, vectors, "embeddings", graph, axis=-1, scale=scale,
                zero=rows("embeddings_zero"),
            )
        else:
            vectors = as_dtype(vectors, graph.dtype(scale), graph)
            y = graph.op("RealDiv", vectors, graph.op("ExpandDims", scale, -1))
        return with_lora(
            layer, y, "embeddings", graph, lambda thin: graph.op("GatherV2", thin, ids, 0)
        )

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        return [graph.op("NotEqual", inputs[0], 0) if layer.config["mask_zero"] else None]


@register_layer
class ReversibleEmbedding(Embedding):
    """ReversibleEmbedding.  An Embedding; called with reverse=True, y = x @ transpose(embeddings)

    Shapes:  in reverse x (batch, ..., output_dim), y (batch, ..., input_dim)
    Weights: embeddings; reverse_embeddings (output_dim, input_dim), unless tied
    Nodes:   in reverse MatMul, then c * tanh(y / c) where logit_soft_cap is c
    Source:  Keras, ReversibleEmbedding.call
    """

    class_name = "ReversibleEmbedding"
    weights = ("embeddings", "reverse_embeddings")
    config = {
        **Embedding.config, "tie_weights": True, "reverse_dtype": None, "logit_soft_cap": None,
    }  # fmt: skip
    arguments = frozenset({"reverse"})
    also_read = ()

    def weight_names(self, config: Config) -> tuple[str, ...]:
        """The table's, then where it is not tied the other one's, which may have its own scales."""
        names, found = super().weight_names(config), self.scheme(config)
        names = tuple(name for name in names if name != "reverse_embeddings")
        if not config["tie_weights"]:
            scales = () if found is None else ("_scale", "_zero")[: 1 + found.grouped]
            names += tuple(f"reverse_embeddings{part}" for part in ("", *scales))
        return names

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, reverse: Any = False
    ) -> list[str]:
        if not reverse:
            return super().write(layer, inputs, graph)
        if layer.config["reverse_dtype"] not in (None, "float32"):
            raise ConversionError(
                "ReversibleEmbedding in another dtype", found=layer.config["reverse_dtype"]
            )
        known_shape(inputs[0], graph, "ReversibleEmbedding")
        if (found := self.scheme(layer.config)) is not None:
            y = self._quantized_reverse(layer, found, inputs[0], graph)
        else:
            tied = layer.config["tie_weights"]
            table = layer.weight("embeddings" if tied else "reverse_embeddings")
            y = _reversed(inputs[0], graph.weight(table), bool(tied), graph)
        cap = layer.config["logit_soft_cap"]
        if cap is not None:
            y = graph.op("Mul", graph.op("Tanh", graph.op("RealDiv", y, float(cap))), float(cap))
        return [y]

    def _quantized_reverse(
        self, layer: Layer, found: Scheme, x: str, graph: GraphBuilder
    ) -> str:
        """The product with the table, of whole numbers by their scales, or of its groups."""
        tied, width = bool(layer.config["tie_weights"]), int(layer.config["output_dim"])
        name = "embeddings" if tied else "reverse_embeddings"
        table, kind = layer.weight(name), graph.dtype(x)
        if found.mode == "int4":
            table = unpacked(table, width, -1 if tied else 0)
        numbers = graph.weight(table, name)
        rounds = rounding(layer, found, Rounding())
        rounded: str | None = None
        if rounds is not None:
            axis = -1 if rounds.axis is None else rounds.axis
            x, rounded = rounds.write(x, [axis], graph)
        if found.grouped:
            numbers = dequantized(layer, numbers, name, graph, axis=1 if tied else 0)
            y = _reversed(as_dtype(x, kind, graph), numbers, tied, graph)
            return y if rounded is None else graph.op("RealDiv", y, rounded)
        scale = graph.weight(layer.weight(f"{name}_scale"), f"{name}_scale")
        y = _reversed(x, as_dtype(numbers, graph.dtype(x), graph), tied, graph)
        by = scale if rounded is None else graph.op("Mul", rounded, scale)
        return graph.op("RealDiv", as_dtype(y, kind, graph), by)

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """As of an Embedding; none in reverse, which adds no axis."""
        if len(graph.shape(inputs[0]) or ()) == len(graph.shape(outputs[0]) or ()):
            return [None]
        return super().masks(layer, inputs, outputs, graph)


def _reversed(x: str, table: str, turned: bool, graph: GraphBuilder) -> str:
    """x multiplied along its last axis by a table, which may have to be transposed."""
    sizes = lengths(x, graph)
    rows = reshaped(x, [product(sizes[:-1], graph), sizes[-1]], graph)
    y = graph.op("MatMul", rows, table, transpose_b=turned)
    sides = graph.shape(table) or ()
    return reshaped(y, [*sizes[:-1], sides[0 if turned else 1] or -1], graph)
