"""Files told apart: what is a config in a text, and what each HDF5 hazard is called."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelfmt.surgery.audit_files import folder_risks, hdf5_risks, text_config_risks


@pytest.mark.parametrize(
    ("name", "text", "config"),
    [
        ("m.json", '{"class_name": "Sequential", "config": []}', True),
        ("m.yaml", "class_name: Sequential\n", True),
        ("m.json", '{"metadata": 1, "weight_map": {"layers": "x"}}', False),
        ("g.pbtxt", 'node { name: "x" op: "NoOp" }', False),
    ],
)
def test_configs_in_texts(name: str, text: str, config: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert (text_config_risks(str(tmp_path / name)) is not None) is config


def test_places_within_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/b"] = h5py.ExternalLink("y.h5", "/z")
        file["a/c"] = np.zeros(1)
    (risk,) = hdf5_risks(str(tmp_path / "x.h5"), "member, ")
    assert risk.place == "member, a/b" and risk.what == "external link y.h5:/z"


def test_assets_are_told_once(tmp_path: Path) -> None:
    risks = list(folder_risks(str(tmp_path), ["../x", "../x", "words.txt"]))
    assert [risk.what for risk in risks] == ["the asset '../x'"]
