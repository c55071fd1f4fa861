"""Steps of a transplant: each as numpy does it, unread until written, refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.surgery.transforms import transformed
from modelfmt.tensor import Tensor

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 6)).astype(np.float32)
B = RNG.standard_normal((4, 2)).astype(np.float32)
GATES = A.reshape(4, 3, 2)


def tensor(array: Any) -> Tensor:
    return Tensor.from_numpy("x", array)


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ({"transpose": True}, A.T),
        ({"transpose": [1, 0]}, A.T),
        ({"transpose": [-2, 1]}, A),
        ({"reshape": [2, -1]}, A.reshape(2, 12)),
        ({"slice": {"axis": 1, "start": 1, "stop": 4}}, A[:, 1:4]),
        ({"slice": {"axis": -2, "start": 3}}, A[3:]),
        ({"split": {"axis": 1, "parts": 3, "part": 2}}, A[:, 4:]),
        ({"flip": [0, -1]}, A[::-1, ::-1]),
        ({"gates": "ijf > fij"}, GATES[:, [2, 0, 1]].reshape(4, 6)),
        ({"cast": "float16"}, A.astype(np.float16)),
        ({"cast": "float32"}, A),
    ],
)
def test_a_step(step: dict[str, Any], wanted: np.ndarray[Any, Any]) -> None:
    made = transformed([tensor(A)], [step])
    assert made.shape == wanted.shape
    assert made.numpy().tobytes() == np.ascontiguousarray(wanted).tobytes()


def test_steps_follow_one_another() -> None:
    made = transformed([tensor(A)], [{"transpose": True}, {"reshape": [3, 8]}, {"cast": "float64"}])
    assert (made.numpy() == A.T.reshape(3, 8).astype(np.float64)).all()


def test_several_weights_are_joined_first() -> None:
    made = transformed([tensor(A), tensor(B)], [{"concatenate": -1}, {"transpose": True}])
    assert (made.numpy() == np.concatenate([A, B], 1).T).all()
    assert made.derived
    alone = transformed([tensor(A)], [{"concatenate": 0}])
    assert (alone.numpy() == A).all()


def test_no_step_changes_nothing() -> None:
    given = tensor(A)
    assert transformed([given], []) is given


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        ({"turn": 1}, UnsupportedError, "no such step; expected one of concatenate, slice"),
        ({"transpose": True, "cast": "float16"}, UnsupportedError, "no such step"),
        ({"transpose": [0]}, MismatchError, "no order of the axes"),
        ({"transpose": [0, 2]}, MismatchError, "no such axis; expected one of 2, found 2"),
        ({"transpose": "x"}, UnsupportedError, "an axis is a whole number"),
        ({"transpose": 5}, UnsupportedError, "step transpose: a step that is told nonsense"),
        ({"reshape": [5, 5]}, MismatchError, "cannot be reshaped"),
        ({"slice": {"axis": 0, "start": 3, "stop": 9}}, MismatchError, "expected 0 to 4, found 3"),
        ({"slice": {"start": 3}}, UnsupportedError, "told nonsense"),
        ({"split": {"axis": 1, "parts": 4, "part": 0}}, MismatchError, "no such part"),
        ({"gates": "ij > ik"}, UnsupportedError, "letters in two orders"),
        ({"gates": "ijfo > ifjo"}, MismatchError, "a multiple of 4"),
        ({"cast": "string"}, UnsupportedError, "float32 is not cast to string"),
        ({"cast": "float"}, UnsupportedError, "unknown dtype"),
    ],
)
def test_refusals(step: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        transformed([tensor(A)], [step])


def test_what_cannot_be_joined() -> None:
    with pytest.raises(UnsupportedError, match="no step that joins them"):
        transformed([tensor(A), tensor(B)], [{"transpose": True}])
    with pytest.raises(MismatchError, match="cannot stand beside each other"):
        transformed([tensor(A), tensor(B)], [{"concatenate": 0}])
