"""Trials: parts of a graph that sum over axes, run on numbers to be told apart.

A trial has random values for the part's only input and for each stored tensor that it reads. A
codec asks it whether its layer makes the same of them, for one choice of axes after another.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.graphs.cuts import MOST_ELEMENTS, Cut, cuts
from modelfmt.graphs.view import View
from modelfmt.layers.likeness import close

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: What a part needs one of, to be worth a trial.
_REDUCING = {"Mean", "Sum", "Max", "FusedBatchNormV3"}
_ENOUGH = 1 << 16


@dataclasses.dataclass(frozen=True)
class Trial:
    """A part of a graph, an input that was tried and what it made of it.

    Attributes:
        cut: the part.
        x: float64, of the input's shape, unknown sizes small.
        y: of the same shape.
        values: what stood for each of the cut's weights, in order and in their shapes.
    """

    cut: Cut
    x: Array
    y: Array
    values: tuple[Array, ...]

    def is_like(self, wanted: Array) -> bool:
        return close(self.y, wanted)

    @cached_property
    def axes(self) -> list[tuple[int, ...]]:
        """The axes that may be summed over, sorted: those that a reduction names first."""
        rank = self.x.ndim
        named: list[tuple[int, ...]] = []
        for node in self.cut.interior:
            if node.op in _REDUCING and len(node.inputs) == 2:
                places = self.cut.view.ints(node.inputs[1]) or []
                known = [k for k in places if k is not None and -rank <= k < rank]
                named.append(tuple(sorted({k % rank for k in known})))
        last = [tuple(range(k, rank)) for k in range(rank - 1, 0, -1)]
        single = [(k,) for k in range(1, rank)]
        return [each for each in dict.fromkeys([*named, *last, *single]) if each and each[0] > 0]

    def roles(self, *names: str) -> Iterator[dict[str, int]]:
        """The ways in which the stored tensors may be these weights, all of them used."""
        count = len(self.values)
        for chosen in itertools.permutations(names, count):
            yield dict(zip(chosen, range(count), strict=True))

    @property
    def epsilons(self) -> list[float]:
        """The numbers that may be an epsilon."""
        return [n for n in self.cut.numbers if 0 <= n < 0.5]


def trials(tensor: str, view: View) -> list[Trial]:
    """The trials of the parts below ``tensor``, the smallest first; each is made once."""
    tensor = view.resolve(tensor)
    key = Trial, tensor
    if key not in view.memo:
        view.memo[key] = list(_trials(tensor, view))
    found = view.memo[key]
    assert isinstance(found, list)
    return found


def _trials(tensor: str, view: View) -> Iterator[Trial]:
    import numpy as np

    for cut in cuts(view, tensor):
        if not cut.ops & _REDUCING or cut.escapes or len(cut.weights) > 2:
            continue
        dtype = view.dtype(cut.inputs[0])
        if dtype is None or not dtype.is_floating:
            continue
        random = np.random.default_rng(0)
        values = [random.uniform(0.5, 1.5, weight.shape) for weight in cut.weights]
        given = {id(w): value for w, value in zip(cut.weights, values, strict=True)}
        for sizes in _sizes(cut):
            x = random.normal(0.02, 0.1, sizes)
            y = cut.run([x], given)
            if y is not None and y.shape == x.shape and np.isfinite(y).all():
                yield Trial(cut, x, y, tuple(values))
                break


def _sizes(cut: Cut) -> Iterator[list[int]]:
    """Shapes to try: the input's own unless that is large."""
    shape = cut.shape()
    if not shape:
        return
    if math.prod(shape) > _ENOUGH:
        kept = {size for weight in cut.weights for size in (*weight.shape, weight.size)}
        yield [size if size in kept else min(size, 3 + k) for k, size in enumerate(shape)]
    if math.prod(shape) <= MOST_ELEMENTS:
        yield shape


def normalized(x: Array, axes: tuple[int, ...], epsilon: float, *, centred: bool = True) -> Any:
    """x divided by its deviation along axes, its mean taken off before unless not ``centred``."""
    import numpy as np

    inverse = 1.0 / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return (x - x.mean(axes, keepdims=True) if centred else x) * inverse


def scaled(y: Any, named: Mapping[str, Array]) -> Any:
    """y * gamma + beta, as far as there are any."""
    return y * named.get("gamma", 1.0) + named.get("beta", 0.0)
