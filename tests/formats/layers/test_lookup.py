"""Lookups: the vocabulary and its places, and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import dtypes
from modelfmt.errors import MismatchError, ModelFormatError, UnsafeFileError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import bind, prepared
from modelfmt.layers.lookup import depth_of, vocabulary
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer, Network


def layer(class_name: str = "StringLookup", **config: Any) -> Layer:
    return prepared(Layer(class_name, "it", {"vocabulary": ["a", "b"], **config}))


def test_special_tokens_stand_before_the_others() -> None:
    assert vocabulary(layer().config, str)[:3] == (["a", "b"], 1, 0)
    masked = layer(mask_token="", num_oov_indices=2)
    assert vocabulary(masked.config, str)[:3] == (["a", "b"], 3, 1)
    hot = layer(mask_token="", output_mode="count")
    assert vocabulary(hot.config, str)[:3] == (["a", "b"], 1, 0)
    assert vocabulary(layer(num_oov_indices=0).config, str).size == 2


def test_special_tokens_that_the_vocabulary_lists_count_once() -> None:
    known = vocabulary(layer(vocabulary=["", "[UNK]", "a"], mask_token="").config, str)
    assert known == (["a"], 2, 1, 2) and known.size == 3


def test_vectors_are_padded_to_max_tokens() -> None:
    config = layer(max_tokens=9).config
    assert depth_of(config, vocabulary(config, str)) == 3
    config = layer(max_tokens=9, pad_to_max_tokens=True).config
    assert depth_of(config, vocabulary(config, str)) == 9


@pytest.mark.parametrize(
    ("listed", "error", "said"),
    [
        ("/etc/passwd", UnsafeFileError, "never opened"),
        (None, MismatchError, "does not hold the layer's vocabulary"),
        (["a", "a"], MismatchError, "a token twice"),
        (["a", 3], MismatchError, "something else than str"),
    ],
)
def test_what_is_no_vocabulary(listed: Any, error: type[ModelFormatError], said: str) -> None:
    with pytest.raises(error, match=said):
        vocabulary(layer(vocabulary=listed).config, str)


def written(it: Layer, dtype: str) -> GraphBuilder:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.from_name(dtype), (None, 3))
    (y,) = codec_for(it).write(it, [x], graph)
    assert graph.shape(y) == (None, 3)
    return graph


def test_inverted_yields_strings() -> None:
    graph = written(layer(invert=True, mask_token=""), "int64")
    assert {"Equal", "SelectV2"} <= {node.op for node in graph.values()}


def test_what_is_looked_up_has_the_kind_of_the_vocabulary() -> None:
    with pytest.raises(MismatchError, match="StringLookup cannot look this up"):
        written(layer(), "int64")
    written(layer("IntegerLookup", vocabulary=[4, 5]), "int32")


def bound(**config: Any) -> Layer:
    it = Layer("StringLookup", "it", {"vocabulary": ["a", "b"], "output_mode": "tf_idf", **config})
    bind(Network("model", layers=[it]))
    return it


def test_weights_of_the_special_tokens_are_the_average() -> None:
    found = bound(idf_weights=[0.5, 1.5]).weights["idf_weights"].numpy()
    assert found.dtype == np.float32 and found.tolist() == [1.0, 0.5, 1.5]
    padded = bound(idf_weights=[0.5, 1.5], max_tokens=5, pad_to_max_tokens=True)
    assert padded.weights["idf_weights"].numpy().tolist() == [1.0, 0.5, 1.5, 0, 0]
    whole = bound(vocabulary=["[UNK]", "a"], idf_weights=[0.5, 1.5])
    assert whole.weights["idf_weights"].numpy().tolist() == [0.5, 1.5]


def test_tf_idf_without_weights_is_named() -> None:
    with pytest.raises(MismatchError, match="a weight for each token"):
        bound()


MAKE = """
import tf_keras as keras, numpy as np, tensorflow as tf
layers = keras.layers
x = keras.Input((3,), dtype="string", name="words")
text = keras.Input((1,), dtype="string", name="text")
lookup = layers.StringLookup(output_mode="multi_hot", num_oov_indices=2)
lookup.adapt(np.array([["a", "b", "c"], ["a", "x", "y"]]))
vectors = layers.TextVectorization(output_sequence_length=4)
vectors.adapt(np.array([["the cat"], ["the dog"]]))
model = keras.Model([x, text], [lookup(x), vectors(text)])
model.save(FOLDER + "/model.keras")
inputs = [np.array([[b"a", b"q", b"c"], [b"b", b"a", b"a"]]), np.array([[b"The dog"], [b"a the"]])]
wanted = [np.asarray(y) for y in model([tf.constant(i) for i in inputs])]
np.savez(FOLDER + "/wanted.npz", a=inputs[0], b=inputs[1], c=wanted[0], d=wanted[1])
"""

JUDGE = """
import tensorflow as tf, numpy as np
stored = np.load(FOLDER + "/wanted.npz")
graph = tf.Graph()
with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
    tf.import_graph_def(
        tf.compat.v1.GraphDef.FromString(open(FOLDER + "/model.pb", "rb").read()), name=""
    )
    feeds = {"words:0": stored["a"], "text:0": stored["b"]}
    found = session.run(["string_lookup:0", "text_vectorization:0"], feeds)
np.testing.assert_array_equal(found[0], stored["c"])
np.testing.assert_array_equal(found[1], stored["d"])
"""


@pytest.mark.oracle
def test_what_tf_keras_learnt_stands_in_its_archive(tmp_path: Path) -> None:
    def child(code: str) -> None:
        script = f"FOLDER = {str(tmp_path)!r}\n{code}"
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=300,
            env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]

    child(MAKE)
    modelfmt.convert(tmp_path / "model.keras", tmp_path / "model.pb")
    child(JUDGE)
