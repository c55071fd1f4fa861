"""The questions about tensors, asked of tables that were filled by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.errors import MissingError
from modelfmt.graph import Graph, Node
from modelfmt.graphs.facts import Constant, Facts, plain
from modelfmt.ops.shapes import Static
from modelfmt.tensor import Tensor


def facts(value: Any, dtype: Any = int32, shape: Any = None) -> Facts:
    """Of one tensor ``a``, computed from what is known, and ``b`` that stands for it."""
    found = Facts(Graph({"a": Node("a", "Mul", ["x", "y"], {"T": dtype})}))
    array = None if value is None else np.asarray(value, object)
    found._static["a"] = Static(shape if array is None else array.shape, array, dtype)
    found._alias["b"] = "a"
    return found


def test_a_name_stands_for_another() -> None:
    found = facts([1, 2])
    assert found.resolve("b:0") == found.resolve("a") == "a"
    assert found.ints("b") == [1, 2] and found.shape("b") == (2,) and found.dtype("b") is int32


def test_what_is_known() -> None:
    assert facts([1, 2]).is_known("b") and not facts([1, None]).is_known("a")
    assert not facts(None).is_known("a")
    found = facts(None, float32)
    found._constant["a"] = Constant(Tensor.from_numpy("k", np.ones(200, "f4")), (200,))
    assert found.is_known("a")


def test_scalars_and_matrices_that_were_computed() -> None:
    assert facts(6).scalar("a") == 6 and facts([0.5], float32).scalar("b") == 0.5
    assert facts([1, 2]).scalar("a") is None and facts([None]).scalar("a") is None
    assert facts([[0, 0], [1, 2]]).matrix("a") == [[0, 0], [1, 2]]
    assert facts([[0, None]]).matrix("a") is None
    assert facts([[0.5]], float32).matrix("a") is None and facts([1]).matrix("a") is None


def test_a_short_spelling() -> None:
    assert (plain("a:0"), plain("a:1"), plain("a")) == ("a", "a:1", "a")
    with pytest.raises(MissingError):
        plain("a:out:0")
