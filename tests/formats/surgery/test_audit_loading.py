"""What runs at loading, through control edges too."""

from __future__ import annotations

from pathlib import Path

import modelfmt
from modelfmt.surgery.audit_loading import loaded_nodes
from modelfmt.tf.metagraph import GraphWithVariables

GOLDEN = Path(__file__).parents[3] / "golden/savedmodel"


def loaded(name: str) -> frozenset[str]:
    with modelfmt.open(GOLDEN / name / "saved_model") as model:
        assert isinstance(model, GraphWithVariables)
        found = loaded_nodes(model.metagraph)
        assert all(name in model.graph for name in found)
        return found


def test_tables_are_filled_at_loading() -> None:
    assert {"NoOp", "hash_table", "asset_path_initializer"} <= loaded("rawtf2.21.0-module_lookup")


def test_nothing_runs_where_nothing_is_named() -> None:
    assert loaded("keras1.2.2-tf1.2.1-k1_linear") == frozenset()
