"""TextVectorization: structure and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.layers.text import widths
from modelfmt.network import Layer


def written(shape: Any = (None, 1), dtype: str = "string", **config: Any) -> tuple[set[str], Any]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.from_name(dtype), shape)
    it = prepared(Layer("TextVectorization", "it", {"vocabulary": ["a", "b"], **config}))
    (y,) = codec_for(it).write(it, [x], graph)
    return {node.op for node in graph.values()}, graph.shape(y)


def test_text_becomes_numbers_of_words() -> None:
    ops, shape = written()
    assert {"StringLower", "StaticRegexReplace", "StringSplitV2", "SparseToDense"} <= ops
    assert shape == (None, None)
    assert written(output_sequence_length=7)[1] == (None, 7)
    assert written((None,), output_sequence_length=7)[1] == (None, 7)


def test_what_is_none_stays_none() -> None:
    ops, shape = written(standardize=None, split=None)
    assert not {"StringLower", "StringSplitV2"} & ops and shape == (None, 1)


def test_characters_and_ngrams() -> None:
    assert {"UnicodeDecode", "UnicodeEncode"} <= written(split="character")[0]
    assert "StringNGrams" in written(ngrams=2)[0]
    assert widths(3) == [1, 2, 3] and widths([2, 3]) == [2, 3]
    with pytest.raises(ConversionError, match="a number or a list"):
        widths([0])


def test_counts_have_the_depth_of_the_vocabulary() -> None:
    assert written(output_mode="count")[1] == (None, 3)
    assert written(output_mode="multi_hot", max_tokens=8, pad_to_max_tokens=True)[1] == (None, 8)


@pytest.mark.parametrize(
    ("shape", "dtype", "config", "said"),
    [
        ((None, 1), "string", {"ragged": True}, "yields ragged"),
        ((None, 1), "string", {"split": {"class_name": "f"}}, "a function of the user's"),
        ((None, 1), "string", {"standardize": {"class_name": "f"}}, "a function of the user's"),
        ((None, 1), "string", {"output_mode": "one_hot"}, "rows of different lengths"),
        ((None, 3), "string", {}, "only a text for each sample"),
        ((None, 1), "int64", {}, "takes text; expected string, found int64"),
        ((None, 1), "string", {"output_sequence_length": -1}, "is a size"),
    ],
)
def test_what_cannot_be_written(shape: Any, dtype: str, config: dict[str, Any], said: str) -> None:
    with pytest.raises((ConversionError, MismatchError), match=said):
        written(shape, dtype, **config)
