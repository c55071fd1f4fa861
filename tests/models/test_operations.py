"""Operations of one Keras said in the words of another, and read out of graphs: both judge."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

#: What the other Keras has no words for, or what the grid's own files do not tell.
REFUSED = {
    2: "does not say its 'other'|saves the first only|tf.math.(lgamma|reduce_mean)|tf.where"
    "|lgamma|no words for (Lgamma|Mean|Where|StridedSlice|Xlog1py|AdjustContrastv2)",
    3: "no words for (Svd|BroadcastTo|Einsum|Real|MatMul|ExtractImagePatches)",
}
ROUTES = {2: [("h5", "h5", 3), ("h5", "keras", 3)], 3: [("keras", "h5", 2)]}
#: Models of the grid that must agree by every route.
LEAST = {2: 14, 3: 18}


@pytest.mark.parametrize("major", [2, 3])
def test_operations_in_the_words_of_the_other_keras(major: int, bench: Any) -> None:
    table = bench(major)
    table.make("grids.operations", freeze=False, major=major)
    verdicts = table.convert(ROUTES[major])
    agreed = Counter(v.route for v in verdicts if v.agrees_in_numbers)
    refused = [v for v in verdicts if v.refused and re.search(REFUSED[major], v.refused)]
    print(f"{dict(agreed)} of {len(table.models)} agree, {len(refused)} refused by name")
    wrong = [str(v) for v in verdicts if not v.agrees_in_numbers and v not in refused]
    assert not wrong, "\n".join(wrong)
    assert min(agreed.values()) >= LEAST[major]
