"""Run in a child by test_edit.py: TensorFlow and Keras load what was edited, and compute the same.

    oracle_edits.py GOLDEN FOLDER      prints a line a case, or dies
"""

from __future__ import annotations

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import modelfmt

GOLDEN, OUT = Path(sys.argv[1]), Path(sys.argv[2])
tf1 = tf.compat.v1


def run_graph(path: Path, feeds: dict[str, Any], fetch: str) -> Any:
    definition = tf1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        tf1.import_graph_def(definition, name="")
        names = {graph.get_tensor_by_name(f"{k}:0"): v for k, v in feeds.items()}
        return session.run(f"{fetch}:0", names)


def graphdef() -> None:
    source = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression/model.pb"
    with modelfmt.open(source) as container:
        graph = container.graph
        entry = next(n for n, d in graph.items() if d.op == "Placeholder")
        last = list(graph)[-1]
        shape = graph[entry].attrs["shape"].dims
    scope = last.split("/")[0]
    x = np.random.default_rng(1).normal(size=(5, *shape[1:])).astype(np.float32)
    wanted = run_graph(source, {entry: x}, last)
    modelfmt.edit(source, OUT / "r.pb", rename={scope: "new/scope", entry: "x"})
    renamed = last.replace(scope, "new/scope", 1)
    np.testing.assert_array_equal(run_graph(OUT / "r.pb", {"x": x}, renamed), wanted)
    modelfmt.edit(source, OUT / "c.pb", cast="float16")
    np.testing.assert_allclose(run_graph(OUT / "c.pb", {entry: x}, last), wanted, rtol=2e-2)
    print("graphdef")


def variables(meta: Path) -> dict[str, Any]:
    with tf.Graph().as_default(), tf1.Session() as session:
        saver = tf1.train.import_meta_graph(str(meta), clear_devices=True)
        session.run(tf1.global_variables_initializer())
        saver.restore(session, str(meta).removesuffix(".meta"))
        found = {v.op.name: session.run(v) for v in tf1.global_variables()}
        saver.save(session, str(OUT / "resaved"))
        return found


def metagraph() -> None:
    for case in ("rawtf1.15.5-raw_slim", "rawtf1.4.1-raw_partitioned_sharded",
                 "keras2.1.2-tf1.4.1-linear_regression"):
        source = next((GOLDEN / "metagraph" / case).glob("*.meta"))
        old = variables(source)
        scope = sorted(n for n in old if "/" in n)[0].split("/")[0]
        out = OUT / f"{case}.meta"
        modelfmt.edit(source, out, rename={scope: "new/scope"})
        new = variables(out)
        assert len(new) == len(old) and any(n.startswith("new/scope") for n in new)
        for name, value in old.items():
            renamed = f"new/scope{name[len(scope):]}" if name.split("/")[0] == scope else name
            if renamed not in new:  # a slot, with the name of its variable within
                renamed = name.replace(scope, "new/scope")
            np.testing.assert_array_equal(new[renamed], value)
        for what in ("optimizer", "training", "unused"):
            out = OUT / f"{case}.{what}.meta"
            modelfmt.edit(source, out, strip=[what])
            left = variables(out)
            assert left and all(np.array_equal(left[n], old[n]) for n in left), (case, what)
    print("metagraph")


def savedmodel() -> None:
    for case in ("rawtf1.15.5-raw_convnet", "rawtf2.21.0-module_mlp", "rawtf2.3.4-module_mlp"):
        folder = GOLDEN / "savedmodel" / case
        if not folder.exists():
            continue
        source = next(p for p in folder.iterdir() if p.is_dir())
        with modelfmt.open(source) as container:
            graph = container.metagraph.graph
            scopes = [n.split("/")[0] for n, d in graph.items() if d.op in
                      ("VarHandleOp", "VariableV2")]
        out = OUT / case
        modelfmt.edit(source, out, rename={scopes[0]: "new/scope"})
        results = []
        for path in (source, out):
            model = tf.saved_model.load(str(path))
            call = model.signatures["serving_default"]
            _, takes = call.structured_input_signature
            rng = np.random.default_rng(2)
            feeds = {
                k: tf.constant(rng.normal(size=[d or 3 for d in s.shape]), s.dtype)
                for k, s in takes.items()
            }
            results.append({k: v.numpy() for k, v in call(**feeds).items()})
        for key, value in results[0].items():
            np.testing.assert_array_equal(results[1][key], value)
    print("savedmodel")


def layers() -> None:
    import keras

    rng = np.random.default_rng(4)
    for suffix in ("h5", "keras"):
        one = keras.Input((4,), name="one")
        inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="in_a")],
                                 name="inner")
        left = keras.layers.Dense(3, activation="tanh", name="left")
        outs = {"u": keras.layers.Dense(2, name="u")(left(one)),
                "v": keras.layers.LSTM(2, name="v")(
                    keras.layers.Reshape((3, 1), name="r")(inner(one)))}
        model = keras.Model(one, [outs["u"], outs["v"]], name="m")
        model.compile("adam", loss={k: keras.losses.MeanSquaredError() for k in "uv"})
        x = rng.normal(size=(6, 4)).astype("float32")
        model.fit(x, {"u": rng.normal(size=(6, 2)), "v": rng.normal(size=(6, 2))}, verbose=0)
        wanted = model.predict(x, verbose=0)
        source, out = OUT / f"m.{suffix}", OUT / f"n.{suffix}"
        model.save(source)
        names = {"left": "links", "u": "oben", "in_a": "innen", "v": "unten"}
        modelfmt.edit(source, out, rename=names)
        again = keras.models.load_model(out)
        for a, b in zip(wanted, again.predict(x, verbose=0), strict=True):
            np.testing.assert_array_equal(a, b)
        assert {"links", "oben", "unten"} <= {layer.name for layer in again.layers}
        assert again.get_layer("inner").layers[0].name == "innen"
        plain = keras.models.load_model(source)  # what Keras itself restores of it
        for old, new in zip(plain.optimizer.variables, again.optimizer.variables, strict=True):
            np.testing.assert_array_equal(old.numpy(), new.numpy())
        modelfmt.edit(source, OUT / f"s.{suffix}", strip=["optimizer"])
        bare = keras.models.load_model(OUT / f"s.{suffix}")
        for a, b in zip(wanted, bare.predict(x, verbose=0), strict=True):
            np.testing.assert_array_equal(a, b)
        assert getattr(bare, "optimizer", None) is None or not bare.optimizer.built
        for dtype in ("float16", "float64", *(["bfloat16"] if suffix == "keras" else [])):
            modelfmt.edit(source, OUT / f"{dtype}.{suffix}", cast=dtype)
            cast = keras.models.load_model(OUT / f"{dtype}.{suffix}")
            for a, b in zip(model.get_weights(), cast.get_weights(), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-6)
        print("layers", suffix)


def checkpoint() -> None:
    source = next((GOLDEN / "checkpoint/rawtf1.4.1-raw_partitioned").glob("*.index"))
    prefix = source.with_suffix("")
    reader = tf.train.load_checkpoint(str(prefix))
    modelfmt.edit(prefix, OUT / "cast", cast="float16")
    cast = tf.train.load_checkpoint(str(OUT / "cast"))
    for name, kind in reader.get_variable_to_dtype_map().items():
        wanted = tf.float16 if kind.is_floating else kind
        assert cast.get_variable_to_dtype_map()[name] == wanted, name
        value = reader.get_tensor(name)
        if kind.is_floating:
            np.testing.assert_array_equal(cast.get_tensor(name), value.astype(np.float16))
    name = next(n for n in reader.get_variable_to_dtype_map() if "/" in n)
    scope = name.split("/")[0]
    modelfmt.edit(prefix, OUT / "renamed", rename={scope: "new"})
    renamed = tf.train.load_checkpoint(str(OUT / "renamed"))
    np.testing.assert_array_equal(
        renamed.get_tensor(f"new{name[len(scope):]}"), reader.get_tensor(name)
    )
    objects()
    print("checkpoint")


def objects() -> None:
    """A way through objects renamed: the same program restores it."""
    class Holder(tf.Module):
        pass

    model, again = Holder(), Holder()
    for holder, value in ((model, 3.0), (again, 0.0)):
        holder.dense = Holder()
        holder.dense.kernel = tf.Variable([value, value], name="dense/kernel")
    tf.train.Checkpoint(model=model).write(str(OUT / "objects"))
    modelfmt.edit(OUT / "objects", OUT / "moved", rename={"model/dense": "model/fc"})
    listed = dict(tf.train.list_variables(str(OUT / "moved")))
    assert "model/fc/kernel/.ATTRIBUTES/VARIABLE_VALUE" in listed
    tf.train.Checkpoint(model=again).read(str(OUT / "moved")).assert_consumed()
    np.testing.assert_array_equal(again.dense.kernel.numpy(), [3.0, 3.0])


graphdef()
metagraph()
savedmodel()
checkpoint()
layers()
