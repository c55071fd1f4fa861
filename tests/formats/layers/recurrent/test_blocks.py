"""Windows on constants, put together again."""

from __future__ import annotations

import numpy as np

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.blocks import Block, blocks_of, cut, joined, width
from modelfmt.layers.recurrent.sums import Sums
from modelfmt.tensor import Tensor

KERNEL = np.arange(20, dtype=np.float32).reshape(5, 4)


def whole(array: np.ndarray) -> Block:
    rows, columns = array.shape
    tensor = Tensor.from_numpy("kernel", array)
    return Block(tensor, (rows, columns), (0, rows), (0, columns))


def test_a_window_of_a_window() -> None:
    block = whole(KERNEL).window(0, 1, 4).window(1, 2, 4).window(0, 1, 2)
    assert (block.height, block.width, block.is_whole()) == (1, 2, False)
    assert (block.numpy() == KERNEL[2:3, 2:4]).all()


def test_a_cut_through_blocks_beside_each_other() -> None:
    row = (whole(KERNEL), whole(KERNEL + 100))
    taken = cut(row, 3, 6)
    assert width(taken) == 3
    wanted = np.concatenate([KERNEL, KERNEL + 100], axis=1)[:, 3:6]
    assert (joined(taken, "kernel").numpy() == wanted).all()


def test_blocks_of_one_tensor_are_that_tensor() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 3))
    halves = graph.ops("Split", 1, graph.const(KERNEL[:3], name="kernel"), num_split=2)
    products = [graph.op("MatMul", x, half) for half in halves]
    sums = Sums(View(graph, outputs=products), lambda _: None, lambda _: None)
    rows = []
    for product in products:
        total = sums.sum(product)
        assert total is not None
        rows.append(total.products["x"])
    whole = joined(blocks_of(rows), "kernel")
    assert whole is rows[0][0].root
    turned = joined(blocks_of(rows[::-1]), "kernel")
    assert (turned.numpy() == KERNEL[:3, [2, 3, 0, 1]]).all()
