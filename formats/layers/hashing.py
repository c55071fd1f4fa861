"""Hashing: categories without a vocabulary."""

from __future__ import annotations

from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.encoding import cast, encoded, output_mode
from modelfmt.layers.preprocessing import layer_dtype
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, lengths, reshaped
from modelfmt.network import Layer

#: Of tf.sparse.cross_hashed where nobody gives another one.
_HASH_KEY = 0xDECAFCAFFE
_NUMBERS = (dtypes.int32, dtypes.int64)


def hashed(x: str, bins: int, salt: Any, graph: GraphBuilder) -> str:
    """The bin of each string or integer, int64: FarmHash, or SipHash where there is a salt.

    Args:
        x: strings, or integers, which are hashed as their decimal digits.
        bins: how many.
        salt: None, a number, or two.
        graph: where the nodes go.

    Raises:
        ConversionError: another salt, or nothing to hash.
    """
    dtype = graph.dtype(x)
    if dtype is not dtypes.string:
        if not dtype.is_integer:
            raise ConversionError("strings and integers can be hashed", found=dtype)
        x = graph.op("AsString", x if dtype in _NUMBERS else cast(x, dtypes.int64, graph))
    if salt is None:
        return graph.op("StringToHashBucketFast", x, num_buckets=bins)
    key = [salt, salt] if isinstance(salt, int) else salt
    if not isinstance(key, list) or len(key) != 2:
        raise ConversionError("a salt is one or two integers", found=salt)
    return graph.op("StringToHashBucketStrong", x, num_buckets=bins, key=key)


@register_layer
class Hashing(LayerCodec):
    """Hashing.  y = hash(x) mod num_bins; with a mask_value that is 0, and the others from 1 on

    Shapes: x (batch, ...), strings or integers; y as encoding.py tells
    Nodes:  StringToHashBucketFast(AsString(x)), or StringToHashBucketStrong with a salt
    Source: Keras, Hashing.call
    """

    class_name = "Hashing"
    config = {
        "num_bins": None, "mask_value": None, "salt": None, "output_mode": "int", "sparse": False,
    }  # fmt: skip

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode = output_mode(layer, "int", "one_hot", "multi_hot", "count")
        (x, *_), bins, masked = inputs, layer.config["num_bins"], layer.config["mask_value"]
        shape = known_shape(x, graph, "Hashing")
        if type(bins) is not int or bins < 1:
            raise ConversionError("Hashing without num_bins", found=bins)
        if graph.keras_major == 3 and mode == "one_hot" and shape and shape[-1] == 1:
            x = reshaped(x, lengths(x, graph)[:-1], graph)
        numbers = cast(x, dtypes.int64, graph) if graph.dtype(x).is_floating else x
        if masked is None or bins < 2:
            y = hashed(numbers, bins, layer.config["salt"], graph)
        else:
            y = graph.op("AddV2", hashed(numbers, bins - 1, layer.config["salt"], graph), 1)
            mask = graph.const(masked, graph.dtype(x), "mask_value")
            y = graph.op("SelectV2", graph.op("Equal", x, mask), 0, y)
        dtype = layer_dtype(layer, dtypes.int64 if mode == "int" else dtypes.float32)
        return [encoded(y, mode, bins, dtype, graph)]


@register_layer
class HashedCrossing(LayerCodec):
    """HashedCrossing.  y = hash(all features of a sample together) mod num_bins

    Shapes: each x (batch,) or (batch, 1), strings or integers; y as encoding.py tells
    Nodes:  SparseCross        Source: Keras, HashedCrossing.call; tf.sparse.cross_hashed
    """

    class_name = "HashedCrossing"
    arity = None
    config = {"num_bins": None, "output_mode": "int", "sparse": False}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode = output_mode(layer, "int", "one_hot")
        shapes = {known_shape(x, graph, "HashedCrossing") for x in inputs}
        ranks = {len(shape) for shape in shapes}
        if len(inputs) < 2 or len(ranks) != 1 or max(ranks) > 2:
            raise ConversionError(
                "HashedCrossing takes two or more features of one shape",
                expected="(batch,) or (batch, 1)", found=sorted(map(list, shapes), key=str),
            )  # fmt: skip
        features, rank = [], ranks.pop()
        for x in inputs:
            strings = graph.dtype(x) is dtypes.string
            column = x if strings else cast(x, dtypes.int64, graph)
            features.append(graph.op("Reshape", column, [-1, 1]) if rank < 2 else column)
        kinds = [graph.dtype(feature) for feature in features]
        _, values, _ = graph.ops(
            "SparseCross", *features, N=0, sparse_types=[], dense_types=kinds,
            hashed_output=True, num_buckets=layer.config["num_bins"], hash_key=_HASH_KEY,
            out_type=dtypes.int64,
            internal_type=dtypes.int64 if dtypes.int64 in kinds else dtypes.string,
        )  # fmt: skip
        # Each sample has one value of each feature, so there is one cross for each.
        y = graph.op("Reshape", values, [[], [-1], [-1, 1]][rank])
        dtype = layer_dtype(layer, dtypes.int64 if mode == "int" else dtypes.float32)
        return [encoded(y, mode, layer.config["num_bins"], dtype, graph)]
