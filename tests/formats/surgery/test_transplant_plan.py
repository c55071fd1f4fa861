"""The plan of a transplant: names of either kind, averages, keys of what is stored as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MissingError
from modelfmt.surgery.transplant_plan import Plan, _with_averages
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"


def test_names_and_keys() -> None:
    with modelfmt.open(CNN) as donor, modelfmt.open(CNN) as host:
        plan = Plan(donor, host, ["fc/*"], ema=False)
        assert plan.wanted == plan.missing == ["fc/kernel", "fc/bias"]
        assert plan.donor_name(plan.keys["fc/kernel"]) == "fc/kernel"
        plan.match("name")
        assert not plan.missing
        assert [graft.host for graft, _ in plan.checked(cast=False)] == ["fc/kernel", "fc/bias"]


def test_averages() -> None:
    weights = {name: Tensor.from_numpy(name, np.zeros(1)) for name in ("a", "b")}
    mean = Tensor.from_numpy("m", np.ones(1))
    found = _with_averages({**weights, "a/ExponentialMovingAverage": mean})
    assert found == {"a": mean, "b": weights["b"]}
    with pytest.raises(MissingError):
        _with_averages(weights)
