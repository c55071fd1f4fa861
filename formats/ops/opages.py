"""The age of attrs: what older TensorFlows do not know, and so should not be told.

A reader fills in the default of an attr that a node leaves out, but refuses a node with an attr
that it has never heard of. Source: the op registries of TensorFlow 1.15.5 and 2.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelfmt.ops import opdefs

if TYPE_CHECKING:
    from modelfmt.graph import AttrValue

#: Attrs that TensorFlow 1.15 does not know yet, and the ops that have gained them since.
_YOUNG = {
    "debug_name": "VarHandleOp",
    "allowed_devices": "VarHandleOp",
    "validate_shape": "AssignVariableOp",
    "bad_indices_policy": (
        "ResourceScatterNdUpdate GatherNd ScatterNd TensorScatterUpdate "
        "TensorScatterAdd TensorScatterSub"
    ),
    "allow_missing_files": "MergeV2Checkpoints",
    "multiply_linear_by_lr": "ResourceApplyFtrl ResourceApplyFtrlV2",
    "grad_a": "MatMul",
    "grad_b": "MatMul",
    "grad_x": "BatchMatMul BatchMatMulV2",
    "grad_y": "BatchMatMul BatchMatMulV2",
    "explicit_paddings": (
        "DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput "
        "DepthwiseConv2dNativeBackpropFilter MaxPool MaxPoolGrad"
    ),
    "exponential_avg_factor": "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3",
    "Tsegmentids": "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN",
    "sparse_gradient": "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN",
    "Tk": "TopKV2",
    "index_type": "TopKV2",
    "shape_type": "ConcatOffset",
    "Treal": "RFFT IRFFT RFFT2D IRFFT2D",
    "Tcomplex": "RFFT IRFFT RFFT2D IRFFT2D",
    "Tshape": "TensorListGetItem",
    "resize_if_index_out_of_bounds": "TensorListSetItem",
    "blank_index": "CTCGreedyDecoder",
    "offset": "InitializeTableFromTextFile InitializeTableFromTextFileV2",
    "axis": "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeV2 Dequantize",
    "narrow_range": "QuantizeV2 Dequantize",
    "ensure_minimum_range": "QuantizeV2",
    "dtype": "Dequantize",
}


def settled(op: str, attrs: Mapping[str, AttrValue]) -> dict[str, AttrValue]:
    """``attrs`` without those that TensorFlow 1.15 does not know, where they hold their default."""
    young = {name for name, ops in _YOUNG.items() if op in ops.split()}
    row = opdefs.get(op)
    defaults = {attr.name: attr.default for attr in row.attrs if attr.name in young} if row else {}
    return {
        name: value
        for name, value in attrs.items()
        if name not in defaults or value != defaults[name]
    }
