"""LayerCodec: configs completed, claims put in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Derived, LayerCodec, normal_axis, plain, require_inputs
from modelfmt.layers.template import Match, Weight, X, op
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


class Scale(LayerCodec):
    """y = x * scale + offset; not registered."""

    class_name = "Scale"
    weights = ("scale", "offset")
    optional_weights = {"offset": "use_offset"}
    config = {
        "units": Derived(lambda shapes, config: shapes["scale"][-1]),
        "use_offset": True, "sizes": (1, 2),
    }  # fmt: skip
    template = op("AddV2", op("Mul", X, Weight("scale")), Weight("offset"))
    also_read = (op("Mul", X, Weight("scale")),)


WEIGHTS = {name: Tensor.from_numpy(name, np.ones(3, "f4")) for name in ("scale", "offset")}


def test_defaults_are_filled_in_and_tuples_are_lists() -> None:
    whole = Scale().completed({"extra": ((1, 2), 3)}, WEIGHTS)
    assert whole == {"units": 3, "use_offset": True, "sizes": [1, 2], "extra": [[1, 2], 3]}


def test_what_is_stated_stays() -> None:
    assert Scale().completed({"units": 7, "sizes": [9]}, WEIGHTS)["units"] == 7
    assert Scale().completed({"sizes": None}, {})["sizes"] == [1, 2]


def test_weights_tell_which_are_optional() -> None:
    only_scale = {"scale": WEIGHTS["scale"]}
    assert Scale().completed({}, only_scale)["use_offset"] is False
    assert Scale().completed({"use_offset": True}, only_scale)["use_offset"] is True


def test_without_weights_nothing_is_derived() -> None:
    assert "units" not in Scale().completed({}, {})


@pytest.mark.parametrize(("use", "names"), [(True, ("scale", "offset")), (False, ("scale",))])
def test_the_config_tells_the_weights(use: bool, names: tuple[str, ...]) -> None:
    assert Scale().weight_names({"use_offset": use}) == names


def test_both_directions_of_a_template() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    (y,) = Scale().write(Layer("Scale", "s", {}, dict(WEIGHTS)), [x], graph)
    claim = Scale().recognise(y, View(graph))
    assert claim is not None
    assert claim.inputs == ("x",) and set(claim.nodes) == {"AddV2", "Mul"}
    assert list(claim.weights) == ["scale", "offset"]
    assert claim.config == {"use_offset": True}
    short = Scale().recognise("Mul", View(graph, outputs=["Mul"]))
    assert short is not None and short.config == {"use_offset": False}


def test_weights_stand_in_canonical_order_whatever_was_matched_first() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    y = graph.op("AddV2", WEIGHTS["offset"], graph.op("Mul", x, WEIGHTS["scale"]))
    claim = Scale().recognise(y, View(graph))
    assert claim is not None and list(claim.weights) == ["scale", "offset"]


def test_refine_may_reject() -> None:
    class Never(Scale):
        def refine(self, match: Match, graph: View) -> Match | None:
            return None

    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    y = graph.op("Mul", x, WEIGHTS["scale"])
    assert Scale().recognise(y, View(graph)) is not None
    assert Never().recognise(y, View(graph)) is None


def test_roots() -> None:
    class Rooted(Scale):
        root_ops = frozenset({"While"})

    assert Scale().roots() == {"AddV2", "Mul"} and Rooted().roots() == {"While"}
    assert LayerCodec().roots() == frozenset()


def test_a_codec_without_a_template() -> None:
    class Bare(LayerCodec):
        class_name = "Bare"

    with pytest.raises(ConversionError, match="Bare cannot be written"):
        Bare().write(Layer("Bare", "b"), ["x"], GraphBuilder())
    assert Bare().recognise("x", View(GraphBuilder())) is None


@pytest.mark.parametrize(
    ("axis", "shape", "wanted"),
    [(-1, (None, 3, 4), -1), (2, (None, 3, 4), -1), (1, (None, 3, 4), 1), (-2, (None, 3, 4), 1),
     ([3], (1, 2, 3, 4), -1), ([1, 2], (1, 2, 3), [1, 2]), (2, None, 2), (5, (1, 2), 5)],
)  # fmt: skip
def test_an_axis_has_one_spelling(axis: Any, shape: Any, wanted: Any) -> None:
    assert normal_axis(axis, shape) == wanted


def test_plain_and_require_inputs() -> None:
    assert plain({"a": (1, [(2,)])}) == {"a": [1, [[2]]]}
    require_inputs(Layer("Add", "a"), ["x", "y"], 2)
    with pytest.raises(MismatchError, match=r"Add takes 2 input\(s\)"):
        require_inputs(Layer("Add", "a"), ["x"], 2)
