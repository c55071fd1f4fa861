"""A pytest plugin for golden model files: the fixture ``golden_model``.

    def test_the_export(golden_model, tmp_path):
        export(tmp_path / "model.h5")
        golden_model(tmp_path / "model.h5", rtol=1e-6)

The first run stores the model as the golden file, and fails to say so; later runs compare with it
by ``modelfmt.diff``, and fail with the layers and weights that differ. ``--update-golden`` stores
what is made now. Golden files stand where pytest-regressions keeps its data, in a folder named as
the test's module; this is one of its checks, so --force-regen and --regen-all work as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

GoldenModel: TypeAlias = Callable[..., None]
WAYS = ("numbers", "structure", "inference", "bytes")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--update-golden``."""
    parser.getgroup("modelfmt").addoption(
        "--update-golden", action="store_true", help="Store the models that golden_model is given."
    )


@pytest.fixture
def golden_model(request: pytest.FixtureRequest) -> GoldenModel:
    """Compare a model with its golden file.

    The fixture is a function::

        golden_model(path, *, by="numbers", rtol=0.0, atol=0.0, name=None)

    Args:
        path: a model of any kind; of a checkpoint its prefix.
        by: numbers (structure, and numbers within the tolerance), structure (names, configs,
            dtypes and shapes), inference (what the models compute, see ``fmt diff``), or bytes.
        rtol, atol: equal is |a - b| <= atol + rtol * max(|a|, |b|); with both 0, bit for bit.
        name: of the golden file; the test's where left out.

    Raises:
        AssertionError: with a line for each difference.
    """
    try:
        from pytest_regressions.common import perform_regression_check
    except ImportError:
        raise pytest.UsageError(
            "golden_model needs pytest-regressions: pip install 'modelfmt[pytest]'"
        ) from None
    datadir = request.getfixturevalue("lazy_datadir")
    original = request.getfixturevalue("original_datadir")

    def compare(
        path: str | Path, *, by: str = "numbers", rtol: float = 0.0, atol: float = 0.0,
        name: str | None = None,
    ) -> None:  # fmt: skip
        __tracebackhide__ = True
        if by not in WAYS:
            raise pytest.UsageError(f"golden_model: by={by!r} is none of {', '.join(WAYS)}")
        made = _Files(Path(path))
        chosen = name or _safe(request.node.name)
        base = f"{chosen}/{made.main.name}" if made.several else f"{chosen}{made.extension}"
        place = original / base

        def dump(target: Path) -> None:
            if target != made.main:  # what was made stays where it is
                made.copy(target.parent if made.several else target)

        def check(_obtained: Path, _expected: Path) -> None:
            __tracebackhide__ = True
            golden = made.like(place)
            lines = _differences(made.path, golden, by, rtol, atol)
            if lines:
                shown = "\n".join(lines[:60] + [f"... {len(lines) - 60} more"] * (len(lines) > 60))
                raise AssertionError(
                    f"{made.path} differs from its golden {golden}:\n{shown}\n"
                    "pytest --update-golden stores what is made now."
                )

        perform_regression_check(
            datadir=datadir, original_datadir=original, request=request, check_fn=check,
            dump_fn=dump, extension="", basename=base, obtained_filename=made.main,
            force_regen=bool(request.config.getoption("update_golden")),
        )  # fmt: skip

    return compare


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).strip("_")


class _Files:
    """The files of a model: one, or a main one and others beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            found = [path / f"saved_model.{end}" for end in ("pb", "pbtxt")]
            main = next((file for file in found if file.exists()), None)
            if main is None:
                raise pytest.UsageError(f"golden_model: {path} is no SavedModel")
            self.main, self.files = main, None
        else:
            index = path.with_name(f"{path.name}.index")
            self.main = path if path.exists() else index
            if not self.main.exists():
                raise pytest.UsageError(f"golden_model: there is no {path}")
            stem = self.main.name.removesuffix(".meta").removesuffix(".index")
            beside = sorted(path.parent.glob(f"{stem}.*"))
            of_checkpoint = self.main.suffix in (".meta", ".index")
            self.files = beside if of_checkpoint else [self.main]
        self.several = self.files is None or len(self.files) > 1

    @property
    def extension(self) -> str:
        """Of a single file: ``.weights.h5``."""
        name = self.path.name
        return ".weights.h5" if name.endswith(".weights.h5") else self.path.suffix

    def copy(self, target: Path) -> None:
        """Store the model: as a file, or in a folder, which it fills."""
        if not self.several:
            shutil.copyfile(self.main, target)
            return
        shutil.rmtree(target, ignore_errors=True)
        if self.files is None:
            shutil.copytree(self.path, target)
            return
        target.mkdir(parents=True)
        for file in self.files:
            shutil.copyfile(file, target / file.name)

    def like(self, place: Path) -> Path:
        """What to open of the golden one, whose main file stands at ``place``."""
        if self.files is None:
            return place.parent
        return place if self.main == self.path else place.with_name(self.path.name)


def _differences(made: Path, golden: Path, by: str, rtol: float, atol: float) -> list[str]:
    """A line for each difference, the golden first."""
    import modelfmt
    from modelfmt.cli.compare import render

    changes: Any = modelfmt.diff(
        golden, made, rtol=rtol, atol=atol, bytes=by == "bytes", inference_form=by == "inference"
    )
    if by == "structure":
        changes = [change for change in changes if change.numbers is None]
    return list(render(changes))
