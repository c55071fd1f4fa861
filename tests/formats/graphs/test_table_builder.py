"""Lookup tables of a growing graph: comparisons where it is frozen, tables where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import modelfmt
from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.function_builder import while_loop
from modelfmt.graphs.table_builder import MOST_COMPARED, Table, table
from modelfmt.graphs.variable_builder import VariableGraphBuilder


def numbers(count: int) -> Table:
    return table([b"%d" % k for k in range(count)], list(range(count)), kinds="string int64")


def looked_up(graph: GraphBuilder, content: Table) -> str:
    return graph.lookup(content, graph.placeholder("x", dtypes.string, (None, 3)), -1)


def ops(graph: GraphBuilder) -> list[str]:
    return sorted(node.op for node in graph.values() if node.op not in ("Const", "Placeholder"))


def test_a_frozen_graph_compares() -> None:
    graph = GraphBuilder()
    y = looked_up(graph, numbers(3))
    assert (graph.shape(y), graph.dtype(y)) == ((None, 3), dtypes.from_name("int64"))
    assert {"Equal", "ArgMax", "SelectV2"} <= set(ops(graph))
    assert not any("Table" in op for op in ops(graph))


def test_a_table_without_entries_is_its_default() -> None:
    graph = GraphBuilder()
    looked_up(graph, numbers(0))
    assert ops(graph) == ["Fill", "Shape"]


def test_a_large_table_is_refused_where_it_would_be_compared() -> None:
    looked_up(GraphBuilder(), numbers(MOST_COMPARED))
    with pytest.raises(ConversionError, match=f"at most {MOST_COMPARED} entries, found 10001"):
        looked_up(GraphBuilder(), numbers(MOST_COMPARED + 1))


def test_a_graph_with_variables_holds_the_table_and_says_what_fills_it() -> None:
    graph = VariableGraphBuilder()
    y = looked_up(graph, numbers(20_000))
    again = graph.lookup(numbers(20_000), "x", 5)
    assert graph.shape(y) == (None, 3)
    assert ops(graph) == ["HashTableV2", "LookupTableFindV2", "LookupTableFindV2"]
    graph.keep_only([y, again])
    (name,) = graph.table_initializers()
    assert graph[name].op == "InitializeTableV2"
    assert graph[name].inputs == ["hash_table", "hash_table/keys", "hash_table/values"]


def test_a_table_that_nobody_asks_is_not_filled() -> None:
    graph = VariableGraphBuilder()
    looked_up(graph, numbers(3))
    graph.keep_only(["x"])
    assert graph.table_initializers() == []


def test_tables_share_a_name_where_they_hold_the_same() -> None:
    one, same = numbers(3), numbers(3)
    assert one.name == same.name
    others = [
        numbers(4), table([b"0", b"1", b"2"], [0, 2, 1], kinds="string int64"),
        table([0, 1, 2], [b"0", b"1", b"2"], kinds="int64 string"),
        table([b"0", b"12", b""], [0, 1, 2], kinds="string int64"),
    ]  # fmt: skip
    assert len({one.name, *(other.name for other in others)}) == 5


def test_a_loop_looks_into_the_table_around_it() -> None:
    graph = VariableGraphBuilder()
    content = table([0, 1, 2], [1, 2, 0], kinds="int64 int64")
    x = graph.placeholder("x", dtypes.from_name("int64"), (None,))
    limit = graph.const(2, dtypes.int32)
    (y,) = while_loop(graph, limit, [x], lambda body, _, state: [body.lookup(content, state[0], 0)])
    assert graph.shape(y) == (None,)
    assert [node.op for node in graph.values()].count("HashTableV2") == 1
    frozen = GraphBuilder()
    x = frozen.placeholder("x", dtypes.from_name("int64"), (None,))
    limit = frozen.const(2, dtypes.int32)
    while_loop(frozen, limit, [x], lambda body, _, state: [body.lookup(content, state[0], 0)])
    assert not any("Table" in op for op in ops(frozen))


MAKE = """
import keras, numpy as np, json
layers = keras.layers
x = keras.Input((3,), dtype="string", name="words")
text = keras.Input((1,), dtype="string", name="text")
number = keras.Input((2,), dtype="int64", name="number")
lookup = layers.StringLookup(output_mode="tf_idf", num_oov_indices=2)
lookup.adapt(np.array([["a", "b", "c"], ["a", "x", "y"]]))
vectors = layers.TextVectorization(output_sequence_length=4)
vectors.adapt(np.array([["the cat"], ["the dog"]]))
back = layers.IntegerLookup(vocabulary=[5, 9], invert=True, oov_token=-7)
ends = [layers.Dense(2, name="dense")(lookup(x)), vectors(text), back(number)]
inputs = [np.array([["a", "q", "c"], ["b", "a", "a"]]), np.array([["The dog"], ["a the cat!"]]),
          np.array([[0, 1], [2, 3]])]
model = keras.Model([x, text, number], ends)
model.save(FOLDER + "/model.keras")
wanted = [np.asarray(y).tolist() for y in model([*map(keras.ops.convert_to_tensor, inputs)])]
json.dump(wanted, open(FOLDER + "/wanted.json", "w"))
"""

JUDGE = """
import tensorflow as tf, numpy as np, json
wanted = json.load(open(FOLDER + "/wanted.json"))
feeds = {"words": np.array([["a", "q", "c"], ["b", "a", "a"]]),
         "text": np.array([["The dog"], ["a the cat!"]]), "number": np.array([[0, 1], [2, 3]])}
loaded = tf.saved_model.load(FOLDER + "/saved")
found = loaded.signatures["serving_default"](**{k: tf.constant(v) for k, v in feeds.items()})
graph = tf.Graph()
with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
    saver = tf.compat.v1.train.import_meta_graph(FOLDER + "/model.meta")
    saver.restore(session, FOLDER + "/model")
    tables = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS)
    assert len(tables) == 3, tables
    session.run(tf.compat.v1.tables_initializer())
    held = tf.compat.v1.MetaGraphDef.FromString(open(FOLDER + "/model.meta", "rb").read())
    ends = held.signature_def["serving_default"].outputs
    names = {key: ends[key].name for key in ("dense", "text_vectorization", "integer_lookup")}
    session_found = session.run(list(names.values()),
                                {k + ":0": v for k, v in feeds.items()})
for result in ([found[key].numpy() for key in names], session_found):
    for got, want in zip(result, wanted, strict=True):
        np.testing.assert_allclose(got, np.array(want), rtol=1e-5)
print("GOOD")
"""


def child(code: str, folder: Path, **environment: str) -> str:
    script = f"FOLDER = {str(folder)!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
             "KERAS_BACKEND": "tensorflow", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.oracle
def test_tensorflow_fills_and_asks_the_tables(tmp_path: Path) -> None:
    """Vocabularies from a .keras archive's assets, by both roads that hold tables."""
    child(MAKE, tmp_path, TF_USE_LEGACY_KERAS="0")
    source = tmp_path / "model.keras"
    modelfmt.convert(source, tmp_path / "model.meta")
    modelfmt.convert(source, tmp_path / "saved")
    assert "GOOD" in child(JUDGE, tmp_path)
