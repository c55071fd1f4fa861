"""verify: two model files run in the real framework, on the same inputs, and compared.

The only module that needs TensorFlow. It is imported in a child process, one for each file:
Keras 2 and Keras 3 do not share a process, and a crash of theirs is no crash of ours.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError, ModelFormatError, UnsupportedError, Where
from modelfmt.surgery.describe import Report
from modelfmt.surgery.dump import dump

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

_TIMEOUT = 600
#: What stands for an unknown size that is not the batch.
_UNKNOWN_SIZE = 8


class FrameworkError(ModelFormatError):
    """TensorFlow or Keras could not be run, or could not load or run a file."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One output of both files: largest difference, and largest value of the first."""

    name_a: str
    name_b: str
    max_difference: float
    max_value: float
    agrees: bool


@dataclasses.dataclass(frozen=True)
class Verification:
    """The outcome of ``verify``."""

    outputs: list[Comparison]

    @property
    def agrees(self) -> bool:
        return all(output.agrees for output in self.outputs)


def verify(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    inputs: str | None = None,
    samples: int = 2,
    seed: int = 0,
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> Verification:
    """Run both files in TensorFlow or Keras and compare their outputs.

    Args:
        a, b: files of kind graphdef, keras-h5 or keras.
        inputs: an .npz with an array per input of ``a``, by name; drawn at random where left out.
        samples: the batch size of random inputs.
        seed: for the random inputs; standard normal, or small non-negative integers.
        rtol, atol: outputs agree where |a - b| <= atol + rtol * max|a|.

    Raises:
        FrameworkError: TensorFlow is missing, or refuses a file.
        MismatchError: the files have other inputs, or another number of outputs.
    """
    import numpy as np

    a, b = os.fspath(a), os.fspath(b)
    reports = [dump(path) for path in (a, b)]
    if inputs is None:
        feeds = _random_inputs(reports[0], samples, seed)
    else:
        with np.load(inputs, allow_pickle=False) as stored:
            feeds = {name: stored[name] for name in stored.files}
    got_a = _run(reports[0], feeds)
    got_b = _run(reports[1], _renamed(feeds, reports[1]))
    return Verification(_compare(got_a, got_b, rtol, atol))


def _random_inputs(report: Report, samples: int, seed: int) -> Arrays:
    import numpy as np

    rng = np.random.default_rng(seed)
    feeds: Arrays = {}
    for row in report["inputs"]:
        if row["shape"] is None:
            raise UnsupportedError(
                f'input "{row["name"]}" has no known shape', where=Where(report["path"]),
                hint="Pass --inputs FILE.npz.",
            )
        shape = [_UNKNOWN_SIZE if size is None else size for size in row["shape"]]
        if row["shape"] and row["shape"][0] is None:
            shape[0] = samples
        dtype = np.dtype(row["dtype"] or "float32")
        drawn = rng.integers(0, 2, shape) if dtype.kind in "iub" else rng.standard_normal(shape)
        feeds[row["name"]] = np.asarray(drawn).astype(dtype)
    return feeds


def _renamed(feeds: Arrays, report: Report) -> Arrays:
    """The same arrays under another file's input names: by name, else by shape in order."""
    names = [row["name"] for row in report["inputs"]]
    if set(names) == set(feeds):
        return {name: feeds[name] for name in names}
    left, found = dict(feeds), {}
    for row in report["inputs"]:
        for key, array in left.items():
            if _fits(array, row["shape"]):
                found[row["name"]] = left.pop(key)
                break
    if len(found) != len(names) or left:
        raise MismatchError(
            "the files have other inputs", where=Where(report["path"]),
            expected={name: list(array.shape) for name, array in feeds.items()}, found=names,
        )
    return found


def _fits(array: npt.NDArray[Any], shape: list[int | None] | None) -> bool:
    return shape is None or (
        len(shape) == array.ndim
        and all(s is None or s == d for s, d in zip(shape, array.shape, strict=True))
    )


def _run(report: Report, feeds: Arrays) -> Arrays:
    """The outputs of one file, from a child process; in the model's order."""
    import numpy as np

    legacy = report["kind"] == "keras-h5" and not str(
        report["versions"].get("keras_version", "2")
    ).startswith("3")
    env = {
        **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1",
        # Its kernels drift past the tolerance on some graphs.
        "TF_ENABLE_ONEDNN_OPTS": "0", "TF_USE_LEGACY_KERAS": str(int(legacy)),
        "KERAS_BACKEND": "tensorflow",
    }
    with tempfile.TemporaryDirectory() as folder:
        fed, made = os.path.join(folder, "in.npz"), os.path.join(folder, "out.npz")
        np.savez(fed, allow_pickle=False, **feeds)
        task = {
            "path": os.path.abspath(report["path"]), "kind": report["kind"], "legacy": legacy,
            "inputs": fed, "outputs": made,
            "fetch": [row["name"] for row in report["outputs"]],
        }
        command = [sys.executable, "-m", "modelfmt.surgery.verify", json.dumps(task)]
        try:
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            raise FrameworkError(f"no answer in {_TIMEOUT} s", where=Where(task["path"])) from None
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            hint = "pip install 'modelfmt[verify]'" if "No module named" in last else None
            raise FrameworkError(
                f"the framework cannot run it ({last[:300]})", where=Where(report["path"]),
                hint=hint,
            )
        with np.load(made, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def _compare(a: Arrays, b: Arrays, rtol: float, atol: float) -> list[Comparison]:
    if len(a) != len(b):
        raise MismatchError(
            "the files have another number of outputs", expected=len(a), found=len(b)
        )
    names_b = list(a) if set(a) == set(b) else list(b)
    return [_compare_one(x, y, a[x], b[y], rtol, atol) for x, y in zip(a, names_b, strict=True)]


def _compare_one(
    name_a: str,
    name_b: str,
    a: np.ndarray[Any, Any],
    b: np.ndarray[Any, Any],
    rtol: float,
    atol: float,
) -> Comparison:
    import numpy as np

    if a.shape != b.shape:
        raise MismatchError(
            f'output "{name_a}" has another shape', expected=list(a.shape), found=list(b.shape)
        )
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    largest = float(np.abs(np.nan_to_num(wide_a)).max(initial=0))
    difference = float(np.abs(np.nan_to_num(wide_a) - np.nan_to_num(wide_b)).max(initial=0))
    same_nans = bool((np.isnan(wide_a) == np.isnan(wide_b)).all())
    agrees = same_nans and difference <= atol + rtol * largest
    return Comparison(name_a, name_b, difference, largest, agrees)


# -- the child process ----------------------------------------------------------------------------


def _child(task: Mapping[str, Any]) -> None:
    import numpy as np

    with np.load(task["inputs"], allow_pickle=False) as stored:
        feeds = {name: stored[name] for name in stored.files}
    run = _child_graph if task["kind"] == "graphdef" else _child_keras
    np.savez(task["outputs"], allow_pickle=False, **run(task, feeds))


def _child_graph(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef()
    with open(task["path"], "rb") as file:
        data = file.read()
    if task["path"].endswith(".pbtxt"):
        from google.protobuf import text_format

        text_format.Parse(data.decode(), definition)
    else:
        definition.ParseFromString(data)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        fetched = [f"{name}:0" if ":" not in name else name for name in task["fetch"]]
        got = session.run(fetched, {f"{name}:0": array for name, array in feeds.items()})
    return dict(zip(task["fetch"], got, strict=True))


def _child_keras(task: Mapping[str, Any], feeds: Arrays) -> Arrays:
    import numpy as np

    if task["legacy"]:
        import tf_keras as keras
    else:
        import keras
    model = keras.models.load_model(task["path"], compile=False)
    arguments = [feeds[name] for name in feeds]
    got = model(arguments[0] if len(arguments) == 1 else arguments, training=False)
    flat = got.values() if isinstance(got, dict) else got
    outputs = list(flat) if isinstance(flat, list | tuple) else [flat]
    return {
        name: np.asarray(value) for name, value in zip(task["fetch"], outputs, strict=True)
    }


if __name__ == "__main__":
    _child(json.loads(sys.argv[1]))
