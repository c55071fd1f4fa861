"""The fixture golden_model, as a project of somebody else's would use it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pytest_regressions")
pytest_plugins = ["pytester"]
GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"

TEST = """
import shutil
import modelfmt
import numpy as np

def test_model(golden_model, tmp_path):
    with modelfmt.open({model!r}) as file:
        name = next(n for n in file.tensors if "fc" in n and "bias" in n)
        file.tensors[name] = file.tensors[name].numpy() + np.float32({plus})
        file.save(tmp_path / "made.h5")
    golden_model(tmp_path / "made.h5"{options})
"""


def write(pytester: pytest.Pytester, plus: float = 0.0, options: str = "") -> None:
    pytester.makepyfile(
        test_it=TEST.format(model=str(MODEL), plus=plus, options=options and f", {options}")
    )


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_stored_compared_and_updated(pytester: pytest.Pytester) -> None:
    write(pytester)
    first = run(pytester)
    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(["*File not found in data directory, created:*"])
    stored = pytester.path / "test_it" / "test_model.h5"
    assert stored.read_bytes() == MODEL.read_bytes()
    run(pytester).assert_outcomes(passed=1)
    write(pytester, plus=0.5)
    changed = run(pytester)
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines([
        "*made.h5 differs from its golden *test_model.h5:*", "*weights:*",
        "*~ fc/bias*9 of 9 differ, max |a - b| 0.5*", "*pytest --update-golden stores*",
    ])  # fmt: skip
    assert stored.read_bytes() == MODEL.read_bytes()
    run(pytester, "--update-golden").assert_outcomes(failed=1)
    run(pytester).assert_outcomes(passed=1)


def test_ways_and_tolerance(pytester: pytest.Pytester) -> None:
    write(pytester)
    run(pytester)
    for options, passes in (
        ("atol=0.6", True), ("atol=0.4", False), ("by='structure'", True), ("by='bytes'", False),
        ("by='inference'", False), ("by='luck'", False), ("name='other'", False),
    ):  # fmt: skip
        write(pytester, plus=0.5, options=options)
        run(pytester).assert_outcomes(passed=int(passes), failed=int(not passes))


MANY = """
import shutil
from pathlib import Path

def test_folder(golden_model, tmp_path):
    shutil.copytree({saved!r}, tmp_path / "saved")
    golden_model(tmp_path / "saved")

def test_meta(golden_model):
    golden_model({meta!r})

def test_checkpoint(golden_model):
    golden_model(Path({meta!r}).with_suffix(""))
"""


def test_models_of_several_files(pytester: pytest.Pytester) -> None:
    saved = GOLDEN / "savedmodel/tfkeras-tf2.15.1-linear_regression/saved_model"
    meta = GOLDEN / "metagraph/keras2.1.2-tf1.4.1-linear_regression/model.ckpt.meta"
    pytester.makepyfile(test_it=MANY.format(saved=str(saved), meta=str(meta)))
    run(pytester).assert_outcomes(failed=3)
    kept = {str(p.relative_to(pytester.path)) for p in (pytester.path / "test_it").rglob("*.*")}
    assert "test_it/test_folder/variables/variables.index" in kept
    assert "test_it/test_meta/model.ckpt.data-00000-of-00001" in kept
    run(pytester).assert_outcomes(passed=3)


def test_what_is_no_model(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="def test_none(golden_model, tmp_path):\n    golden_model(tmp_path / 'none.h5')\n"
    )
    done = run(pytester)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*golden_model: there is no *none.h5*"])
