"""verify: model files run in the real frameworks on the same inputs, and compared.

One file beside another, or beside the outputs that were recorded of it (an .npz of ``in_NAME`` and
``out_NAME``). Each runs in a child process of its own, in TensorFlow, Keras 3 or Keras 2
(verify_child.py). Where the outputs of two Keras files differ, their layers are compared as well,
in order, to find the first that does.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError, ModelFormatError, UnsupportedError, Where
from modelfmt.surgery.describe import Report
from modelfmt.surgery.dump import dump
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.verify_child import LAYER
from modelfmt.surgery.verify_inputs import fitted, limits_of, random_inputs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

_TIMEOUT = 600
_RUN = ("graphdef", "metagraph", "savedmodel", "keras-h5", "keras")


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
    """The outcome of ``verify``; ``layers`` where the outputs of two Keras files differ."""

    outputs: list[Comparison]
    layers: list[Comparison] = dataclasses.field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return all(output.agrees for output in self.outputs)

    @property
    def first_divergence(self) -> Comparison | None:
        """The first layer, in the model's order, that yields something else."""
        return next((layer for layer in self.layers if not layer.agrees), None)


def verify(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    inputs: str | os.PathLike[str] | None = None,
    samples: int = 2,
    seed: int = 0,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    custom: Sequence[str | os.PathLike[str]] = (),
) -> Verification:
    """Run both files in TensorFlow or Keras and compare their outputs.

    Args:
        a: a model file: graphdef, metagraph, savedmodel, keras-h5 or keras.
        b: another one; or an .npz of recorded inputs (``in_NAME``) and outputs (``out_NAME``).
        inputs: an .npz with an array per input of ``a``, by name; drawn at random where left out.
        samples: the batch size of random inputs.
        seed: for the random inputs; see verify_inputs.py.
        rtol, atol: outputs agree where |a - b| <= atol + rtol * max|a|.
        custom: Python files with the Keras classes that the models need; they are run.

    Raises:
        FrameworkError: TensorFlow is missing, or refuses a file.
        MismatchError: the files have other inputs, or another number of outputs.
        UnsupportedError: a file that holds no model to run.
    """
    a, b = os.fspath(a), os.fspath(b)
    files = [os.path.abspath(file) for file in custom]
    if b.endswith(".npz"):
        feeds, wanted = _recorded(b)
        report = _reported(a)
        got = _run(report, fitted(feeds, report), files)
        return Verification(_compare(wanted, got, rtol, atol))
    one, two = _reported(a), _reported(b)
    feeds = _given(inputs) if inputs else random_inputs(one, samples, seed, _limits(a, b))
    others = fitted(feeds, two)
    outcome = Verification(_compare(_run(one, feeds, files), _run(two, others, files), rtol, atol))
    if outcome.agrees or not {one["kind"], two["kind"]} <= {"keras-h5", "keras"}:
        return outcome
    left, right = _layers(one, feeds, files), _layers(two, others, files)
    return Verification(outcome.outputs, _compare_layers(left, right, rtol, atol))


def _reported(path: str) -> Report:
    report = dump(path)
    if report["kind"] not in _RUN:
        raise UnsupportedError(
            f"a {report['kind']} file holds no model to run", where=Where(path),
            expected=f"one of {', '.join(_RUN)}",
        )
    return report


def _limits(a: str, b: str) -> dict[str, Any]:
    with open_container(b) as two:
        found = limits_of(two)
    with open_container(a) as one:
        return found | limits_of(one)


def _given(path: str | os.PathLike[str]) -> Arrays:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        return {name.removeprefix("in_"): stored[name] for name in stored.files
                if not name.startswith("out_")}  # fmt: skip


def _recorded(path: str) -> tuple[Arrays, Arrays]:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        outputs = {n.removeprefix("out_"): stored[n] for n in stored.files if n[:4] == "out_"}
        inputs = {n.removeprefix("in_"): stored[n] for n in stored.files if n[:3] == "in_"}
    if not outputs:
        raise MismatchError("no recorded outputs", where=Where(path), expected="out_NAME arrays")
    return inputs, outputs


def _run(
    report: Report, feeds: Arrays, custom: Sequence[str] = (), *, layers: bool = False
) -> Arrays:
    """The outputs of one file, from a child process; in the model's order."""
    import numpy as np

    version = str(report["versions"].get("keras_version", "2"))
    legacy = report["kind"] in ("keras-h5", "keras") and not version.startswith("3")
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
            "inputs": fed, "outputs": made, "layers": layers, "custom": list(custom),
            "feed": {row["name"]: row.get("tensor", row["name"]) for row in report["inputs"]},
            "fetch": [[row["name"], row.get("tensor", row["name"])] for row in report["outputs"]],
            "signature": _signature(report),
        }
        command = [sys.executable, "-m", "modelfmt.surgery.verify_child", json.dumps(task)]
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


def _layers(report: Report, feeds: Arrays, custom: Sequence[str]) -> Arrays:
    """What each layer of a Keras file yields, by its name."""
    found = _run(report, feeds, custom, layers=True).items()
    return {name.removeprefix(LAYER): value for name, value in found if name.startswith(LAYER)}


def _signature(report: Report) -> str | None:
    """The signature that ``dump`` reports the inputs and outputs of."""
    keys = [key for key in report.get("signatures") or () if not key.startswith("__")]
    if not keys:
        return None
    return "serving_default" if "serving_default" in keys else keys[0]


def _compare(a: Arrays, b: Arrays, rtol: float, atol: float) -> list[Comparison]:
    if len(a) != len(b):
        raise MismatchError(
            "the files have another number of outputs", expected=len(a), found=len(b)
        )
    names_b = list(a) if set(a) == set(b) else list(b)
    return [_compare_one(x, y, a[x], b[y], rtol, atol) for x, y in zip(a, names_b, strict=True)]


def _compare_layers(a: Arrays, b: Arrays, rtol: float, atol: float) -> list[Comparison]:
    """Layers of one name, or in order where there are as many; of those with equal shapes."""
    pairs = [(x, x) for x in a if x in b]
    if len(pairs) < len(a) == len(b):
        pairs = list(zip(a, b, strict=True))
    return [
        _compare_one(x, y, a[x], b[y], rtol, atol) for x, y in pairs if a[x].shape == b[y].shape
    ]


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
    if a.dtype.kind in "SUO" or b.dtype.kind in "SUO":
        differing = float((a.astype(str) != b.astype(str)).sum())
        return Comparison(name_a, name_b, differing, 0.0, differing == 0)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    largest = float(np.abs(np.nan_to_num(wide_a)).max(initial=0))
    difference = float(np.abs(np.nan_to_num(wide_a) - np.nan_to_num(wide_b)).max(initial=0))
    same_nans = bool((np.isnan(wide_a) == np.isnan(wide_b)).all())
    agrees = same_nans and difference <= atol + rtol * largest
    return Comparison(name_a, name_b, difference, largest, agrees)
