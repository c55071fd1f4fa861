"""One table of the parts that tf.nn.embedding_lookup finds rows in."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise
from modelfmt.layers.embedding_parts import lookup_in_parts

ROWS, SIZE, PARTS = 7, 3, 3
TABLE = np.random.default_rng(0).normal(size=(ROWS, SIZE)).astype("float32")


def lookup(strategy: str, twisted: bool = False) -> tuple[GraphBuilder, str]:
    """embedding_lookup of ids (batch, 4), by remainder or by rows in a row."""
    graph = GraphBuilder()
    ids = graph.placeholder("ids", int32, (None, 4))
    flat = graph.op("Reshape", ids, [-1])
    if strategy == "mod":
        part, row = graph.op("FloorMod", flat, PARTS), graph.op("FloorDiv", flat, PARTS)
        tables = [TABLE[k::PARTS] for k in range(PARTS)]
    else:
        part, row = graph.op("FloorDiv", flat, 3), graph.op("FloorMod", flat, 3)
        tables = [TABLE[:3], TABLE[3:6], TABLE[6:]]
    rows = graph.op("DynamicPartition", row, part, num_partitions=PARTS)
    places = graph.op("Range", 0, graph.op("Size", flat), 1)
    places = graph.op("DynamicPartition", places, part, num_partitions=PARTS)
    outputs = [[f"{name}:{k}" if k else name for k in range(PARTS)] for name in (places, rows)]
    found = [
        graph.op("GatherV2", graph.const(table, float32, f"emb/part_{k}"), outputs[1][k], 0)
        for k, table in enumerate(tables)
    ]
    made = graph.op("DynamicStitch", *outputs[0], *found, N=PARTS)
    shape = [-1, 4, SIZE] if not twisted else [-1, SIZE, 4]
    made = graph.op("Reshape", made, shape)
    graph.op("Identity", made)
    return graph, made


@pytest.mark.parametrize("strategy", ["mod", "div"])
def test_parts_are_one_table(strategy: str) -> None:
    graph, _ = lookup(strategy)
    network = recognise(look(graph), layers_only=True)
    (layer,) = network.layers[1:]
    assert layer.class_name == "Embedding"
    assert np.array_equal(layer.weight("embeddings").numpy(), TABLE)
    assert (layer.config["input_dim"], layer.config["output_dim"]) == (ROWS, SIZE)


def test_rows_that_are_mixed_are_no_embedding() -> None:
    graph, made = lookup("mod", twisted=True)
    assert lookup_in_parts(made, look(graph)) is None


def test_one_table_is_in_no_parts() -> None:
    graph = GraphBuilder()
    ids = graph.placeholder("ids", int32, (None,))
    table = graph.const(TABLE, float32, "table")
    made = graph.op("GatherV2", table, ids, 0)
    graph.op("Identity", made)
    assert lookup_in_parts(made, look(graph)) is None
