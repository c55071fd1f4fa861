"""Steps: said things as rows of operations, tried out by writing them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.graph import Dims
from modelfmt.graphs.facts import Constant
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.steps import Held, Steps, UnsayableError
from modelfmt.layers.operations.table import find
from modelfmt.tensor import Tensor

X = TensorName("x")


def spec_of(tensor: str) -> tuple[DType, Dims]:
    return dtypes.float32, (None, 4)


def say(name: str, *args: Any, **kwargs: Any) -> Said:
    row = find(name)
    assert row is not None
    return Said(((row, tuple(row.values(args, kwargs)), False),))


def steps(major: int = 3) -> Steps:
    return Steps("n", major, spec_of, "x")


def test_what_is_said_twice_is_one_step() -> None:
    made = steps()
    square = say("Square", X)
    end = made.tensor(say("Add", square, square))
    assert [step.spelled.class_name for step in made.steps] == ["Square", "Add"]
    assert made.spec(end) == ("float32", (None, 4))
    made.rename(end, "n")
    assert made.steps[-1].outputs == ["n"] and made.steps[-1].tensors == ["n~0.0"]


def test_the_first_choice_that_can_be_said_is_taken() -> None:
    both = Said(say("math.lgamma", X).choices + say("Log", X).choices)
    for major, name in ((3, "Log"), (2, "math.lgamma")):
        made = steps(major)
        made.tensor(both)
        words = made.steps[0].spelled
        assert words.config.get("function", words.class_name) == name


def test_steps_of_a_choice_given_up_are_dropped() -> None:
    lost = say("math.lgamma", say("Square", X))
    made = steps()
    made.tensor(Said(lost.choices + say("Exp", X).choices))
    assert [step.spelled.class_name for step in made.steps] == ["Exp"]
    with pytest.raises(UnsayableError, match=r"math\.lgamma"):
        steps().tensor(lost)


def test_an_operation_needs_a_tensor() -> None:
    with pytest.raises(UnsayableError):
        steps().tensor(say("Add", 1.0, 2.0))


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_a_constant_alone(kind: str) -> None:
    """Floats are a weight; others an array beside zeros."""
    values = np.ones((2, 3), kind)
    made = steps()
    end = made.tensor(say("Squeeze", Held(Constant(Tensor.from_numpy("c", values), (2, 3)))))
    assert made.spec(end) == (kind, (2, 3))
    held = [step for step in made.steps if step.weight is not None]
    assert len(held) == (kind == "float32")
