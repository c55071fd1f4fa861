"""Ops that read a variable, reading its value."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.dtypes import float32, int32
from modelfmt.graph import Node
from modelfmt.graphs.readers import READERS
from modelfmt.ops import opdefs
from modelfmt.tensor import Tensor


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "becomes"),
    [
        ("ReadVariableOp", ["v"], {"dtype": float32}, "Identity"),
        ("ResourceGather", ["v", "i"], {"dtype": float32, "Tindices": int32,
                                        "validate_indices": True}, "GatherV2"),
        ("ResourceGatherNd", ["v", "i"], {"dtype": float32, "Tindices": int32}, "GatherNd"),
        ("VariableShape", ["v"], {"out_type": dtypes.int64}, "Shape"),
        ("VarIsInitializedOp", ["v"], {}, "Const"),
    ],
)  # fmt: skip
def test_a_reader_becomes_an_op_on_values(
    op: str, inputs: list[str], attrs: dict[str, object], becomes: str
) -> None:
    node = Node("n", op, list(inputs), {**attrs, "_keep": True})  # type: ignore[dict-item]
    made = READERS[op](node, float32, lambda name: f"{name}:spelled")
    last = made[-1]
    assert (last.name, last.op, last.attrs["_keep"]) == ("n", becomes, True)
    row = opdefs.get(becomes)
    assert row is not None and len(row.inputs) == len(last.data_inputs)
    assert {key for key in last.attrs if key != "_keep"} <= {a.name for a in row.attrs}
    assert len(opdefs.output_dtypes(becomes, last.attrs)) == 1


@pytest.mark.parametrize("batch", [0, 1])
def test_a_gather_gets_its_axis(batch: int) -> None:
    attrs = {"dtype": float32, "Tindices": int32, "batch_dims": batch}
    node = Node("n", "ResourceGather", ["v", "a:1"], attrs)  # type: ignore[arg-type]
    axis, gather = READERS["ResourceGather"](node, float32, lambda name: f"{name}:output:0")
    value = axis.attrs["value"]
    assert isinstance(value, Tensor) and value.numpy().item() == batch
    assert axis.inputs == ["^a"]  # to stand in the loop that the indices stand in
    assert gather.inputs == ["v", "a:1", "n/axis:output:0"]
    assert gather.attrs.get("batch_dims") == (batch or None)
