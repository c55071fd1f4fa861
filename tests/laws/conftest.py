"""Every law runs over the golden cases: one parameter a case, by the name of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS = sorted(min(p.parent.glob("model.*")) for p in GOLDEN.glob("*/*/provenance.toml"))

#: Fixture name -> the model files that it stands for.
FIXTURES = {
    "golden": MODELS,
    "graphdef": [m for m in MODELS if m.parents[1].name == "graphdef"],
    "layered": [m for m in MODELS if m.parents[1].name != "graphdef"],
    "binary_graphdef": [m for m in MODELS if m.suffix == ".pb"],
    "text_graphdef": [m for m in MODELS if m.suffix == ".pbtxt"],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, models in FIXTURES.items():
        if fixture in metafunc.fixturenames:
            names = [f"{m.parents[1].name}/{m.parent.name}" for m in models]
            metafunc.parametrize(fixture, models, ids=names)


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    return GOLDEN
