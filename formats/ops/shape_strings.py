"""Shape rules of strings cut up, of lookups, of sums by segment and of spectra.

Source: tensorflow/core/ops/{string,lookup,math,sparse,spectral}_ops.cc.
"""

from __future__ import annotations

from modelfmt.graph import Dims
from modelfmt.ops.shape_core import Call, Rule


def found(call: Call) -> Dims:
    """LookupTableFind(table, keys, default): a value for each key."""
    return call.shape(1)


def split(call: Call) -> list[Dims]:
    """StringSplit, StringSplitV2: indices, values and dense shape of a sparse matrix."""
    return [(None, 2), (None,), (2,)]


def decoded(call: Call) -> list[Dims]:
    """UnicodeDecode: row splits, one more than there are strings, and all characters."""
    size = 1
    for each in call.shape(0) or (None,):
        if each is None:
            return [(None,), (None,)]
        size *= each
    return [(size + 1,), (None,)]


def encoded(call: Call) -> Dims:
    """UnicodeEncode(characters, row splits): a string for each row."""
    (count,) = call.ranked(1, 1)
    return (None if count is None else max(count - 1, 0),)


def ngrams(call: Call) -> list[Dims]:
    """StringNGrams(data, splits): the n-grams of all rows, and their splits."""
    return [(None,), call.shape(1)]


def segments(call: Call) -> Dims:
    """UnsortedSegmentSum(data, segment_ids, num_segments): num_segments + data[rank of ids:]."""
    data, ids, count = call.shape(0), call.shape(1), call.integer(2)
    return None if data is None or ids is None else (count, *data[len(ids) :])


def crossed(call: Call) -> list[Dims]:
    """SparseCross: indices, values and dense shape of a sparse matrix."""
    return [(None, 2), (None,), (2,)]


def spectrum(call: Call) -> Dims:
    """RFFT(x, fft_length): half of the bins and one more."""
    shape, length = call.shape(0), call.known(1)
    if shape is None or not shape:
        return shape
    return (*shape[:-1], length[0] // 2 + 1 if length else None)


_FAMILIES: dict[Rule, str] = {
    found: "LookupTableFind LookupTableFindV2",
    split: "StringSplit StringSplitV2",
    decoded: "UnicodeDecode",
    encoded: "UnicodeEncode",
    ngrams: "StringNGrams",
    segments: "UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd",
    crossed: "SparseCross",
    spectrum: "RFFT",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}
