"""TextVectorization: text cut into tokens, and these looked up.

    "The cat!"  -> lower, without punctuation ->  "the cat"  ->  "the" "cat"  ->  4 7 0 0

Rows of different lengths stand as a flat list of tokens with their places, (row, column); dense
tensors are made of it at the end. Source: Keras, layers/preprocessing/text_vectorization.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.encoding import cast, counted, encoded, output_mode
from modelfmt.layers.extents import Extent, extent
from modelfmt.layers.lookup import _MODES as MODES
from modelfmt.layers.lookup import IndexLookup, Vocabulary, depth_of, vocabulary
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, lengths, reshaped
from modelfmt.network import Config, Layer

#: What standardize takes for punctuation, in the syntax of RE2.
PUNCTUATION = r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']'
_LOWER = ("lower", "lower_and_strip_punctuation")
_STRIP = ("strip_punctuation", "lower_and_strip_punctuation")
_SPLITS = ("whitespace", "character", None)
#: U+FFFD, for what is no UTF-8.
_REPLACEMENT = 0xFFFD


class Ragged(NamedTuple):
    """Rows of tokens.

    Attributes:
        values: all tokens, row after row.
        places: (n, 2), int64: row and column of each.
        rows: how many rows there are.
        width: the length of the longest row, a scalar int64 tensor.
    """

    values: str
    places: str
    rows: Extent
    width: str


@register_layer
class TextVectorization(IndexLookup):
    """TextVectorization.  y = lookup(split(standardize(x)))

    Shapes:  x (batch,) or (batch, 1), strings; y (batch, output_sequence_length or the longest
             row), int64, 0 behind the end of a row; in other output modes (batch, depth)
    Weights: idf_weights (depth,), where output_mode is tf_idf
    Nodes:   StringLower, StaticRegexReplace, StringSplitV2 or UnicodeDecode and UnicodeEncode,
             StringNGrams, a table, SparseToDense
    Source:  Keras, TextVectorization.call
    """

    class_name = "TextVectorization"
    config = {
        **IndexLookup.config, "mask_token": "", "standardize": "lower_and_strip_punctuation",
        "split": "whitespace", "ngrams": None, "output_sequence_length": None, "ragged": False,
    }  # fmt: skip

    def completed(self, config: Config, weights: Any) -> Config:
        """As any config; that standardize or split is None means something."""
        whole = super().completed(config, weights)
        said: Config = {key: config[key] for key in ("standardize", "split") if key in config}
        return {**whole, **said}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode, config = output_mode(layer, *MODES), layer.config
        if config["ragged"]:
            raise ConversionError("a TextVectorization that yields ragged tensors")
        if graph.dtype(inputs[0]) is not dtypes.string:
            raise MismatchError(
                "TextVectorization takes text", expected="string", found=graph.dtype(inputs[0])
            )
        known = vocabulary(config, str)
        x = _standardized(inputs[0], config["standardize"], graph)
        if config["split"] not in _SPLITS:
            raise ConversionError(
                "a function of the user's that splits text", found=f"{config['split']!r:.80}"
            )
        if config["split"] is None:
            return [self._dense(layer, mode, known, x, graph)]
        shape = known_shape(x, graph, "TextVectorization")
        if len(shape) > 1 and shape[-1] == 1:
            x, shape = reshaped(x, lengths(x, graph)[:-1], graph), shape[:-1]
        if len(shape) != 1:
            raise ConversionError(
                "only a text for each sample can be split", expected="(batch,) or (batch, 1)",
                found=list(shape),
            )  # fmt: skip
        cut = _words if config["split"] == "whitespace" else _characters
        tokens = cut(x, graph)
        if config["ngrams"] is not None:
            tokens = _ngrams(tokens, widths(config["ngrams"]), graph)
        return [self._gathered(layer, mode, known, tokens, graph)]

    def _gathered(
        self, layer: Layer, mode: str, known: Vocabulary, tokens: Ragged, graph: GraphBuilder
    ) -> str:
        """Rows of tokens as a dense tensor."""
        found = self.looked_up(layer.config, known, tokens.values, graph)
        if mode == "int":
            return _padded(tokens, found, layer.config["output_sequence_length"], graph)
        depth = depth_of(layer.config, known)
        row = graph.op(
            "StridedSlice", tokens.places, [0, 0], [0, 1], [1, 1],
            begin_mask=1, end_mask=1, shrink_axis_mask=2,
        )  # fmt: skip
        if mode == "one_hot":
            raise ConversionError("one_hot of texts that are split: rows of different lengths")
        sums = counted(found, row, tokens.rows, depth, self._kind(mode, graph), graph)
        if mode == "multi_hot":
            return graph.op("Minimum", sums, 1)
        return self._weighed(layer, mode, sums, depth, graph)

    def _dense(
        self, layer: Layer, mode: str, known: Vocabulary, x: str, graph: GraphBuilder
    ) -> str:
        """Texts that are tokens as they stand."""
        if layer.config["ngrams"] is not None:
            x = _dense_ngrams(x, widths(layer.config["ngrams"]), graph)
        found = self.looked_up(layer.config, known, x, graph)
        if mode != "int":
            form, depth = "count" if mode == "tf_idf" else mode, depth_of(layer.config, known)
            made = encoded(found, form, depth, self._kind(mode, graph), graph)
            return self._weighed(layer, mode, made, depth, graph)
        length = layer.config["output_sequence_length"]
        return found if length is None else _fitted(found, length, graph)

    def _kind(self, mode: str, graph: GraphBuilder) -> Any:
        return dtypes.int64 if graph.keras_major == 3 else dtypes.float32

    def _weighed(
        self, layer: Layer, mode: str, counts: str, depth: int, graph: GraphBuilder
    ) -> str:
        if mode != "tf_idf":
            return counts
        counts = cast(counts, dtypes.float32, graph)
        return graph.op("Mul", counts, self.weighed(layer, depth, graph))


def widths(ngrams: Any) -> list[int]:
    """The lengths of n-grams: a number means all up to it.

    Raises:
        ConversionError: no such number.
    """
    found = list(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams
    if not isinstance(found, list) or not all(type(n) is int and n > 0 for n in found):
        raise ConversionError("ngrams are a number or a list of them", found=ngrams)
    return found


def _standardized(x: str, how: Any, graph: GraphBuilder) -> str:
    if how is not None and how not in (*_LOWER, *_STRIP):
        raise ConversionError(
            "a function of the user's that standardizes text", found=f"{how!r:.80}"
        )
    if how in _LOWER:
        x = graph.op("StringLower", x)
    if how in _STRIP:
        x = graph.op("StaticRegexReplace", x, pattern=PUNCTUATION, rewrite="")
    return x


def _words(x: str, graph: GraphBuilder) -> Ragged:
    """Split at whitespace; several count as one."""
    places, values, shape = graph.ops(
        "StringSplitV2", x, graph.const(b"", dtypes.string, "sep")
    )
    return Ragged(values, places, extent(x, 0, graph), _element(shape, 1, graph))


def _characters(x: str, graph: GraphBuilder) -> Ragged:
    """Every character of UTF-8 as a string."""
    splits, codes = graph.ops(
        "UnicodeDecode", x, input_encoding="UTF-8", replacement_char=_REPLACEMENT
    )
    count = cast(extent_of(codes, graph), dtypes.int64, graph)
    zero, one = (graph.const(k, dtypes.int64, "Const") for k in (0, 1))
    each = graph.op("Range", zero, graph.op("AddV2", count, 1), one)
    values = graph.op(
        "UnicodeEncode", codes, each, output_encoding="UTF-8", replacement_char=_REPLACEMENT
    )
    return _ragged(values, splits, extent(x, 0, graph), graph)


def extent_of(x: str, graph: GraphBuilder) -> str:
    """The length of a vector, a scalar int32 tensor."""
    return _element(graph.op("Shape", x), 0, graph)


def _element(vector: str, index: int, graph: GraphBuilder) -> str:
    return graph.op("StridedSlice", vector, [index], [index + 1], [1], shrink_axis_mask=1)


def _ragged(values: str, splits: str, rows: Extent, graph: GraphBuilder) -> Ragged:
    """Rows told by where each starts: (rows + 1,), int64."""
    ends = graph.op("StridedSlice", splits, [1], [0], [1], end_mask=1)
    starts = graph.op("StridedSlice", splits, [0], [-1], [1], begin_mask=1)
    sizes = graph.op("Sub", ends, starts)
    # The largest of none is the smallest number there is.
    width = graph.op("Maximum", graph.op("Max", sizes, [0]), 0)
    zero, one = (graph.const(k, dtypes.int64, "Const") for k in (0, 1))
    columns = graph.op("Range", zero, width, one)
    inside = graph.op("Less", columns, graph.op("ExpandDims", sizes, -1))
    return Ragged(values, graph.op("Where", inside), rows, width)


def _ngrams(tokens: Ragged, wanted: list[int], graph: GraphBuilder) -> Ragged:
    """Rows of n-grams, their tokens joined by a blank."""
    row = graph.op(
        "StridedSlice", tokens.places, [0, 0], [0, 1], [1, 1],
        begin_mask=1, end_mask=1, shrink_axis_mask=2,
    )  # fmt: skip
    ones = graph.op("Cast", graph.op("GreaterEqual", row, 0), DstT=dtypes.int64)
    sizes = graph.op("UnsortedSegmentSum", ones, row, tokens.rows)
    zero = graph.const([0], dtypes.int64, "Const")
    splits = graph.op("ConcatV2", zero, graph.op("Cumsum", sizes, 0), 0)
    values, ends = _joined(tokens.values, splits, wanted, graph)
    return _ragged(values, ends, tokens.rows, graph)


def _joined(values: str, splits: str, wanted: list[int], graph: GraphBuilder) -> list[str]:
    return graph.ops(
        "StringNGrams", values, splits, separator=" ", ngram_widths=wanted, left_pad="",
        right_pad="", pad_width=0, preserve_short_sequences=False,
    )  # fmt: skip


def _dense_ngrams(x: str, wanted: list[int], graph: GraphBuilder) -> str:
    """The n-grams of rows that are equally long."""
    if len(known_shape(x, graph, "TextVectorization")) != 2:
        raise ConversionError("ngrams of texts that are not split need a matrix of them")
    rows, columns = (extent(x, axis, graph) for axis in (0, 1))
    if not isinstance(columns, int):
        raise ConversionError("ngrams need to know how many texts a sample has")
    limit = graph.op("AddV2", graph.op("Mul", rows, columns), 1) if isinstance(rows, str) else (
        rows * columns + 1
    )
    splits = graph.op("Cast", graph.op("Range", 0, limit, columns), DstT=dtypes.int64)
    values, _ = _joined(graph.op("Reshape", x, [-1]), splits, wanted, graph)
    each = sum(max(columns - n + 1, 0) for n in wanted)
    return graph.op("Reshape", values, [rows if isinstance(rows, int) else -1, each])


def _padded(tokens: Ragged, values: str, length: Any, graph: GraphBuilder) -> str:
    """(rows, length) of the tokens' values, 0 where a row has ended."""
    rows = (
        graph.const(tokens.rows, dtypes.int64, "rows") if isinstance(tokens.rows, int)
        else cast(tokens.rows, dtypes.int64, graph)
    )  # fmt: skip
    shape = graph.op("Pack", rows, tokens.width, axis=0)
    zero = graph.const(0, dtypes.int64, "default_value")
    dense = graph.op("SparseToDense", tokens.places, shape, values, zero)
    return dense if length is None else _fitted(dense, length, graph)


def _fitted(x: str, length: Any, graph: GraphBuilder) -> str:
    """``x`` with a last axis of ``length``, cut off or filled up with 0."""
    if type(length) is not int or length < 0:
        raise ConversionError("output_sequence_length is a size", found=length)
    shape = known_shape(x, graph, "TextVectorization")
    rank = len(shape)
    if shape[-1] == length:
        return x
    ends = [*[0] * (rank - 1), length]
    most = (1 << (rank - 1)) - 1
    cut = graph.op(
        "StridedSlice", x, [0] * rank, ends, [1] * rank, begin_mask=most, end_mask=most
    )
    lacking = graph.op("Sub", length, extent_along(cut, rank - 1, graph))
    last = graph.op("Pack", 0, lacking, axis=0)
    rest = [graph.const([0, 0], dtypes.int32, "Const")] * (rank - 1)
    padded = graph.op("Pad", cut, graph.op("Pack", *rest, last, axis=0))
    sizes = lengths(x, graph)[:-1]
    return reshaped(padded, [*sizes, length], graph)


def extent_along(x: str, axis: int, graph: GraphBuilder) -> str:
    """The size of an axis as a scalar int32 tensor, known or not."""
    return _element(graph.op("Shape", x), axis, graph)
