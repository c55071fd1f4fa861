"""Operations said in the words of a Keras major."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.saying import _CALLED, UNFOUND, Spelled, spelled
from modelfmt.layers.operations.table import find, names

X = TensorName("x")


def said(name: str, major: int, *args: Any, **kwargs: Any) -> Spelled | None:
    row = find(name)
    assert row is not None
    found = spelled(row, row.values(args, kwargs), major)
    return found[0] if found else None


def test_one_row_in_both_words() -> None:
    assert said("Sum", 3, X, axis=1) == Spelled("Sum", {"axis": 1}, [X], {})
    function = {"function": "math.reduce_sum"}
    assert said("Sum", 2, X, axis=1) == Spelled("TFOpLambda", function, [X], {"axis": 1})


def test_what_a_call_takes_stands_apart_from_what_the_constructor_takes() -> None:
    assert said("Take", 3, X, 5, axis=1) == Spelled("Take", {"axis": 1}, [X, 5], {})
    assert said("Clip", 3, X, 0.0, 1.0) == Spelled("Clip", {"x_min": 0.0, "x_max": 1.0}, [X], {})
    assert said("Einsum", 3, X, X, subscripts="a,a->a") == Spelled(
        "Einsum", {"subscripts": "a,a->a"}, [X, X], {}
    )


def test_a_spelling_that_lacks_an_argument_is_passed_over() -> None:
    assert said("math.argmax", 3, X, axis=1, output_type="int64") is None
    assert said("math.argmax", 3, X, axis=1, output_type="int32") == Spelled(
        "Argmax", {"axis": 1}, [X], {}
    )


def test_arrays_and_slices_as_each_keras_writes_them() -> None:
    array = np.array([[1, 2]], "int64")
    found = said("Add", 3, X, array)
    assert found is not None and found.args[1] == {
        "class_name": "__numpy__", "config": {"value": [[1, 2]], "dtype": "int64"},
    }  # fmt: skip
    found = said("Add", 2, X, array)
    assert found is not None and found.kwargs == {"y": [[1, 2]]}
    key = [slice(None, 3), 0, None]
    found = said("GetItem", 3, X, key)
    assert found is not None and found.args[1] == [
        {"class_name": "__slice__", "config": {"start": None, "stop": 3, "step": None}}, 0, None,
    ]  # fmt: skip
    assert said("GetItem", 3, X, [Ellipsis, 0]) is None  # Keras cannot load what it writes of it
    found = said("GetItem", 2, X, key)
    assert found is not None and found.class_name == "SlicingOpLambda"
    assert found.kwargs["slice_spec"][:2] == [{"start": None, "stop": 3, "step": None}, 0]


@pytest.mark.oracle
def test_keras_calls_its_operations_as_the_table_says() -> None:
    """Arguments of the call first, then those of the constructor, as the spelling has them."""
    import importlib
    import inspect

    from modelfmt.keras.operations import module_of

    for name in names():
        if not name[0].isupper():
            continue
        row = find(name)
        assert row is not None
        operation = getattr(importlib.import_module(module_of(name)), name)
        call = list(inspect.signature(operation.call).parameters.values())[1:]
        count = len([p for p in call if p.kind is not inspect.Parameter.VAR_KEYWORD])
        assert _CALLED.get(name, 1) == count, name


@pytest.mark.oracle
def test_tensorflow_finds_its_functions_by_name() -> None:
    from tensorflow.python.util.tf_export import get_symbol_from_name

    lost = [
        name for name in names()
        if not name[0].isupper() and not name.startswith(("keras.", "compat.", "grad_pass"))
        and not get_symbol_from_name(name)
    ]  # fmt: skip
    assert set(lost) == UNFOUND
