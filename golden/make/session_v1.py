"""Two checkpoints of version 1 with their .meta, as TensorFlow's own Saver writes them.

    python golden/make/session_v1.py FOLDER      # with TensorFlow 2.21.0

makes FOLDER/single and FOLDER/sharded: the same small model, its variables in one file and in
two, one for each device; ``rows`` is partitioned, so its slices lie in both.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def build(tf: Any) -> dict[str, Any]:
    """scores = rows[ids] summed @ kernel + bias; the feeds that fill the variables."""
    v1, rng = tf.compat.v1, np.random.default_rng(4)
    fills: dict[str, Any] = {}

    def variable(name: str, value: Any, **options: Any) -> Any:
        fills[name] = np.asarray(value)
        return v1.get_variable(
            name, fills[name].shape, fills[name].dtype, use_resource=False,
            initializer=v1.zeros_initializer(), **options,
        )  # fmt: skip

    ids = v1.placeholder(tf.int32, (None, 4), name="ids")
    with v1.device(lambda op: "/cpu:1" if "part_1" in op.name else "/cpu:0"):
        rows = variable(
            "rows", rng.standard_normal((10, 6)).astype("f4"),
            partitioner=v1.fixed_size_partitioner(3),
        )  # fmt: skip
        variable("steps", np.int64(1000), trainable=False)
    with v1.device("/cpu:1"):
        kernel = variable("kernel", rng.standard_normal((6, 3)))
        bias = variable("bias", rng.standard_normal(3))
        variable("mask", rng.integers(0, 2, (3, 2)) > 0, trainable=False)
    pooled = tf.cast(tf.reduce_sum(v1.nn.embedding_lookup(rows, ids), axis=1), tf.float64)
    v1.identity(tf.matmul(pooled, kernel) + bias, name="scores")
    return fills


def save(folder: Path, *, sharded: bool) -> None:
    """Write model.ckpt (or its shards), model.ckpt.meta, checkpoint and io.npz."""
    import tensorflow as tf

    v1 = tf.compat.v1
    folder.mkdir(parents=True)
    config = v1.ConfigProto(device_count={"CPU": 2})
    with tf.Graph().as_default(), v1.Session(config=config) as session:
        fills = build(tf)
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1, sharded=sharded)
        for made in v1.global_variables():
            info = made._get_save_slice_info()
            whole = fills[info.full_name if info else made.op.name]
            where = zip(info.var_offset, info.var_shape, strict=True) if info else ()
            made.load(whole[tuple(slice(a, a + n) for a, n in where)], session)
        ids = np.random.default_rng(5).integers(0, 10, (3, 4), np.int32)
        np.savez(folder / "io.npz", in_ids=ids, out_scores=session.run("scores:0", {"ids:0": ids}))
        os.chdir(folder)  # so that the state file has relative paths
        saver.save(session, "model.ckpt")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    target = Path(sys.argv[1]).absolute()
    save(target / "single", sharded=False)
    save(target / "sharded", sharded=True)
