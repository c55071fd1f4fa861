"""Layer names from scopes."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.graph import Graph
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.naming import _fit, layer_names, scope_of
from modelfmt.layers.recogniser import Recognised
from modelfmt.tensor import Tensor


class Scoped(LayerCodec):
    """A codec that opens a scope in its own."""

    class_name = "Scoped"
    scopes = ("batchnorm", "cond")


def claim(*nodes: str, weights: tuple[str, ...] = ()) -> Recognised:
    tensors = {name: Tensor.from_numpy(name, np.ones(1)) for name in weights}
    return Recognised(Scoped(), Claim((), {}, tensors, nodes), nodes[0])


def names(*items: Recognised) -> list[str]:
    return layer_names(items, View(Graph()))


@pytest.mark.parametrize(
    ("nodes", "scope"),
    [
        (("m/d/MatMul", "m/d/BiasAdd"), "m/d"),
        (("m/d/MatMul",), "m/d"),
        (("m/d/Tensordot/MatMul", "m/d/BiasAdd"), "m/d"),
        (("m/d/batchnorm/add", "m/d/batchnorm/mul"), "m/d"),
        (("m/d/batchnorm_2/add",), "m/d"),
        (("m/d/cond/batchnorm/add",), "m/d"),
        (("batchnorm/add",), "batchnorm"),
        (("MatMul", "m/BiasAdd"), ""),
        (("m/Cast", "m/d/Cast_1", "m/d/embedding_lookup"), "m/d"),
        (("m/d/Cast",), "m/d"),
        (("MatMul",), ""),
        (("ma/x", "mb/y"), ""),
    ],
)
def test_the_scope_that_nodes_share(nodes: tuple[str, ...], scope: str) -> None:
    assert scope_of(claim(*nodes)) == scope


def test_the_last_part_is_the_name() -> None:
    assert names(claim("model/block/dense/MatMul"), claim("model/relu/Relu")) == ["dense", "relu"]


def test_a_number_that_all_scopes_end_in_is_no_part_of_the_names() -> None:
    assert names(claim("f_1/a_1/x"), claim("f_1/b_1/x")) == ["a", "b"]
    assert names(claim("f_1/a_1/x"), claim("f_1/b/x")) == ["a_1", "b"]
    assert names(claim("a_1/x")) == ["a_1"]  # one layer says nothing of all


def test_numbers_within_a_name_stay() -> None:
    assert names(claim("f_3/conv2d_12_3/x"), claim("f_3/conv2d_13_3/x")) == [
        "conv2d_12", "conv2d_13",
    ]  # fmt: skip


def test_a_node_without_a_scope_lends_its_name() -> None:
    assert names(claim("MatMul:0"), claim("Out_1")) == ["matmul", "out_1"]


def test_a_weight_may_know_better() -> None:
    assert names(claim("MatMul", weights=("w", "dense_3/kernel"))) == ["dense_3"]


@pytest.mark.parametrize(
    ("name", "fit"),
    [("a b", "a_b"), ("a:0", "a_0"), ("é", "layer"), ("_a_", "a"), ("", "layer"),
     ("a.b-c", "a.b-c")],
)
def test_names_that_keras_takes(name: str, fit: str) -> None:
    assert _fit(name) == fit


@pytest.mark.parametrize(
    ("nodes", "weights", "name"),
    [
        (("add", "Conv2D"), ("c1_W", "c1_b"), "c1"),
        (("add", "Conv2D"), ("my_conv_W",), "my_conv"),
        (("batchnorm_1/add",), ("bn_gamma", "bn_beta", "bn_running_mean"), "bn"),
        (("concat",), ("forward_bi_W", "backward_bi_W", "forward_bi_b"), "bi"),
        (("add", "MatMul"), ("Variable", "Variable_1"), "add"),
        (("add", "MatMul"), ("weights", "biases"), "add"),
        (("MatMul",), ("kernel",), "matmul"),
        (("dense/MatMul",), ("c1_W", "c1_b"), "dense"),
    ],
)
def test_without_a_scope_the_weights_names_tell(
    nodes: tuple[str, ...], weights: tuple[str, ...], name: str
) -> None:
    assert names(claim(*nodes, weights=weights)) == [name]
