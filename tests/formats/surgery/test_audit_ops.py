"""The table of ops: what reaches out is in it, what TensorFlow has is known, all else is custom."""

from __future__ import annotations

import pytest

from modelfmt.ops.opname_rows import NAMES
from modelfmt.surgery.audit_ops import _OPS, function_risk, op_risk


def test_names_are_sorted_and_stand_once() -> None:
    names = NAMES.split()
    assert names == sorted(set(names)) and len(names) > 1900


@pytest.mark.oracle
def test_names_are_those_of_tensorflow() -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    registered = op_def_pb2.OpList()
    registered.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    ops = {op.name for op in registered.op if len(op.name) > 1 and op.name[:2] != "__"}
    assert ops - set(NAMES.split()) == set()


def test_ops_that_compute_are_no_risk() -> None:
    for op in ("AddV2", "Conv2D", "StatefulPartitionedCall", "HashTableV2", "If", "_Arg"):
        assert op_risk(op) is None


def test_ops_that_reach_out() -> None:
    for ops in _OPS.values():
        for op in ops.split():
            risk = op_risk(op)
            assert risk is not None and risk.severity == "high"
    custom = op_risk("Their>Op")
    assert custom is not None and custom.severity == "medium"


@pytest.mark.parametrize(
    ("name", "risky"),
    [
        ("io.read_file", True), ("raw_ops.ReadFile", True), ("py_function", True),
        ("compat.v1.py_func", True), ("load_op_library", True), ("train.list_variables", True),
        ("math.add", False), ("nn.relu", False), ("raw_ops.AddV2", False), ("reshape", False),
        ("strings.lower", False), ("config_like_name", False),
    ],
)  # fmt: skip
def test_functions(name: str, risky: bool) -> None:
    assert (function_risk(name) is not None) is risky
