"""Likeness: functions of one tensor told by what they compute, however a graph spells them.

An elementwise part of a graph is run on points far and near, on those where it may bend, and
compared with the functions that Keras has. gelu by Erf or Erfc, a relu by Maximum or by
0.5 * (x + abs(x)): the values are the same, and nothing else is asked.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.graphs.cuts import Cut, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.template import tidy
from modelfmt.network import Config

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Told:
    """A layer without weights, as which a part of a graph was told."""

    class_name: str
    config: Config
    is_line: bool = False


#: Of a part that was not asked yet.
_UNASKED = Told("", {})

#: Op types in which a function of numbers may end.
ROOTS = frozenset({
    "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "SelectV2", "Neg", "ClipByValue",
    "Reciprocal", "Inv", "DivNoNan", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Square", "Pow",
    "Sigmoid", "Tanh", "Exp", "Softplus", "Softsign", "Log", "Log1p",
})  # fmt: skip

#: What is made of straight lines; products of one with itself apart, which grow slowly enough.
_STRAIGHT = frozenset({
    "AddV2", "Sub", "Mul", "RealDiv", "DivNoNan", "BiasAdd", "Neg", "Abs", "Cast", "Maximum",
    "Minimum", "ClipByValue", "Relu", "Relu6", "LeakyRelu", "SelectV2", "Less", "LessEqual",
    "Greater", "GreaterEqual", "ZerosLike", "OnesLike",
})  # fmt: skip
_SUMS = frozenset({"AddV2", "Sub", "BiasAdd"})
#: An offset by which values of size 1 lose two digits of seven.
_MOST_MOVED = 64.0
#: Constants of a graph are float32: so far apart are two spellings of one function.
_RTOL = 3e-6


class Curve:
    """A part of a graph that is a function of each number by itself."""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self.found: Told | None = _UNASKED

    @property
    def is_straight(self) -> bool:
        """Whether it is made of straight lines."""
        return self.cut.ops <= _STRAIGHT

    @cached_property
    def x(self) -> Array:
        """The points at which it is tried."""
        return _points(self.cut.numbers, self.is_straight)

    @cached_property
    def y(self) -> Array:
        """Its values there; empty where they cannot be told."""
        import numpy as np

        y = self.cut.run([self.x])
        return y if y is not None and y.dtype.kind == "f" else np.empty(0)

    def is_like(self, function: Callable[[Array], Array]) -> bool:
        """Whether the part computes ``function``."""
        import numpy as np

        with np.errstate(all="ignore"):
            return close(self.y, np.asarray(function(self.x)))

    def at(self, *points: float) -> list[float] | None:
        """The values at some points; None where they are no numbers."""
        import numpy as np

        made = self.cut.run([np.array(points, "float64")])
        if made is None or made.shape != (len(points),) or not np.isfinite(made).all():
            return None
        return [float(value) for value in made]


def close(got: Array, wanted: Array) -> bool:
    """Whether two arrays are equal up to the rounding of constants; infinities in one place."""
    import numpy as np

    if got.shape != wanted.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(got, wanted, rtol=_RTOL, atol=_RTOL, equal_nan=False))


def curves(view: View, tensor: str) -> list[Curve]:
    """The parts below ``tensor`` that are functions of a number, the smallest first.

    What something outside reads the inside of is none.
    """
    found = view.memo.setdefault(Curve, {})
    assert isinstance(found, dict)
    tensor = view.resolve(tensor)
    if tensor not in found:
        found[tensor] = list(_curves(view, tensor))
    kept: list[Curve] = found[tensor]
    return kept


def _curves(view: View, tensor: str) -> Iterator[Curve]:
    from modelfmt.ops.numbers import ELEMENTWISE

    for cut in cuts(view, tensor):
        if not cut.ops <= ELEMENTWISE or any(weight.size != 1 for weight in cut.weights):
            return
        if cut.escapes or (cut.weights and _has_one_channel(cut)):
            continue
        dtype = view.dtype(cut.inputs[0])
        if dtype is None or not dtype.is_floating:
            continue
        yield Curve(cut)


def _has_one_channel(cut: Cut) -> bool:
    """Whether a constant of one element and an axis may be the weight of the only channel."""
    shape = cut.view.shape(cut.inputs[0])
    return shape is None or 1 in shape[1:]


def _points(numbers: list[float], straight: bool = False) -> Array:
    """Where a function is tried: far, near, around zero, and where its constants make it bend.

    One of straight lines is tried beyond all of its constants, however large they are.
    """
    import numpy as np

    most = 1e30 if straight else 1e4
    bends = [n for n in numbers if math.isfinite(n) and abs(n) < most]
    bends += [1 / n for n in bends if abs(n) > 1e-3]
    bends += [a * b for a, b in itertools.combinations(bends[:6], 2)]
    bends += [a / b for a, b in itertools.permutations(bends[:6], 2) if b]
    near = np.array([0.0, *bends, *(-b for b in bends)])
    near = np.unique(near[np.abs(near) < most])
    far = np.geomspace(1e-6, 30, 90)
    if straight and (largest := float(np.abs(near).max())) > 3:
        far = np.append(far, np.geomspace(30, 10 * largest + 30, 90))
    points = np.concatenate([
        far, -far, np.linspace(-12, 12, 97), near, near - 1e-3, near + 1e-3, near - 1, near + 1
    ])  # fmt: skip
    return np.unique(points)


def _sigmoid(x: Array) -> Any:
    import numpy as np

    return 0.5 * (1 + np.tanh(0.5 * x))


def _softplus(x: Array) -> Any:
    import numpy as np

    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _erfc(x: Array) -> Any:
    from modelfmt.ops.numbers import UNARY

    return UNARY["Erfc"](x)


def _functions() -> Mapping[str, Callable[[Array], Any]]:
    import numpy as np

    clip, where = np.clip, np.where
    return {
        "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: clip(x, 0, 6),
        "sigmoid": _sigmoid, "tanh": np.tanh, "softplus": _softplus,
        "softsign": lambda x: x / (1 + np.abs(x)),
        "elu": lambda x: where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "selu": lambda x: 1.0507009873554805
        * where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
        "exponential": np.exp, "silu": lambda x: x * _sigmoid(x),
        "gelu": lambda x: 0.5 * x * _erfc(-x * math.sqrt(0.5)),
        "mish": lambda x: x * np.tanh(_softplus(x)),
        "hard_sigmoid": lambda x: clip(x + 3, 0, 6) / 6,
        "hard_sigmoid_keras2": lambda x: clip(0.2 * x + 0.5, 0, 1),
        "hard_silu": lambda x: x * clip(x + 3, 0, 6) / 6,
        "celu": lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)),
        "hard_shrink": lambda x: where(np.abs(x) > 0.5, x, 0),
        "hard_tanh": lambda x: clip(x, -1, 1), "log_sigmoid": lambda x: -_softplus(-x),
        "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
        "sparse_plus": lambda x: where(x <= -1, 0, where(x < 1, (x + 1) ** 2 / 4, x)),
        "sparse_sigmoid": lambda x: clip((x + 1) / 2, 0, 1),
        "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
        "tanh_shrink": lambda x: x - np.tanh(x),
    }


def told(curve: Curve) -> Told | None:
    """The function of Keras that a part computes; None where it is none, or several in a row.

    Where something between root and input divides it into two functions, neither of them a line,
    they are two layers.
    """
    view, source = curve.cut.view, curve.cut.inputs
    found = _told(curve)
    if found is None or found.is_line:
        return found if found and _is_one_line(curve.cut) else None
    for upper in curves(view, curve.cut.root):
        if len(upper.cut.interior) >= len(curve.cut.interior) or not _bends(upper):
            continue
        for lower in curves(view, upper.cut.inputs[0]):
            if lower.cut.inputs == source and _bends(lower):
                return None
    return found


def _bends(curve: Curve) -> bool:
    found = _told(curve)
    return found is not None and not found.is_line and found.config.get("negative_slope", 0) < 1


def keeps_digits(cut: Cut, scale: Any, offset: Any) -> bool:
    """Whether x * scale + offset has as many digits as a chain that may add before it scales.

    (x - 1000) * 2 is exact where x is about 1000; x * 2 - 2000 has lost three digits there.
    """
    import numpy as np

    ops = [node.op for node in reversed(cut.interior) if node.op not in ("Cast", "Neg")]
    adds_first = bool(ops) and ops[0] in _SUMS and not all(op in _SUMS for op in ops)
    return not adds_first or bool(((np.abs(offset) <= _MOST_MOVED) | (np.abs(scale) == 1)).all())


def _is_one_line(cut: Cut) -> bool:
    """Whether a line is spelled as one scale and one offset at most: no two layers, and no merge
    of a tensor with itself.
    """
    if not cut.is_chain:
        return False
    moves = sum(node.op in ("AddV2", "Sub") for node in cut.interior)
    scales = sum(node.op not in ("AddV2", "Sub", "Cast") for node in cut.interior)
    return moves <= 1 and scales <= 1


def _told(curve: Curve) -> Told | None:
    """``told``, of the part as a whole; found once."""
    if curve.found is _UNASKED:
        curve.found = _tell(curve)
    return curve.found if isinstance(curve.found, Told) else None


def _tell(curve: Curve) -> Told | None:
    if not curve.y.size:
        return None
    if (line := line_of(curve)) is not None:
        return Told("Rescaling", {"scale": line[0], "offset": line[1]}, is_line=True)
    if (name := function_of(curve)) is not None:
        return Told("Activation", {"activation": name})
    if (relu := relu_of(curve)) is not None:
        if not relu["threshold"] and relu["max_value"] is None:
            return Told("LeakyReLU", {"negative_slope": relu["negative_slope"]})
        return Told("ReLU", relu)
    if (alpha := elu_of(curve)) is not None:
        return Told("ELU", {"alpha": alpha})
    return None


def claim_of(class_name: str, tensor: str, view: View) -> Claim | None:
    """The claim of a layer on the largest part below ``tensor`` that computes what it does."""
    for curve in reversed(curves(view, tensor)):
        found = told(curve)
        if found is not None:
            if found.class_name != class_name:
                return None
            return Claim(curve.cut.inputs, found.config, {}, curve.cut.nodes)
    return None


def function_of(curve: Curve) -> str | None:
    """The activation function, by Keras' name, that a part computes."""
    for name, function in _functions().items():
        if curve.is_like(function):
            return name
    return None


def line_of(curve: Curve) -> tuple[float, float] | None:
    """(scale, offset) where a part computes x * scale + offset."""
    ends = curve.at(0.0, 1.0)
    if ends is None:
        return None
    # Of float32 constants: what the difference of two values lost is less than that.
    offset, scale = tidy(ends[0]), tidy(ends[1] - ends[0])
    if not math.isfinite(scale) or not curve.is_like(lambda x: x * scale + offset):
        return None
    if not keeps_digits(curve.cut, scale, offset):
        return None
    return scale, offset


def relu_of(curve: Curve) -> dict[str, Any] | None:
    """The config of ReLU(max_value, negative_slope, threshold) where a part computes one."""
    import numpy as np

    end = max(70.0, float(np.abs(curve.x).max())) if curve.is_straight else 70.0
    low, high = curve.at(-end, -0.9 * end), curve.at(end, 0.9 * end)
    if low is None or high is None:
        return None
    slope = tidy((low[1] - low[0]) / (0.1 * end))
    largest = tidy(high[0]) if high[0] == high[1] else None
    if slope < 0 or (largest is not None and largest < 0):
        return None
    candidates = [0.0, *(t for n in curve.cut.numbers for t in (n, -n))]
    for threshold in dict.fromkeys(map(tidy, candidates)):
        def relu(x: Array, t: float = threshold) -> Any:
            above = x if largest is None else np.minimum(x, largest)
            return np.where(x >= t, above, slope * (x - t))

        def open_relu(x: Array, t: float = threshold) -> Any:
            above = x if largest is None else np.minimum(x, largest)
            return np.where(x > t, above, slope * (x - t))

        if curve.is_like(relu) or curve.is_like(open_relu):
            return {"max_value": largest, "negative_slope": slope, "threshold": threshold}
    return None


def elu_of(curve: Curve) -> float | None:
    """alpha where a part computes alpha * (exp(x) - 1) below zero and x above."""
    import numpy as np

    low = curve.at(-70.0)
    if low is None or low[0] >= 0:
        return None
    alpha: float = tidy(-low[0])
    is_elu = curve.is_like(lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))
    return alpha if is_elu else None
