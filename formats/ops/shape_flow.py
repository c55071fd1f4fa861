"""Shape rules of control flow, variables, tensor arrays and tensor lists."""

from __future__ import annotations

from modelfmt.graph import Dims
from modelfmt.ops.shape_core import Call, Rule, Static, array, valued


def scalar(call: Call) -> Dims:
    return ()


def same(call: Call) -> Static:
    """The first operand as it is, or made to look so: Identity, StopGradient."""
    first = call.input(0)
    return Static(call.shape(0), call.value(0), None, first.handle)


def switch(call: Call) -> list[Static]:
    return [same(call)] * 2


def merge(call: Call) -> list[Dims]:
    """Merge: what its inputs have in common, and the index of the one that came."""
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    first = shapes[0] if shapes else None
    if first is None or any(s is None or len(s) != len(first) for s in shapes):
        return [None, ()]
    columns = zip(*(s for s in shapes if s is not None), strict=True)
    return [tuple(column[0] if len(set(column)) == 1 else None for column in columns), ()]


def each(call: Call) -> list[Static]:
    """IdentityN: every input as it is."""
    return [same(Call(call.op, call.attrs, [each])) for each in call.inputs]


def assign(call: Call) -> Dims:
    return call.merge_shapes(call.shape(0), call.shape(1), "shape of the value")


def variable_handle(call: Call) -> Static:
    """VarHandleOp: a scalar, behind which the attrs tell the variable."""
    return Static((), None, None, Static(call.dims_attr("shape"), None, call.attr("dtype")))


def read_variable(call: Call) -> Dims:
    handle = call.input(0).handle
    return None if handle is None else handle.shape


def resource_gather(call: Call) -> Dims:
    """ResourceGather: rows of the variable, as GatherV2 along axis 0 (or after batch_dims)."""
    rows, indices, batch = read_variable(call), call.shape(1), call.int_attr("batch_dims")
    if rows is None or indices is None or not 0 <= batch <= min(len(indices), len(rows) - 1):
        return None
    return indices + rows[batch + 1 :]


def variable_shape(call: Call) -> Static:
    shape = read_variable(call)
    return Static((None,)) if shape is None else valued(array(shape))


def like_operand(call: Call) -> Dims:
    """AssignAdd, Apply*, ScatterSub: the reference that comes first goes out again."""
    return call.shape(0)


def tensor_array(call: Call) -> list[Dims]:
    """TensorArrayV3: a handle of two strings, and the flow; V2 has no flow."""
    return [(2,), ()] if call.op == "TensorArrayV3" else [(2,)]


def array_stack(call: Call) -> Dims:
    """TensorArrayGatherV3: rows of the attr element_shape, one per index."""
    shape, indices = call.dims_attr("element_shape"), call.ranked(1, 1)
    return None if shape is None else (*indices, *shape)


def list_stack(call: Call) -> Dims:
    """TensorListStack: num_elements rows of element_shape, the second operand's value."""
    shape, count = call.dims(1), call.int_attr("num_elements")
    return None if shape is None else (count if count >= 0 else None, *shape)


def list_item(call: Call) -> Dims:
    return call.dims(2)


_FAMILIES: dict[Rule, str] = {
    same: (
        "Identity Snapshot StopGradient PreventGradient CheckNumerics CheckNumericsV2 Print "
        "DeepCopy Enter RefEnter Exit RefExit NextIteration RefNextIteration"
    ),
    switch: "Switch RefSwitch",
    merge: "Merge RefMerge",
    each: "IdentityN",
    assign: "Assign",
    variable_handle: "VarHandleOp",
    read_variable: "ReadVariableOp",
    resource_gather: "ResourceGather",
    variable_shape: "VariableShape",
    like_operand: (
        "AssignAdd AssignSub ScatterAdd ScatterSub ScatterUpdate ApplyGradientDescent "
        "ApplyMomentum ApplyAdam ApplyAdagrad ApplyRMSProp"
    ),
    tensor_array: "TensorArrayV2 TensorArrayV3",
    array_stack: "TensorArrayGatherV2 TensorArrayGatherV3",
    list_stack: "TensorListStack",
    list_item: "TensorListGetItem",
    scalar: (
        "L2Loss LoopCond VarIsInitializedOp IsVariableInitialized HashTableV2 MutableHashTableV2 "
        "LookupTableSizeV2 TensorListReserve TensorListFromTensor TensorListSetItem "
        "EmptyTensorList TensorListLength ShardedFilename TensorArraySizeV2 "
        "TensorArraySizeV3 TensorArrayWriteV2 TensorArrayWriteV3 TensorArrayScatterV2 "
        "TensorArrayScatterV3"
    ),
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}
