"""Grids of layers that TensorFlow froze, read back as layers: the frameworks judge them.

Whatever is not refused by name must agree, weights bit by bit.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

#: The families of grids/ that are read back; of each a pattern of the models (with the Keras major
#: that they are for) that may be refused, or come back as operations on weights of another form.
FAMILIES: dict[str, str] = {
    # Loops whose cell has a layer for an activation.
    "activations": "LSTM_layer",
    # Weights that are computed of others; tables that two layers share.
    "core": "lora|Reversible",
    # Masks that a merge makes of several.
    "merging": "masked_",
    # Several axes, which Keras 3 has no longer; lengths below 1e-6, which it takes as they are.
    "normalization": r"BatchNormalization_3x4(x2)?_axis|UnitNormalization_small",
    "convolutional": "|".join((
        "_lora",  # a kernel that is computed of others
        "LocallyConnected",
        # More than one batch axis, which Keras 3 has not.
        r"Conv\dD_3x|Conv1D_NonexNonex4|Conv2D_Nonex(Nonex){2}4|Conv3D_Nonex(Nonex){3}4",
        # What Keras 3 computes with XLA alone, and a padding that it has not.
        r"Conv2DTranspose.*dilation_rate\.2 for 3", r"SeparableConv1D.*causal.* for 3",
    )),
    "attention": "|".join((
        "_stated|twice_masked|residual_masked",  # masks that no layer hands on as they are
        # Refused, as Keras 3 takes the masks off what it was called on, and sets to 0 what sees
        # nothing.
        r"values_later", r"mha_masked_scores.* for 3",
    )),
    "policies": "|".join((
        "bfloat16",  # which Keras does not read from .h5
        r"(lstm|gru|simple)_float", r"(dense|image)_float16",  # weights are kept in float32
    )),
    "padding": "(gaussian|mitchellcubic).* for 3",  # Keras 3 has no such interpolation
    "pooling": "masked_first",  # a mask that no layer makes
    "reshaping": "(?!)",
    "preprocessing": "|".join((
        "Normalization_given_[1356]|Rescaling_array",  # lists come back as weights
        "Normalization_masked",  # the mask that Keras 2 loses there
        "Category_|Crossing_|Discretization_|Hashing_",  # integers and strings
        "Pipeline",
    )),
}  # fmt: skip
ROUTES = {2: [("pb", "h5", 2), ("pb", "h5", 3)], 3: [("pb", "h5", 3), ("pb", "keras", 3)]}
#: Of each family so many models in the default run; the slow one takes all.
SOME = 8


def judge_of(verdict: Any, major: int) -> int:
    """The Keras major that judged."""
    told = re.search(r"for keras(\d)", verdict.route)
    return int(told.group(1)) if told else major


def check(table: Any, major: int, allowed: str) -> None:
    verdicts = table.convert(ROUTES[major])
    pattern = re.compile(allowed)
    agreed = Counter(v.route for v in verdicts if v.agrees)
    wrong = [v for v in verdicts if not v.agrees]
    excused = [v for v in wrong if pattern.search(f"{v.model} for {judge_of(v, major)}")]
    print(f"{dict(agreed)} agree of {len(verdicts)}, {len(excused)} may not")
    assert not [str(v) for v in wrong if v not in excused]
    # Nothing excuses other numbers: what cannot come back is refused, or Keras raises.
    assert not [str(v) for v in excused if not (v.refused or v.raised or v.agrees_in_numbers)]
    assert len(agreed) == len(ROUTES[major])


@pytest.mark.parametrize("major", [2, 3])
def test_some_of_every_family(major: int, bench: Any) -> None:
    table = bench(major)
    table.make(" ".join(f"grids.{grid}" for grid in FAMILIES), some=SOME, major=major)
    check(table, major, "|".join(FAMILIES.values()))


@pytest.mark.slow
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("grid", FAMILIES)
def test_every_family(grid: str, major: int, bench: Any) -> None:
    table = bench(major)
    table.make(f"grids.{grid}", major=major)
    check(table, major, FAMILIES[grid])
