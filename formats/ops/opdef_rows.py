"""The rows behind ``opdefs``: one op each, in families; a line that is indented continues a row.

    Name(input: type, ...) -> output: type; attr: type >= minimum in [allowed] = default; flags

A type is a dtype's name or the attr that holds it; ``N * T`` is a list of tensors, ``ref T`` a
reference. Literals are JSON, dtypes stand by name, ``?`` is a shape of unknown rank. Several
outputs, or none, stand in parentheses. The dtypes allowed for an attr are left out on purpose:
they grow with every release of TensorFlow.

Source: op registry of TensorFlow 2.21; checked against the installed one by test_opdefs.
"""

ROWS = r"""
# Graph structure, constants, control flow
NoOp() -> ()
Const() -> output: dtype; value: tensor, dtype: type
HostConst() -> output: dtype; value: tensor, dtype: type
Placeholder() -> output: dtype; dtype: type, shape: shape = ?
PlaceholderV2() -> output: dtype; dtype: type, shape: shape
PlaceholderWithDefault(input: dtype) -> output: dtype; dtype: type, shape: shape
Identity(input: T) -> output: T; T: type
IdentityN(input: T) -> output: T; T: list(type) >= 1
Snapshot(input: T) -> output: T; T: type
StopGradient(input: T) -> output: T; T: type
PreventGradient(input: T) -> output: T; T: type, message: string = ""
CheckNumerics(tensor: T) -> output: T; T: type, message: string; stateful
CheckNumericsV2(tensor: T) -> output: T; T: type, message: string; stateful
Assert(condition: bool, data: T) -> (); T: list(type) >= 1, summarize: int = 3; stateful
Print(input: T, data: U) -> output: T; T: type, U: list(type) >= 0, message: string = "",
  first_n: int = -1, summarize: int = 3; stateful
PrintV2(input: string) -> (); output_stream: string = "stderr", end: string = "\n"; stateful
DisableCopyOnRead(resource: resource) -> (); stateful
EnsureShape(input: T) -> output: T; shape: shape, T: type
Switch(data: T, pred: bool) -> (output_false: T, output_true: T); T: type
RefSwitch(data: ref T, pred: bool) -> (output_false: ref T, output_true: ref T); T: type
Merge(inputs: N * T) -> (output: T, value_index: int32); T: type, N: int >= 1
RefMerge(inputs: ref N * T) -> (output: ref T, value_index: int32); T: type, N: int >= 1
Enter(data: T) -> output: T; T: type, frame_name: string, is_constant: bool = false,
  parallel_iterations: int = 10
RefEnter(data: ref T) -> output: ref T; T: type, frame_name: string, is_constant: bool = false,
  parallel_iterations: int = 10
Exit(data: T) -> output: T; T: type
RefExit(data: ref T) -> output: ref T; T: type
NextIteration(data: T) -> output: T; T: type
RefNextIteration(data: ref T) -> output: ref T; T: type
LoopCond(input: bool) -> output: bool
ControlTrigger() -> ()
Abort() -> (); error_msg: string = "", exit_without_error: bool = false
If(cond: Tcond, input: Tin) -> output: Tout; Tcond: type, Tin: list(type) >= 0,
  Tout: list(type) >= 0, then_branch: func, else_branch: func, output_shapes: list(shape) = [];
  stateful
StatelessIf(cond: Tcond, input: Tin) -> output: Tout; Tcond: type, Tin: list(type) >= 0,
  Tout: list(type) >= 0, then_branch: func, else_branch: func, output_shapes: list(shape) = []
While(input: T) -> output: T; T: list(type) >= 0, cond: func, body: func,
  output_shapes: list(shape) = [], parallel_iterations: int = 10; stateful
StatelessWhile(input: T) -> output: T; T: list(type) >= 0, cond: func, body: func,
  output_shapes: list(shape) = [], parallel_iterations: int = 10
Case(branch_index: int32, input: Tin) -> output: Tout; Tin: list(type) >= 0,
  Tout: list(type) >= 0, branches: list(func) >= 1, output_shapes: list(shape) = []; stateful
StatelessCase(branch_index: int32, input: Tin) -> output: Tout; Tin: list(type) >= 0,
  Tout: list(type) >= 0, branches: list(func) >= 1, output_shapes: list(shape) = []
PartitionedCall(args: Tin) -> output: Tout; Tin: list(type) >= 0, Tout: list(type) >= 0, f: func,
  config: string = "", config_proto: string = "", executor_type: string = ""
StatefulPartitionedCall(args: Tin) -> output: Tout; Tin: list(type) >= 0, Tout: list(type) >= 0,
  f: func, config: string = "", config_proto: string = "", executor_type: string = ""; stateful
RemoteCall(target: string, args: Tin) -> output: Tout; Tin: list(type) >= 1,
  Tout: list(type) >= 1, f: func; stateful
SymbolicGradient(input: Tin) -> output: Tout; Tin: list(type) >= 1, Tout: list(type) >= 1, f: func
DeepCopy(x: T) -> y: T; T: type; stateful
FakeParam() -> output: dtype; dtype: type, shape: shape
DeviceIndex() -> index: int32; device_names: list(string); stateful
PyFunc(input: Tin) -> output: Tout; token: string, Tin: list(type) >= 0, Tout: list(type) >= 0;
  stateful
EagerPyFunc(input: Tin) -> output: Tout; token: string, is_async: bool = false,
  Tin: list(type) >= 0, Tout: list(type) >= 0; stateful
PyFuncStateless(input: Tin) -> output: Tout; token: string, Tin: list(type) >= 0,
  Tout: list(type) >= 0
XlaLaunch(constants: Tconstants, args: Targs,
  resources: Nresources * resource) -> results: Tresults; Tconstants: list(type) >= 0,
  Targs: list(type) >= 0, Nresources: int >= 0, Tresults: list(type) >= 0, function: func;
  stateful
OptionalFromValue(components: Toutput_types) -> optional: variant; Toutput_types: list(type) >= 1
OptionalGetValue(optional: variant) -> components: output_types; output_types: list(type) >= 1,
  output_shapes: list(shape) >= 1
OptionalNone() -> optional: variant
OptionalHasValue(optional: variant) -> has_value: bool
# Variables and checkpoints
Variable() -> ref: ref dtype; shape: shape, dtype: type, container: string = "",
  shared_name: string = ""; stateful
VariableV2() -> ref: ref dtype; shape: shape, dtype: type, container: string = "",
  shared_name: string = ""; stateful
TemporaryVariable() -> ref: ref dtype; shape: shape, dtype: type, var_name: string = ""; stateful
IsVariableInitialized(ref: ref dtype) -> is_initialized: bool; dtype: type
Assign(ref: ref T, value: T) -> output_ref: ref T; T: type, validate_shape: bool = true,
  use_locking: bool = true
AssignAdd(ref: ref T, value: T) -> output_ref: ref T; T: type, use_locking: bool = false
AssignSub(ref: ref T, value: T) -> output_ref: ref T; T: type, use_locking: bool = false
ScatterUpdate(ref: ref T, indices: Tindices, updates: T) -> output_ref: ref T; T: type,
  Tindices: type, use_locking: bool = true
ScatterAdd(ref: ref T, indices: Tindices, updates: T) -> output_ref: ref T; T: type,
  Tindices: type, use_locking: bool = false
ScatterSub(ref: ref T, indices: Tindices, updates: T) -> output_ref: ref T; T: type,
  Tindices: type, use_locking: bool = false
ScatterMul(ref: ref T, indices: Tindices, updates: T) -> output_ref: ref T; T: type,
  Tindices: type, use_locking: bool = false
CountUpTo(ref: ref T) -> output: T; limit: int, T: type
VarHandleOp() -> resource: resource; container: string = "", shared_name: string = "",
  debug_name: string = "", dtype: type, shape: shape, allowed_devices: list(string) = []; stateful
ReadVariableOp(resource: resource) -> value: dtype; dtype: type; stateful
AssignVariableOp(resource: resource, value: dtype) -> (); dtype: type,
  validate_shape: bool = false; stateful
AssignAddVariableOp(resource: resource, value: dtype) -> (); dtype: type; stateful
AssignSubVariableOp(resource: resource, value: dtype) -> (); dtype: type; stateful
VarIsInitializedOp(resource: resource) -> is_initialized: bool; stateful
DestroyResourceOp(resource: resource) -> (); ignore_lookup_error: bool = true; stateful
VariableShape(input: resource) -> output: out_type; out_type: type = int32; stateful
ResourceGather(resource: resource, indices: Tindices) -> output: dtype; batch_dims: int = 0,
  validate_indices: bool = true, dtype: type, Tindices: type; stateful
ResourceGatherNd(resource: resource, indices: Tindices) -> output: dtype; dtype: type,
  Tindices: type; stateful
ResourceScatterAdd(resource: resource, indices: Tindices, updates: dtype) -> (); dtype: type,
  Tindices: type; stateful
ResourceScatterSub(resource: resource, indices: Tindices, updates: dtype) -> (); dtype: type,
  Tindices: type; stateful
ResourceScatterUpdate(resource: resource, indices: Tindices, updates: dtype) -> (); dtype: type,
  Tindices: type; stateful
ResourceScatterNdUpdate(ref: resource, indices: Tindices, updates: T) -> (); T: type,
  Tindices: type, use_locking: bool = true, bad_indices_policy: string = ""; stateful
ResourceStridedSliceAssign(ref: resource, begin: Index, end: Index, strides: Index,
  value: T) -> (); T: type, Index: type, begin_mask: int = 0, end_mask: int = 0,
  ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0; stateful
Save(filename: string, tensor_names: string, data: T) -> (); T: list(type) >= 1; stateful
SaveSlices(filename: string, tensor_names: string, shapes_and_slices: string, data: T) -> ();
  T: list(type) >= 1; stateful
SaveV2(prefix: string, tensor_names: string, shape_and_slices: string, tensors: dtypes) -> ();
  dtypes: list(type) >= 1; stateful
Restore(file_pattern: string, tensor_name: string) -> tensor: dt; dt: type,
  preferred_shard: int = -1; stateful
RestoreSlice(file_pattern: string, tensor_name: string, shape_and_slice: string) -> tensor: dt;
  dt: type, preferred_shard: int = -1; stateful
RestoreV2(prefix: string, tensor_names: string, shape_and_slices: string) -> tensors: dtypes;
  dtypes: list(type) >= 1; stateful
MergeV2Checkpoints(checkpoint_prefixes: string, destination_prefix: string) -> ();
  delete_old_dirs: bool = true, allow_missing_files: bool = false; stateful
ShardedFilename(basename: string, shard: int32, num_shards: int32) -> filename: string
ShardedFilespec(basename: string, num_shards: int32) -> filename: string
ReadFile(filename: string) -> contents: string
WriteFile(filename: string, contents: string) -> (); stateful
# Optimizers
ApplyGradientDescent(var: ref T, alpha: T, delta: T) -> out: ref T; T: type,
  use_locking: bool = false
ApplyMomentum(var: ref T, accum: ref T, lr: T, grad: T, momentum: T) -> out: ref T; T: type,
  use_locking: bool = false, use_nesterov: bool = false
ApplyAdam(var: ref T, m: ref T, v: ref T, beta1_power: T, beta2_power: T, lr: T, beta1: T,
  beta2: T, epsilon: T, grad: T) -> out: ref T; T: type, use_locking: bool = false,
  use_nesterov: bool = false
ApplyAdagrad(var: ref T, accum: ref T, lr: T, grad: T) -> out: ref T; T: type,
  use_locking: bool = false, update_slots: bool = true
ApplyRMSProp(var: ref T, ms: ref T, mom: ref T, lr: T, rho: T, momentum: T, epsilon: T,
  grad: T) -> out: ref T; T: type, use_locking: bool = false
ResourceApplyGradientDescent(var: resource, alpha: T, delta: T) -> (); T: type,
  use_locking: bool = false; stateful
ResourceApplyMomentum(var: resource, accum: resource, lr: T, grad: T, momentum: T) -> (); T: type,
  use_locking: bool = false, use_nesterov: bool = false; stateful
ResourceApplyKerasMomentum(var: resource, accum: resource, lr: T, grad: T, momentum: T) -> ();
  T: type, use_locking: bool = false, use_nesterov: bool = false; stateful
ResourceApplyAdam(var: resource, m: resource, v: resource, beta1_power: T, beta2_power: T, lr: T,
  beta1: T, beta2: T, epsilon: T, grad: T) -> (); T: type, use_locking: bool = false,
  use_nesterov: bool = false; stateful
ResourceApplyAdamWithAmsgrad(var: resource, m: resource, v: resource, vhat: resource,
  beta1_power: T, beta2_power: T, lr: T, beta1: T, beta2: T, epsilon: T, grad: T) -> (); T: type,
  use_locking: bool = false; stateful
ResourceApplyAdaMax(var: resource, m: resource, v: resource, beta1_power: T, lr: T, beta1: T,
  beta2: T, epsilon: T, grad: T) -> (); T: type, use_locking: bool = false; stateful
ResourceApplyAdagrad(var: resource, accum: resource, lr: T, grad: T) -> (); T: type,
  use_locking: bool = false, update_slots: bool = true; stateful
ResourceApplyAdagradV2(var: resource, accum: resource, lr: T, epsilon: T, grad: T) -> (); T: type,
  use_locking: bool = false, update_slots: bool = true; stateful
ResourceApplyAdadelta(var: resource, accum: resource, accum_update: resource, lr: T, rho: T,
  epsilon: T, grad: T) -> (); T: type, use_locking: bool = false; stateful
ResourceApplyRMSProp(var: resource, ms: resource, mom: resource, lr: T, rho: T, momentum: T,
  epsilon: T, grad: T) -> (); T: type, use_locking: bool = false; stateful
ResourceApplyCenteredRMSProp(var: resource, mg: resource, ms: resource, mom: resource, lr: T,
  rho: T, momentum: T, epsilon: T, grad: T) -> (); T: type, use_locking: bool = false; stateful
ResourceApplyFtrl(var: resource, accum: resource, linear: resource, grad: T, lr: T, l1: T, l2: T,
  lr_power: T) -> (); T: type, use_locking: bool = false, multiply_linear_by_lr: bool = false;
  stateful
ResourceApplyFtrlV2(var: resource, accum: resource, linear: resource, grad: T, lr: T, l1: T,
  l2: T, l2_shrinkage: T, lr_power: T) -> (); T: type, use_locking: bool = false,
  multiply_linear_by_lr: bool = false; stateful
ResourceSparseApplyAdagradV2(var: resource, accum: resource, lr: T, epsilon: T, grad: T,
  indices: Tindices) -> (); T: type, Tindices: type, use_locking: bool = false,
  update_slots: bool = true; stateful
ResourceSparseApplyKerasMomentum(var: resource, accum: resource, lr: T, grad: T,
  indices: Tindices, momentum: T) -> (); T: type, Tindices: type, use_locking: bool = false,
  use_nesterov: bool = false; stateful
# Elementwise, one operand
Abs(x: T) -> y: T; T: type
Acos(x: T) -> y: T; T: type
Acosh(x: T) -> y: T; T: type
Asin(x: T) -> y: T; T: type
Asinh(x: T) -> y: T; T: type
Atan(x: T) -> y: T; T: type
Atanh(x: T) -> y: T; T: type
Cast(x: SrcT) -> y: DstT; SrcT: type, DstT: type, Truncate: bool = false
Bitcast(input: T) -> output: type; T: type, type: type
Ceil(x: T) -> y: T; T: type
Conj(input: T) -> output: T; T: type = complex64
Cos(x: T) -> y: T; T: type
Cosh(x: T) -> y: T; T: type
Digamma(x: T) -> y: T; T: type
Elu(features: T) -> activations: T; T: type
Erf(x: T) -> y: T; T: type
Erfc(x: T) -> y: T; T: type
Erfinv(x: T) -> y: T; T: type
BesselI0(x: T) -> y: T; T: type
BesselI1(x: T) -> y: T; T: type
BesselI0e(x: T) -> y: T; T: type
BesselI1e(x: T) -> y: T; T: type
Exp(x: T) -> y: T; T: type
Expm1(x: T) -> y: T; T: type
Floor(x: T) -> y: T; T: type
Imag(input: T) -> output: Tout; T: type = complex64, Tout: type = float32
Inv(x: T) -> y: T; T: type
Invert(x: T) -> y: T; T: type
IsFinite(x: T) -> y: bool; T: type
IsInf(x: T) -> y: bool; T: type
IsNan(x: T) -> y: bool; T: type
LeakyRelu(features: T) -> activations: T; alpha: float = 0.2, T: type = float32
Lgamma(x: T) -> y: T; T: type
Log(x: T) -> y: T; T: type
Log1p(x: T) -> y: T; T: type
LogicalNot(x: bool) -> y: bool
Ndtri(x: T) -> y: T; T: type
Neg(x: T) -> y: T; T: type
OnesLike(x: T) -> y: T; T: type
Real(input: T) -> output: Tout; T: type = complex64, Tout: type = float32
Complex(real: T, imag: T) -> out: Tout; T: type = float32, Tout: type = complex64
ComplexAbs(x: T) -> y: Tout; T: type = complex64, Tout: type = float32
Angle(input: T) -> output: Tout; T: type = complex64, Tout: type = float32
Reciprocal(x: T) -> y: T; T: type
Relu(features: T) -> activations: T; T: type
Relu6(features: T) -> activations: T; T: type
Rint(x: T) -> y: T; T: type
Round(x: T) -> y: T; T: type
Rsqrt(x: T) -> y: T; T: type
Selu(features: T) -> activations: T; T: type
Sigmoid(x: T) -> y: T; T: type
Sign(x: T) -> y: T; T: type
Sin(x: T) -> y: T; T: type
Sinh(x: T) -> y: T; T: type
Softplus(features: T) -> activations: T; T: type
Softsign(features: T) -> activations: T; T: type
Sqrt(x: T) -> y: T; T: type
Square(x: T) -> y: T; T: type
Tan(x: T) -> y: T; T: type
Tanh(x: T) -> y: T; T: type
ZerosLike(x: T) -> y: T; T: type
# Elementwise, several operands
Add(x: T, y: T) -> z: T; T: type
AddV2(x: T, y: T) -> z: T; T: type; commutative
AddN(inputs: N * T) -> sum: T; N: int >= 1, T: type; commutative
AccumulateNV2(inputs: N * T) -> sum: T; N: int >= 1, T: type, shape: shape; commutative
ApproximateEqual(x: T, y: T) -> z: bool; T: type, tolerance: float = 1e-05; commutative
Atan2(y: T, x: T) -> z: T; T: type
BitwiseAnd(x: T, y: T) -> z: T; T: type; commutative
BitwiseOr(x: T, y: T) -> z: T; T: type; commutative
BitwiseXor(x: T, y: T) -> z: T; T: type; commutative
ClipByValue(t: T, clip_value_min: T, clip_value_max: T) -> output: T; T: type
Div(x: T, y: T) -> z: T; T: type
DivNoNan(x: T, y: T) -> z: T; T: type
Equal(x: T, y: T) -> z: bool; T: type, incompatible_shape_error: bool = true; commutative
FloorDiv(x: T, y: T) -> z: T; T: type
FloorMod(x: T, y: T) -> z: T; T: type
Greater(x: T, y: T) -> z: bool; T: type
GreaterEqual(x: T, y: T) -> z: bool; T: type
Less(x: T, y: T) -> z: bool; T: type
LessEqual(x: T, y: T) -> z: bool; T: type
LogicalAnd(x: bool, y: bool) -> z: bool; commutative
LogicalOr(x: bool, y: bool) -> z: bool; commutative
Maximum(x: T, y: T) -> z: T; T: type
Minimum(x: T, y: T) -> z: T; T: type
Mod(x: T, y: T) -> z: T; T: type
Mul(x: T, y: T) -> z: T; T: type; commutative
MulNoNan(x: T, y: T) -> z: T; T: type
NotEqual(x: T, y: T) -> z: bool; T: type, incompatible_shape_error: bool = true; commutative
Pow(x: T, y: T) -> z: T; T: type
RealDiv(x: T, y: T) -> z: T; T: type
LeftShift(x: T, y: T) -> z: T; T: type
RightShift(x: T, y: T) -> z: T; T: type
Select(condition: bool, t: T, e: T) -> output: T; T: type
SelectV2(condition: bool, t: T, e: T) -> output: T; T: type
SquaredDifference(x: T, y: T) -> z: T; T: type; commutative
Sub(x: T, y: T) -> z: T; T: type
TruncateDiv(x: T, y: T) -> z: T; T: type
TruncateMod(x: T, y: T) -> z: T; T: type
Xdivy(x: T, y: T) -> z: T; T: type
Xlogy(x: T, y: T) -> z: T; T: type
Xlog1py(x: T, y: T) -> z: T; T: type
Betainc(a: T, b: T, x: T) -> z: T; T: type
Igamma(a: T, x: T) -> z: T; T: type
Igammac(a: T, x: T) -> z: T; T: type
Zeta(x: T, q: T) -> z: T; T: type
Polygamma(a: T, x: T) -> z: T; T: type
NextAfter(x1: T, x2: T) -> output: T; T: type = float32
# Products
MatMul(a: T, b: T) -> product: T; transpose_a: bool = false, transpose_b: bool = false, T: type,
  grad_a: bool = false, grad_b: bool = false
BatchMatMul(x: T, y: T) -> output: T; T: type, adj_x: bool = false, adj_y: bool = false,
  grad_x: bool = false, grad_y: bool = false
BatchMatMulV2(x: T, y: T) -> output: T; T: type, adj_x: bool = false, adj_y: bool = false,
  grad_x: bool = false, grad_y: bool = false
BatchMatMulV3(x: Ta, y: Tb) -> output: Tout; Ta: type, Tb: type, Tout: type, adj_x: bool = false,
  adj_y: bool = false, grad_x: bool = false, grad_y: bool = false
SparseMatMul(a: Ta, b: Tb) -> product: float32; transpose_a: bool = false,
  transpose_b: bool = false, a_is_sparse: bool = false, b_is_sparse: bool = false,
  Ta: type = float32, Tb: type = float32
Einsum(inputs: N * T) -> output: T; equation: string, N: int >= 1, T: type
Cross(a: T, b: T) -> product: T; T: type
BiasAdd(value: T, bias: T) -> output: T; T: type, data_format: string in ["NHWC", "NCHW"] = "NHWC"
BiasAddV1(value: T, bias: T) -> output: T; T: type
Cholesky(input: T) -> output: T; T: type
MatrixInverse(input: T) -> output: T; adjoint: bool = false, T: type
MatrixDeterminant(input: T) -> output: T; T: type
LogMatrixDeterminant(input: T) -> (sign: T, log_abs_determinant: T); T: type
MatrixSolve(matrix: T, rhs: T) -> output: T; adjoint: bool = false, T: type
MatrixTriangularSolve(matrix: T, rhs: T) -> output: T; lower: bool = true, adjoint: bool = false,
  T: type
Qr(input: T) -> (q: T, r: T); full_matrices: bool = false, T: type
Svd(input: T) -> (s: T, u: T, v: T); compute_uv: bool = true, full_matrices: bool = false, T: type
SelfAdjointEigV2(input: T) -> (e: T, v: T); compute_v: bool = true, T: type
MatrixDiag(diagonal: T) -> output: T; T: type
MatrixDiagV2(diagonal: T, k: int32, num_rows: int32, num_cols: int32,
  padding_value: T) -> output: T; T: type
MatrixDiagV3(diagonal: T, k: int32, num_rows: int32, num_cols: int32,
  padding_value: T) -> output: T; T: type, align: string in ["LEFT_RIGHT", "RIGHT_LEFT",
  "LEFT_LEFT", "RIGHT_RIGHT"] = "RIGHT_LEFT"
MatrixDiagPart(input: T) -> diagonal: T; T: type
MatrixDiagPartV2(input: T, k: int32, padding_value: T) -> diagonal: T; T: type
MatrixDiagPartV3(input: T, k: int32, padding_value: T) -> diagonal: T; T: type,
  align: string in ["LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"] = "RIGHT_LEFT"
MatrixSetDiag(input: T, diagonal: T) -> output: T; T: type
MatrixSetDiagV2(input: T, diagonal: T, k: int32) -> output: T; T: type
MatrixSetDiagV3(input: T, diagonal: T, k: int32) -> output: T; T: type,
  align: string in ["LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"] = "RIGHT_LEFT"
MatrixBandPart(input: T, num_lower: Tindex, num_upper: Tindex) -> band: T; T: type,
  Tindex: type = int64
Diag(diagonal: T) -> output: T; T: type
DiagPart(input: T) -> diagonal: T; T: type
_FusedConv2D(input: T, filter: T, args: TArgs, host_args: num_host_args * float32) -> output: T;
  T: type, TArgs: list(type) >= 1, num_args: int >= 0, num_host_args: int >= 0 = 0,
  strides: list(int), padding: string in ["SAME", "VALID", "EXPLICIT"],
  explicit_paddings: list(int) = [], data_format: string in ["NHWC", "NCHW",
  "NCHW_VECT_C"] = "NHWC", filter_format: string in ["HWIO", "OIHW", "OIHW_VECT_I"] = "HWIO",
  dilations: list(int) = [1, 1, 1, 1], use_cudnn_on_gpu: bool = true,
  fused_ops: list(string) = [], epsilon: float = 0.0001, leakyrelu_alpha: float = 0.2
_FusedMatMul(a: T, b: T, args: num_args * T) -> product: T; transpose_a: bool = false,
  transpose_b: bool = false, T: type, num_args: int >= 0, fused_ops: list(string) = [],
  epsilon: float = 0.0001, leakyrelu_alpha: float = 0.2
_FusedBatchNormEx(x: T, scale: U, offset: U, mean: U, variance: U,
  side_input: num_side_inputs * T) -> (y: T, batch_mean: U, batch_variance: U, reserve_space_1: U,
  reserve_space_2: U, reserve_space_3: U); T: type, U: type, epsilon: float = 0.0001,
  exponential_avg_factor: float = 1.0, num_side_inputs: int >= 0 = 0,
  activation_mode: string = "Identity", data_format: string in ["NHWC", "NCHW"] = "NHWC",
  is_training: bool = true
# Convolution, pooling, normalisation, resizing
Conv2D(input: T, filter: T) -> output: T; T: type, strides: list(int),
  use_cudnn_on_gpu: bool = true, padding: string in ["SAME", "VALID", "EXPLICIT"],
  explicit_paddings: list(int) = [], data_format: string in ["NHWC", "NCHW"] = "NHWC",
  dilations: list(int) = [1, 1, 1, 1]
Conv3D(input: T, filter: T) -> output: T; T: type, strides: list(int) >= 5,
  padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC", "NCDHW"] = "NDHWC",
  dilations: list(int) = [1, 1, 1, 1, 1]
Conv(input: T, filter: T) -> output: T; T: type, strides: list(int), padding: string in ["SAME",
  "VALID", "EXPLICIT"], explicit_paddings: list(int) = [],
  data_format: string in ["CHANNELS_FIRST", "CHANNELS_LAST"] = "CHANNELS_LAST",
  dilations: list(int) = [], batch_dims: int = 1, groups: int = 1
DepthwiseConv2dNative(input: T, filter: T) -> output: T; T: type, strides: list(int),
  padding: string in ["SAME", "VALID", "EXPLICIT"], explicit_paddings: list(int) = [],
  data_format: string in ["NHWC", "NCHW"] = "NHWC", dilations: list(int) = [1, 1, 1, 1]
Conv2DBackpropInput(input_sizes: int32, filter: T, out_backprop: T) -> output: T; T: type,
  strides: list(int), use_cudnn_on_gpu: bool = true, padding: string in ["SAME", "VALID",
  "EXPLICIT"], explicit_paddings: list(int) = [], data_format: string in ["NHWC",
  "NCHW"] = "NHWC", dilations: list(int) = [1, 1, 1, 1]
Conv2DBackpropInputV2(input: T, filter: T, out_backprop: T) -> output: T; T: type,
  strides: list(int), use_cudnn_on_gpu: bool = true, padding: string in ["SAME", "VALID",
  "EXPLICIT"], explicit_paddings: list(int) = [], data_format: string in ["NHWC",
  "NCHW"] = "NHWC", dilations: list(int) = [1, 1, 1, 1]
Conv2DBackpropFilter(input: T, filter_sizes: int32, out_backprop: T) -> output: T; T: type,
  strides: list(int), use_cudnn_on_gpu: bool = true, padding: string in ["SAME", "VALID",
  "EXPLICIT"], explicit_paddings: list(int) = [], data_format: string in ["NHWC",
  "NCHW"] = "NHWC", dilations: list(int) = [1, 1, 1, 1]
Conv3DBackpropInput(input: T, filter: T, out_backprop: T) -> output: T; T: type,
  strides: list(int) >= 5, padding: string in ["SAME", "VALID"], dilations: list(int) = [1, 1, 1,
  1, 1]
Conv3DBackpropInputV2(input_sizes: Tshape, filter: T, out_backprop: T) -> output: T; T: type,
  strides: list(int) >= 5, padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC",
  "NCDHW"] = "NDHWC", dilations: list(int) = [1, 1, 1, 1, 1], Tshape: type = int32
Conv3DBackpropFilterV2(input: T, filter_sizes: int32, out_backprop: T) -> output: T; T: type,
  strides: list(int) >= 5, padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC",
  "NCDHW"] = "NDHWC", dilations: list(int) = [1, 1, 1, 1, 1]
DepthwiseConv2dNativeBackpropInput(input_sizes: int32, filter: T, out_backprop: T) -> output: T;
  T: type, strides: list(int), padding: string in ["SAME", "VALID", "EXPLICIT"],
  explicit_paddings: list(int) = [], data_format: string in ["NHWC", "NCHW"] = "NHWC",
  dilations: list(int) = [1, 1, 1, 1]
DepthwiseConv2dNativeBackpropFilter(input: T, filter_sizes: int32, out_backprop: T) -> output: T;
  T: type, strides: list(int), padding: string in ["SAME", "VALID", "EXPLICIT"],
  explicit_paddings: list(int) = [], data_format: string in ["NHWC", "NCHW"] = "NHWC",
  dilations: list(int) = [1, 1, 1, 1]
Dilation2D(input: T, filter: T) -> output: T; T: type, strides: list(int) >= 4,
  rates: list(int) >= 4, padding: string in ["SAME", "VALID"]
MaxPool(input: T) -> output: T; T: type = float32, ksize: list(int) >= 4, strides: list(int) >= 4,
  padding: string in ["SAME", "VALID", "EXPLICIT"], explicit_paddings: list(int) = [],
  data_format: string in ["NHWC", "NCHW", "NCHW_VECT_C"] = "NHWC"
MaxPoolV2(input: T, ksize: int32, strides: int32) -> output: T; T: type = float32,
  padding: string in ["SAME", "VALID"], data_format: string in ["NHWC", "NCHW",
  "NCHW_VECT_C"] = "NHWC"
MaxPool3D(input: T) -> output: T; ksize: list(int) >= 5, strides: list(int) >= 5,
  padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC", "NCDHW"] = "NDHWC",
  T: type
MaxPoolWithArgmax(input: T) -> (output: T, argmax: Targmax); ksize: list(int) >= 4,
  strides: list(int) >= 4, Targmax: type = int64, padding: string in ["SAME", "VALID"],
  include_batch_in_index: bool = false, T: type
AvgPool(value: T) -> output: T; ksize: list(int) >= 4, strides: list(int) >= 4,
  padding: string in ["SAME", "VALID"], data_format: string in ["NHWC", "NCHW"] = "NHWC", T: type
AvgPool3D(input: T) -> output: T; ksize: list(int) >= 5, strides: list(int) >= 5,
  padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC", "NCDHW"] = "NDHWC",
  T: type
FractionalMaxPool(value: T) -> (output: T, row_pooling_sequence: int64,
  col_pooling_sequence: int64); pooling_ratio: list(float) >= 4, pseudo_random: bool = false,
  overlapping: bool = false, deterministic: bool = false, seed: int = 0, seed2: int = 0, T: type
FractionalAvgPool(value: T) -> (output: T, row_pooling_sequence: int64,
  col_pooling_sequence: int64); pooling_ratio: list(float) >= 4, pseudo_random: bool = false,
  overlapping: bool = false, deterministic: bool = false, seed: int = 0, seed2: int = 0, T: type
FusedBatchNorm(x: T, scale: T, offset: T, mean: T, variance: T) -> (y: T, batch_mean: T,
  batch_variance: T, reserve_space_1: T, reserve_space_2: T); T: type, epsilon: float = 0.0001,
  exponential_avg_factor: float = 1.0, data_format: string in ["NHWC", "NCHW"] = "NHWC",
  is_training: bool = true
FusedBatchNormV2(x: T, scale: U, offset: U, mean: U, variance: U) -> (y: T, batch_mean: U,
  batch_variance: U, reserve_space_1: U, reserve_space_2: U); T: type, U: type,
  epsilon: float = 0.0001, exponential_avg_factor: float = 1.0, data_format: string in ["NHWC",
  "NCHW"] = "NHWC", is_training: bool = true
FusedBatchNormV3(x: T, scale: U, offset: U, mean: U, variance: U) -> (y: T, batch_mean: U,
  batch_variance: U, reserve_space_1: U, reserve_space_2: U, reserve_space_3: U); T: type,
  U: type, epsilon: float = 0.0001, exponential_avg_factor: float = 1.0,
  data_format: string in ["NHWC", "NCHW", "NDHWC", "NCDHW"] = "NHWC", is_training: bool = true
BatchNormWithGlobalNormalization(t: T, m: T, v: T, beta: T, gamma: T) -> result: T; T: type,
  variance_epsilon: float, scale_after_normalization: bool
LRN(input: T) -> output: T; depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0,
  beta: float = 0.5, T: type = float32
L2Loss(t: T) -> output: T; T: type
Softmax(logits: T) -> softmax: T; T: type
LogSoftmax(logits: T) -> logsoftmax: T; T: type
DataFormatDimMap(x: T) -> y: T; T: type = int32, src_format: string = "NHWC",
  dst_format: string = "NCHW"
DataFormatVecPermute(x: T) -> y: T; T: type = int32, src_format: string = "NHWC",
  dst_format: string = "NCHW"
ResizeBilinear(images: T, size: int32) -> resized_images: float32; T: type,
  align_corners: bool = false, half_pixel_centers: bool = false
ResizeNearestNeighbor(images: T, size: int32) -> resized_images: T; T: type,
  align_corners: bool = false, half_pixel_centers: bool = false
ResizeBicubic(images: T, size: int32) -> resized_images: float32; T: type,
  align_corners: bool = false, half_pixel_centers: bool = false
ResizeArea(images: T, size: int32) -> resized_images: float32; T: type,
  align_corners: bool = false
ScaleAndTranslate(images: T, size: int32, scale: float32,
  translation: float32) -> resized_images: float32; T: type, kernel_type: string = "lanczos3",
  antialias: bool = true
CropAndResize(image: T, boxes: float32, box_ind: int32, crop_size: int32) -> crops: float32;
  T: type, method: string in ["bilinear", "nearest"] = "bilinear",
  extrapolation_value: float = 0.0
ImageProjectiveTransformV2(images: dtype, transforms: float32,
  output_shape: int32) -> transformed_images: dtype; dtype: type, interpolation: string,
  fill_mode: string = "CONSTANT"
ImageProjectiveTransformV3(images: dtype, transforms: float32, output_shape: int32,
  fill_value: float32) -> transformed_images: dtype; dtype: type, interpolation: string,
  fill_mode: string = "CONSTANT"
ExtractImagePatches(images: T) -> patches: T; ksizes: list(int) >= 4, strides: list(int) >= 4,
  rates: list(int) >= 4, T: type, padding: string in ["SAME", "VALID"]
ExtractVolumePatches(input: T) -> patches: T; ksizes: list(int) >= 5, strides: list(int) >= 5,
  T: type, padding: string in ["SAME", "VALID"]
AdjustContrastv2(images: T, contrast_factor: float32) -> output: T; T: type = float32
AdjustHue(images: T, delta: float32) -> output: T; T: type = float32
AdjustSaturation(images: T, scale: float32) -> output: T; T: type = float32
RGBToHSV(images: T) -> output: T; T: type = float32
HSVToRGB(images: T) -> output: T; T: type = float32
DecodeJpeg(contents: string) -> image: uint8; channels: int = 0, ratio: int = 1,
  fancy_upscaling: bool = true, try_recover_truncated: bool = false,
  acceptable_fraction: float = 1.0, dct_method: string = ""
DecodePng(contents: string) -> image: dtype; channels: int = 0, dtype: type = uint8
DecodeImage(contents: string) -> image: dtype; channels: int = 0, dtype: type = uint8,
  expand_animations: bool = true
DecodeBase64(input: string) -> output: string
EncodeBase64(input: string) -> output: string; pad: bool = false
DecodeRaw(bytes: string) -> output: out_type; out_type: type, little_endian: bool = true
NonMaxSuppression(boxes: float32, scores: float32,
  max_output_size: int32) -> selected_indices: int32; iou_threshold: float = 0.5
NonMaxSuppressionV2(boxes: T, scores: T, max_output_size: int32,
  iou_threshold: T_threshold) -> selected_indices: int32; T: type = float32,
  T_threshold: type = float32
NonMaxSuppressionV3(boxes: T, scores: T, max_output_size: int32, iou_threshold: T_threshold,
  score_threshold: T_threshold) -> selected_indices: int32; T: type = float32,
  T_threshold: type = float32
NonMaxSuppressionV4(boxes: T, scores: T, max_output_size: int32, iou_threshold: T_threshold,
  score_threshold: T_threshold) -> (selected_indices: int32, valid_outputs: int32);
  T: type = float32, T_threshold: type = float32, pad_to_max_output_size: bool = false
NonMaxSuppressionV5(boxes: T, scores: T, max_output_size: int32, iou_threshold: T,
  score_threshold: T, soft_nms_sigma: T) -> (selected_indices: int32, selected_scores: T,
  valid_outputs: int32); T: type = float32, pad_to_max_output_size: bool = false
CombinedNonMaxSuppression(boxes: float32, scores: float32, max_output_size_per_class: int32,
  max_total_size: int32, iou_threshold: float32,
  score_threshold: float32) -> (nmsed_boxes: float32, nmsed_scores: float32,
  nmsed_classes: float32, valid_detections: int32); pad_per_class: bool = false,
  clip_boxes: bool = true
# Reductions and scans
All(input: bool, reduction_indices: Tidx) -> output: bool; keep_dims: bool = false,
  Tidx: type = int32
Any(input: bool, reduction_indices: Tidx) -> output: bool; keep_dims: bool = false,
  Tidx: type = int32
Max(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
Mean(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
Min(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
Prod(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
Sum(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
EuclideanNorm(input: T, reduction_indices: Tidx) -> output: T; keep_dims: bool = false, T: type,
  Tidx: type = int32
ArgMax(input: T, dimension: Tidx) -> output: output_type; T: type, Tidx: type = int32,
  output_type: type = int64
ArgMin(input: T, dimension: Tidx) -> output: output_type; T: type, Tidx: type = int32,
  output_type: type = int64
Cumsum(x: T, axis: Tidx) -> out: T; exclusive: bool = false, reverse: bool = false, T: type,
  Tidx: type = int32
Cumprod(x: T, axis: Tidx) -> out: T; exclusive: bool = false, reverse: bool = false, T: type,
  Tidx: type = int32
CumulativeLogsumexp(x: T, axis: Tidx) -> out: T; exclusive: bool = false, reverse: bool = false,
  T: type, Tidx: type = int32
Bincount(arr: int32, size: int32, weights: T) -> bins: T; T: type
DenseBincount(input: Tidx, size: Tidx, weights: T) -> output: T; Tidx: type, T: type,
  binary_output: bool = false
RaggedBincount(splits: int64, values: Tidx, size: Tidx, weights: T) -> output: T; Tidx: type,
  T: type, binary_output: bool = false
SparseBincount(indices: int64, values: Tidx, dense_shape: int64, size: Tidx,
  weights: T) -> output: T; Tidx: type, T: type, binary_output: bool = false
SegmentSum(data: T, segment_ids: Tindices) -> output: T; T: type, Tindices: type
SegmentMean(data: T, segment_ids: Tindices) -> output: T; T: type, Tindices: type
SegmentMax(data: T, segment_ids: Tindices) -> output: T; T: type, Tindices: type
SegmentMin(data: T, segment_ids: Tindices) -> output: T; T: type, Tindices: type
SegmentProd(data: T, segment_ids: Tindices) -> output: T; T: type, Tindices: type
UnsortedSegmentSum(data: T, segment_ids: Tindices, num_segments: Tnumsegments) -> output: T;
  T: type, Tindices: type, Tnumsegments: type = int32
UnsortedSegmentMax(data: T, segment_ids: Tindices, num_segments: Tnumsegments) -> output: T;
  T: type, Tindices: type, Tnumsegments: type = int32
UnsortedSegmentMin(data: T, segment_ids: Tindices, num_segments: Tnumsegments) -> output: T;
  T: type, Tindices: type, Tnumsegments: type = int32
UnsortedSegmentProd(data: T, segment_ids: Tindices, num_segments: Tnumsegments) -> output: T;
  T: type, Tindices: type, Tnumsegments: type = int32
SparseSegmentSum(data: T, indices: Tidx, segment_ids: Tsegmentids) -> output: T; T: type,
  Tidx: type = int32, Tsegmentids: type = int32, sparse_gradient: bool = false
SparseSegmentMean(data: T, indices: Tidx, segment_ids: Tsegmentids) -> output: T; T: type,
  Tidx: type = int32, Tsegmentids: type = int32, sparse_gradient: bool = false
SparseSegmentSqrtN(data: T, indices: Tidx, segment_ids: Tsegmentids) -> output: T; T: type,
  Tidx: type = int32, Tsegmentids: type = int32, sparse_gradient: bool = false
TopK(input: T) -> (values: T, indices: int32); k: int >= 0, sorted: bool = true, T: type
TopKV2(input: T, k: Tk) -> (values: T, indices: index_type); sorted: bool = true, T: type,
  Tk: type = int32, index_type: type = int32
NthElement(input: T, n: int32) -> values: T; reverse: bool = false, T: type
InTopK(predictions: float32, targets: T) -> precision: bool; k: int, T: type = int32
InTopKV2(predictions: float32, targets: T, k: T) -> precision: bool; T: type = int32
# Shapes, slices, layout
Shape(input: T) -> output: out_type; T: type, out_type: type = int32
ShapeN(input: N * T) -> output: N * out_type; N: int >= 1, T: type, out_type: type = int32
Size(input: T) -> output: out_type; T: type, out_type: type = int32
Rank(input: T) -> output: int32; T: type
Reshape(tensor: T, shape: Tshape) -> output: T; T: type, Tshape: type = int32
Squeeze(input: T) -> output: T; T: type, squeeze_dims: list(int) >= 0 = []
ExpandDims(input: T, dim: Tdim) -> output: T; T: type, Tdim: type = int32
Fill(dims: index_type, value: T) -> output: T; T: type, index_type: type = int32
Range(start: Tidx, limit: Tidx, delta: Tidx) -> output: Tidx; Tidx: type = int32
LinSpace(start: T, stop: T, num: Tidx) -> output: T; T: type, Tidx: type = int32
BroadcastTo(input: T, shape: Tidx) -> output: T; T: type, Tidx: type = int32
BroadcastArgs(s0: T, s1: T) -> r0: T; T: type = int32
BroadcastGradientArgs(s0: T, s1: T) -> (r0: T, r1: T); T: type = int32
Concat(concat_dim: int32, values: N * T) -> output: T; N: int >= 2, T: type
ConcatV2(values: N * T, axis: Tidx) -> output: T; N: int >= 2, T: type, Tidx: type = int32
ConcatOffset(concat_dim: int32, shape: N * shape_type) -> offset: N * shape_type; N: int >= 2,
  shape_type: type = int32
Pack(values: N * T) -> output: T; N: int >= 1, T: type, axis: int = 0
ParallelConcat(values: N * T) -> output: T; N: int >= 1, T: type, shape: shape
Unpack(value: T) -> output: num * T; num: int >= 0, T: type, axis: int = 0
Split(split_dim: int32, value: T) -> output: num_split * T; num_split: int >= 1, T: type
SplitV(value: T, size_splits: Tlen, split_dim: int32) -> output: num_split * T;
  num_split: int >= 1, T: type, Tlen: type = int64
Slice(input: T, begin: Index, size: Index) -> output: T; T: type, Index: type
StridedSlice(input: T, begin: Index, end: Index, strides: Index) -> output: T; T: type,
  Index: type, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
  new_axis_mask: int = 0, shrink_axis_mask: int = 0
StridedSliceAssign(ref: ref T, begin: Index, end: Index, strides: Index,
  value: T) -> output_ref: ref T; T: type, Index: type, begin_mask: int = 0, end_mask: int = 0,
  ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0
TensorStridedSliceUpdate(input: T, begin: Index, end: Index, strides: Index,
  value: T) -> output: T; T: type, Index: type, begin_mask: int = 0, end_mask: int = 0,
  ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0
Tile(input: T, multiples: Tmultiples) -> output: T; T: type, Tmultiples: type = int32
Transpose(x: T, perm: Tperm) -> y: T; T: type, Tperm: type = int32
ConjugateTranspose(x: T, perm: Tperm) -> y: T; T: type, Tperm: type = int32
InvertPermutation(x: T) -> y: T; T: type = int32
Reverse(tensor: T, dims: bool) -> output: T; T: type
ReverseV2(tensor: T, axis: Tidx) -> output: T; Tidx: type = int32, T: type
ReverseSequence(input: T, seq_lengths: Tlen) -> output: T; seq_dim: int, batch_dim: int = 0,
  T: type, Tlen: type = int64
Roll(input: T, shift: Tshift, axis: Taxis) -> output: T; T: type, Tshift: type, Taxis: type
Pad(input: T, paddings: Tpaddings) -> output: T; T: type, Tpaddings: type = int32
PadV2(input: T, paddings: Tpaddings, constant_values: T) -> output: T; T: type,
  Tpaddings: type = int32
MirrorPad(input: T, paddings: Tpaddings) -> output: T; T: type, Tpaddings: type = int32,
  mode: string in ["REFLECT", "SYMMETRIC"]
SpaceToBatch(input: T, paddings: Tpaddings) -> output: T; T: type, Tpaddings: type = int32,
  block_size: int >= 2
BatchToSpace(input: T, crops: Tidx) -> output: T; T: type, block_size: int >= 2,
  Tidx: type = int32
SpaceToBatchND(input: T, block_shape: Tblock_shape, paddings: Tpaddings) -> output: T; T: type,
  Tblock_shape: type = int32, Tpaddings: type = int32
BatchToSpaceND(input: T, block_shape: Tblock_shape, crops: Tcrops) -> output: T; T: type,
  Tblock_shape: type = int32, Tcrops: type = int32
SpaceToDepth(input: T) -> output: T; T: type, block_size: int >= 2,
  data_format: string in ["NHWC", "NCHW", "NCHW_VECT_C"] = "NHWC"
DepthToSpace(input: T) -> output: T; T: type, block_size: int >= 2,
  data_format: string in ["NHWC", "NCHW", "NCHW_VECT_C"] = "NHWC"
OneHot(indices: TI, depth: int32, on_value: T, off_value: T) -> output: T; axis: int = -1,
  T: type, TI: type = int64
Empty(shape: int32) -> output: dtype; dtype: type, init: bool = false; stateful
# Gathering, scattering, searching
Gather(params: Tparams, indices: Tindices) -> output: Tparams; validate_indices: bool = true,
  Tparams: type, Tindices: type
GatherV2(params: Tparams, indices: Tindices, axis: Taxis) -> output: Tparams; batch_dims: int = 0,
  Tparams: type, Tindices: type, Taxis: type
GatherNd(params: Tparams, indices: Tindices) -> output: Tparams; Tparams: type, Tindices: type,
  bad_indices_policy: string = ""
ScatterNd(indices: Tindices, updates: T, shape: Tindices) -> output: T; T: type, Tindices: type,
  bad_indices_policy: string = ""
TensorScatterUpdate(tensor: T, indices: Tindices, updates: T) -> output: T; T: type,
  Tindices: type, bad_indices_policy: string = ""
TensorScatterAdd(tensor: T, indices: Tindices, updates: T) -> output: T; T: type, Tindices: type,
  bad_indices_policy: string = ""
TensorScatterSub(tensor: T, indices: Tindices, updates: T) -> output: T; T: type, Tindices: type,
  bad_indices_policy: string = ""
TensorScatterMax(tensor: T, indices: Tindices, updates: T) -> output: T; T: type, Tindices: type,
  bad_indices_policy: string = ""
TensorScatterMin(tensor: T, indices: Tindices, updates: T) -> output: T; T: type, Tindices: type,
  bad_indices_policy: string = ""
DynamicPartition(data: T, partitions: int32) -> outputs: num_partitions * T;
  num_partitions: int >= 1, T: type
DynamicStitch(indices: N * int32, data: N * T) -> merged: T; N: int >= 1, T: type
ParallelDynamicStitch(indices: N * int32, data: N * T) -> merged: T; N: int >= 1, T: type
Where(input: T) -> index: int64; T: type = bool
Unique(x: T) -> (y: T, idx: out_idx); T: type, out_idx: type = int32
UniqueV2(x: T, axis: Taxis) -> (y: T, idx: out_idx); T: type, Taxis: type = int64,
  out_idx: type = int32
UniqueWithCounts(x: T) -> (y: T, idx: out_idx, count: out_idx); T: type, out_idx: type = int32
UniqueWithCountsV2(x: T, axis: Taxis) -> (y: T, idx: out_idx, count: out_idx); T: type,
  Taxis: type = int64, out_idx: type = int32
ListDiff(x: T, y: T) -> (out: T, idx: out_idx); T: type, out_idx: type = int32
LowerBound(sorted_inputs: T, values: T) -> output: out_type; T: type, out_type: type = int32
UpperBound(sorted_inputs: T, values: T) -> output: out_type; T: type, out_type: type = int32
Bucketize(input: T) -> output: int32; T: type, boundaries: list(float)
# Random numbers
RandomUniform(shape: T) -> output: dtype; seed: int = 0, seed2: int = 0, dtype: type, T: type;
  stateful
RandomUniformInt(shape: T, minval: Tout, maxval: Tout) -> output: Tout; seed: int = 0,
  seed2: int = 0, Tout: type, T: type; stateful
RandomStandardNormal(shape: T) -> output: dtype; seed: int = 0, seed2: int = 0, dtype: type,
  T: type; stateful
TruncatedNormal(shape: T) -> output: dtype; seed: int = 0, seed2: int = 0, dtype: type, T: type;
  stateful
ParameterizedTruncatedNormal(shape: T, means: dtype, stdevs: dtype, minvals: dtype,
  maxvals: dtype) -> output: dtype; seed: int = 0, seed2: int = 0, dtype: type, T: type; stateful
RandomShuffle(value: T) -> output: T; seed: int = 0, seed2: int = 0, T: type; stateful
RandomGamma(shape: S, alpha: T) -> output: T; seed: int = 0, seed2: int = 0, S: type, T: type;
  stateful
Multinomial(logits: T, num_samples: int32) -> output: output_dtype; seed: int = 0, seed2: int = 0,
  T: type, output_dtype: type = int64; stateful
StatelessRandomUniform(shape: T, seed: Tseed) -> output: dtype; dtype: type = float32,
  T: type = int32, Tseed: type = int64
StatelessRandomUniformV2(shape: Tshape, key: uint64, counter: uint64,
  alg: int32) -> output: dtype; dtype: type = float32, Tshape: type = int32
StatelessRandomUniformInt(shape: T, seed: Tseed, minval: dtype, maxval: dtype) -> output: dtype;
  dtype: type, T: type, Tseed: type = int64
StatelessRandomUniformIntV2(shape: Tshape, key: uint64, counter: uint64, alg: int32,
  minval: dtype, maxval: dtype) -> output: dtype; dtype: type, Tshape: type = int32
StatelessRandomUniformFullInt(shape: T, seed: Tseed) -> output: dtype; dtype: type = uint64,
  T: type = int32, Tseed: type = int64
StatelessRandomUniformFullIntV2(shape: Tshape, key: uint64, counter: uint64,
  alg: int32) -> output: dtype; dtype: type = uint64, Tshape: type = int32
StatelessRandomNormal(shape: T, seed: Tseed) -> output: dtype; dtype: type = float32,
  T: type = int32, Tseed: type = int64
StatelessRandomNormalV2(shape: Tshape, key: uint64, counter: uint64, alg: int32) -> output: dtype;
  dtype: type = float32, Tshape: type = int32
StatelessTruncatedNormal(shape: T, seed: Tseed) -> output: dtype; dtype: type = float32,
  T: type = int32, Tseed: type = int64
StatelessTruncatedNormalV2(shape: Tshape, key: uint64, counter: uint64,
  alg: int32) -> output: dtype; dtype: type = float32, Tshape: type = int32
StatelessRandomGetKeyCounter(seed: Tseed) -> (key: uint64, counter: uint64); Tseed: type = int64
StatelessRandomGetAlg() -> alg: int32; stateful
StatelessRandomGetKeyCounterAlg(seed: Tseed) -> (key: uint64, counter: uint64, alg: int32);
  Tseed: type = int64
StatelessMultinomial(logits: T, num_samples: int32, seed: Tseed) -> output: output_dtype; T: type,
  Tseed: type = int64, output_dtype: type = int64
StatefulStandardNormalV2(resource: resource, algorithm: int64,
  shape: shape_dtype) -> output: dtype; dtype: type = float32, shape_dtype: type = int64; stateful
StatefulUniform(resource: resource, algorithm: int64, shape: shape_dtype) -> output: dtype;
  dtype: type = float32, shape_dtype: type = int64; stateful
StatefulUniformInt(resource: resource, algorithm: int64, shape: shape_dtype, minval: dtype,
  maxval: dtype) -> output: dtype; dtype: type = int64, shape_dtype: type = int64; stateful
StatefulUniformFullInt(resource: resource, algorithm: int64, shape: shape_dtype) -> output: dtype;
  dtype: type = uint64, shape_dtype: type = int64; stateful
StatefulTruncatedNormal(resource: resource, algorithm: int64,
  shape: shape_dtype) -> output: dtype; dtype: type = float32, shape_dtype: type = int64; stateful
RngSkip(resource: resource, algorithm: int64, delta: int64) -> (); stateful
RngReadAndSkip(resource: resource, alg: int32, delta: uint64) -> value: int64; stateful
# Fourier transforms
FFT(input: Tcomplex) -> output: Tcomplex; Tcomplex: type = complex64
IFFT(input: Tcomplex) -> output: Tcomplex; Tcomplex: type = complex64
FFT2D(input: Tcomplex) -> output: Tcomplex; Tcomplex: type = complex64
IFFT2D(input: Tcomplex) -> output: Tcomplex; Tcomplex: type = complex64
FFT3D(input: Tcomplex) -> output: Tcomplex; Tcomplex: type = complex64
RFFT(input: Treal, fft_length: int32) -> output: Tcomplex; Treal: type = float32,
  Tcomplex: type = complex64
IRFFT(input: Tcomplex, fft_length: int32) -> output: Treal; Treal: type = float32,
  Tcomplex: type = complex64
RFFT2D(input: Treal, fft_length: int32) -> output: Tcomplex; Treal: type = float32,
  Tcomplex: type = complex64
IRFFT2D(input: Tcomplex, fft_length: int32) -> output: Treal; Treal: type = float32,
  Tcomplex: type = complex64
# Tensor lists, tensor arrays, stacks
EmptyTensorList(element_shape: shape_type, max_num_elements: int32) -> handle: variant;
  element_dtype: type, shape_type: type
TensorListReserve(element_shape: shape_type, num_elements: int32) -> handle: variant;
  element_dtype: type, shape_type: type
TensorListFromTensor(tensor: element_dtype, element_shape: shape_type) -> output_handle: variant;
  element_dtype: type, shape_type: type
TensorListGetItem(input_handle: variant, index: int32,
  element_shape: Tshape) -> item: element_dtype; element_dtype: type, Tshape: type = int32
TensorListSetItem(input_handle: variant, index: int32,
  item: element_dtype) -> output_handle: variant; element_dtype: type,
  resize_if_index_out_of_bounds: bool = false
TensorListStack(input_handle: variant, element_shape: int32) -> tensor: element_dtype;
  element_dtype: type, num_elements: int = -1
TensorListLength(input_handle: variant) -> length: int32
TensorListElementShape(input_handle: variant) -> element_shape: shape_type; shape_type: type
TensorListPushBack(input_handle: variant, tensor: element_dtype) -> output_handle: variant;
  element_dtype: type
TensorListPopBack(input_handle: variant, element_shape: int32) -> (output_handle: variant,
  tensor: element_dtype); element_dtype: type
TensorListConcat(input_handle: variant) -> (tensor: element_dtype, lengths: int64);
  element_dtype: type, element_shape: shape = ?
TensorListConcatV2(input_handle: variant, element_shape: shape_type,
  leading_dims: int64) -> (tensor: element_dtype, lengths: int64); element_dtype: type,
  shape_type: type
TensorListGather(input_handle: variant, indices: int32,
  element_shape: int32) -> values: element_dtype; element_dtype: type
TensorListScatter(tensor: element_dtype, indices: int32,
  element_shape: shape_type) -> output_handle: variant; element_dtype: type, shape_type: type
TensorListScatterV2(tensor: element_dtype, indices: int32, element_shape: shape_type,
  num_elements: int32) -> output_handle: variant; element_dtype: type, shape_type: type
TensorListResize(input_handle: variant, size: int32) -> output_handle: variant
TensorListSplit(tensor: element_dtype, element_shape: shape_type,
  lengths: int64) -> output_handle: variant; element_dtype: type, shape_type: type
TensorMapHasKey(input_handle: variant, key: key_dtype) -> has_key: bool; key_dtype: type
TensorArrayV2(size: int32) -> handle: string; dtype: type, element_shape: shape = ?,
  dynamic_size: bool = false, clear_after_read: bool = true, tensor_array_name: string = "";
  stateful
TensorArrayWriteV2(handle: string, index: int32, value: T, flow_in: float32) -> flow_out: float32;
  T: type
TensorArrayReadV2(handle: string, index: int32, flow_in: float32) -> value: dtype; dtype: type
TensorArrayGatherV2(handle: string, indices: int32, flow_in: float32) -> value: dtype;
  dtype: type, element_shape: shape = ?
TensorArrayScatterV2(handle: string, indices: int32, value: T,
  flow_in: float32) -> flow_out: float32; T: type
TensorArraySizeV2(handle: string, flow_in: float32) -> size: int32
TensorArrayConcatV2(handle: string, flow_in: float32) -> (value: dtype, lengths: int64);
  dtype: type, element_shape_except0: shape = ?
TensorArraySplitV2(handle: string, value: T, lengths: int64,
  flow_in: float32) -> flow_out: float32; T: type
TensorArrayCloseV2(handle: string) -> ()
TensorArrayV3(size: int32) -> (handle: resource, flow: float32); dtype: type,
  element_shape: shape = ?, dynamic_size: bool = false, clear_after_read: bool = true,
  identical_element_shapes: bool = false, tensor_array_name: string = ""; stateful
TensorArrayGradV3(handle: resource, flow_in: float32) -> (grad_handle: resource,
  flow_out: float32); source: string; stateful
TensorArrayWriteV3(handle: resource, index: int32, value: T,
  flow_in: float32) -> flow_out: float32; T: type; stateful
TensorArrayReadV3(handle: resource, index: int32, flow_in: float32) -> value: dtype; dtype: type;
  stateful
TensorArrayGatherV3(handle: resource, indices: int32, flow_in: float32) -> value: dtype;
  dtype: type, element_shape: shape = ?; stateful
TensorArrayScatterV3(handle: resource, indices: int32, value: T,
  flow_in: float32) -> flow_out: float32; T: type; stateful
TensorArraySizeV3(handle: resource, flow_in: float32) -> size: int32; stateful
TensorArrayConcatV3(handle: resource, flow_in: float32) -> (value: dtype, lengths: int64);
  dtype: type, element_shape_except0: shape = ?; stateful
TensorArraySplitV3(handle: resource, value: T, lengths: int64,
  flow_in: float32) -> flow_out: float32; T: type; stateful
TensorArrayCloseV3(handle: resource) -> (); stateful
StackV2(max_size: int32) -> handle: resource; elem_type: type, stack_name: string = ""; stateful
StackPushV2(handle: resource, elem: T) -> output: T; T: type, swap_memory: bool = false; stateful
StackPopV2(handle: resource) -> elem: elem_type; elem_type: type; stateful
# Recurrent cells
LSTMBlockCell(x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T) -> (i: T, cs: T,
  f: T, o: T, ci: T, co: T, h: T); forget_bias: float = 1.0, cell_clip: float = 3.0,
  use_peephole: bool = false, T: type
BlockLSTM(seq_len_max: int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T,
  b: T) -> (i: T, cs: T, f: T, o: T, ci: T, co: T, h: T); forget_bias: float = 1.0,
  cell_clip: float = 3.0, use_peephole: bool = false, T: type
BlockLSTMV2(seq_len_max: int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T,
  b: T) -> (i: T, cs: T, f: T, o: T, ci: T, co: T, h: T); cell_clip: float = 0.0,
  use_peephole: bool = false, T: type
GRUBlockCell(x: T, h_prev: T, w_ru: T, w_c: T, b_ru: T, b_c: T) -> (r: T, u: T, c: T, h: T);
  T: type
CudnnRNN(input: T, input_h: T, input_c: T, params: T) -> (output: T, output_h: T, output_c: T,
  reserve_space: T); T: type, rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm",
  "gru"] = "lstm", input_mode: string in ["linear_input", "skip_input",
  "auto_select"] = "linear_input", direction: string in ["unidirectional",
  "bidirectional"] = "unidirectional", dropout: float = 0.0, seed: int = 0, seed2: int = 0,
  is_training: bool = true; stateful
CudnnRNNV2(input: T, input_h: T, input_c: T, params: T) -> (output: T, output_h: T, output_c: T,
  reserve_space: T, host_reserved: int8); T: type, rnn_mode: string in ["rnn_relu", "rnn_tanh",
  "lstm", "gru"] = "lstm", input_mode: string in ["linear_input", "skip_input",
  "auto_select"] = "linear_input", direction: string in ["unidirectional",
  "bidirectional"] = "unidirectional", dropout: float = 0.0, seed: int = 0, seed2: int = 0,
  is_training: bool = true; stateful
CudnnRNNV3(input: T, input_h: T, input_c: T, params: T, sequence_lengths: int32) -> (output: T,
  output_h: T, output_c: T, reserve_space: T, host_reserved: int8); T: type,
  rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm", "gru"] = "lstm",
  input_mode: string in ["linear_input", "skip_input", "auto_select"] = "linear_input",
  direction: string in ["unidirectional", "bidirectional"] = "unidirectional",
  dropout: float = 0.0, seed: int = 0, seed2: int = 0, num_proj: int = 0,
  is_training: bool = true, time_major: bool = true; stateful
CudnnRNNParamsSize(num_layers: int32, num_units: int32, input_size: int32) -> params_size: S;
  T: type, S: type, rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm", "gru"] = "lstm",
  input_mode: string in ["linear_input", "skip_input", "auto_select"] = "linear_input",
  direction: string in ["unidirectional", "bidirectional"] = "unidirectional",
  dropout: float = 0.0, seed: int = 0, seed2: int = 0, num_proj: int = 0
CudnnRNNCanonicalToParams(num_layers: int32, num_units: int32, input_size: int32,
  weights: num_params * T, biases: num_params * T) -> params: T; T: type, num_params: int >= 1,
  rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm", "gru"] = "lstm",
  input_mode: string in ["linear_input", "skip_input", "auto_select"] = "linear_input",
  direction: string in ["unidirectional", "bidirectional"] = "unidirectional",
  dropout: float = 0.0, seed: int = 0, seed2: int = 0
CudnnRNNParamsToCanonical(num_layers: int32, num_units: int32, input_size: int32,
  params: T) -> (weights: num_params * T, biases: num_params * T); T: type, num_params: int >= 1,
  rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm", "gru"] = "lstm",
  input_mode: string in ["linear_input", "skip_input", "auto_select"] = "linear_input",
  direction: string in ["unidirectional", "bidirectional"] = "unidirectional",
  dropout: float = 0.0, seed: int = 0, seed2: int = 0
CudnnRNNBackprop(input: T, input_h: T, input_c: T, params: T, output: T, output_h: T, output_c: T,
  output_backprop: T, output_h_backprop: T, output_c_backprop: T,
  reserve_space: T) -> (input_backprop: T, input_h_backprop: T, input_c_backprop: T,
  params_backprop: T); T: type, rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm",
  "gru"] = "lstm", input_mode: string in ["linear_input", "skip_input",
  "auto_select"] = "linear_input", direction: string in ["unidirectional",
  "bidirectional"] = "unidirectional", dropout: float = 0.0, seed: int = 0, seed2: int = 0;
  stateful
CudnnRNNBackpropV2(input: T, input_h: T, input_c: T, params: T, output: T, output_h: T,
  output_c: T, output_backprop: T, output_h_backprop: T, output_c_backprop: T, reserve_space: T,
  host_reserved: int8) -> (input_backprop: T, input_h_backprop: T, input_c_backprop: T,
  params_backprop: T); T: type, rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm",
  "gru"] = "lstm", input_mode: string in ["linear_input", "skip_input",
  "auto_select"] = "linear_input", direction: string in ["unidirectional",
  "bidirectional"] = "unidirectional", dropout: float = 0.0, seed: int = 0, seed2: int = 0;
  stateful
CudnnRNNBackpropV3(input: T, input_h: T, input_c: T, params: T, sequence_lengths: int32,
  output: T, output_h: T, output_c: T, output_backprop: T, output_h_backprop: T,
  output_c_backprop: T, reserve_space: T, host_reserved: int8) -> (input_backprop: T,
  input_h_backprop: T, input_c_backprop: T, params_backprop: T); T: type,
  rnn_mode: string in ["rnn_relu", "rnn_tanh", "lstm", "gru"] = "lstm",
  input_mode: string in ["linear_input", "skip_input", "auto_select"] = "linear_input",
  direction: string in ["unidirectional", "bidirectional"] = "unidirectional",
  dropout: float = 0.0, seed: int = 0, seed2: int = 0, num_proj: int = 0, time_major: bool = true;
  stateful
CTCLoss(inputs: T, labels_indices: int64, labels_values: int32,
  sequence_length: int32) -> (loss: T, gradient: T); preprocess_collapse_repeated: bool = false,
  ctc_merge_repeated: bool = true, ignore_longer_outputs_than_inputs: bool = false,
  T: type = float32
CTCLossV2(inputs: float32, labels_indices: int64, labels_values: int32,
  sequence_length: int32) -> (loss: float32, gradient: float32);
  preprocess_collapse_repeated: bool = false, ctc_merge_repeated: bool = true,
  ignore_longer_outputs_than_inputs: bool = false
CTCGreedyDecoder(inputs: T, sequence_length: int32) -> (decoded_indices: int64,
  decoded_values: int64, decoded_shape: int64, log_probability: T); merge_repeated: bool = false,
  blank_index: int = -1, T: type = float32
CTCBeamSearchDecoder(inputs: T, sequence_length: int32) -> (decoded_indices: top_paths * int64,
  decoded_values: top_paths * int64, decoded_shape: top_paths * int64, log_probability: T);
  beam_width: int >= 1, top_paths: int >= 1, merge_repeated: bool = true, T: type = float32
# Tables, strings, sparse and ragged tensors
HashTable() -> table_handle: ref string; container: string = "", shared_name: string = "",
  use_node_name_sharing: bool = false, key_dtype: type, value_dtype: type; stateful
HashTableV2() -> table_handle: resource; container: string = "", shared_name: string = "",
  use_node_name_sharing: bool = false, key_dtype: type, value_dtype: type; stateful
MutableHashTable() -> table_handle: ref string; container: string = "", shared_name: string = "",
  use_node_name_sharing: bool = false, key_dtype: type, value_dtype: type; stateful
MutableHashTableV2() -> table_handle: resource; container: string = "", shared_name: string = "",
  use_node_name_sharing: bool = false, key_dtype: type, value_dtype: type; stateful
MutableDenseHashTableV2(empty_key: key_dtype, deleted_key: key_dtype) -> table_handle: resource;
  container: string = "", shared_name: string = "", use_node_name_sharing: bool = false,
  key_dtype: type, value_dtype: type, value_shape: shape = [], initial_num_buckets: int = 131072,
  max_load_factor: float = 0.8; stateful
AnonymousHashTable() -> table_handle: resource; key_dtype: type, value_dtype: type; stateful
AnonymousMutableHashTable() -> table_handle: resource; key_dtype: type, value_dtype: type;
  stateful
LookupTableFind(table_handle: ref string, keys: Tin, default_value: Tout) -> values: Tout;
  Tin: type, Tout: type
LookupTableFindV2(table_handle: resource, keys: Tin, default_value: Tout) -> values: Tout;
  Tin: type, Tout: type; stateful
LookupTableInsertV2(table_handle: resource, keys: Tin, values: Tout) -> (); Tin: type, Tout: type;
  stateful
LookupTableSize(table_handle: ref string) -> size: int64
LookupTableSizeV2(table_handle: resource) -> size: int64; stateful
LookupTableExport(table_handle: ref string) -> (keys: Tkeys, values: Tvalues); Tkeys: type,
  Tvalues: type
LookupTableExportV2(table_handle: resource) -> (keys: Tkeys, values: Tvalues); Tkeys: type,
  Tvalues: type; stateful
LookupTableImport(table_handle: ref string, keys: Tin, values: Tout) -> (); Tin: type, Tout: type
LookupTableImportV2(table_handle: resource, keys: Tin, values: Tout) -> (); Tin: type, Tout: type;
  stateful
LookupTableRemoveV2(table_handle: resource, keys: Tin) -> (); Tin: type; stateful
InitializeTable(table_handle: ref string, keys: Tkey, values: Tval) -> (); Tkey: type, Tval: type
InitializeTableV2(table_handle: resource, keys: Tkey, values: Tval) -> (); Tkey: type, Tval: type;
  stateful
InitializeTableFromTextFile(table_handle: ref string, filename: string) -> ();
  key_index: int >= -2, value_index: int >= -2, vocab_size: int >= -1 = -1,
  delimiter: string = "\t", offset: int = 0
InitializeTableFromTextFileV2(table_handle: resource, filename: string) -> ();
  key_index: int >= -2, value_index: int >= -2, vocab_size: int >= -1 = -1,
  delimiter: string = "\t", offset: int = 0; stateful
AsString(input: T) -> output: string; T: type, precision: int = -1, scientific: bool = false,
  shortest: bool = false, width: int = -1, fill: string = ""
StringJoin(inputs: N * string) -> output: string; N: int >= 0, separator: string = ""
StringLength(input: string) -> output: int32; unit: string in ["BYTE", "UTF8_CHAR"] = "BYTE"
StringLower(input: string) -> output: string; encoding: string = ""
StringUpper(input: string) -> output: string; encoding: string = ""
StringStrip(input: string) -> output: string
StringSplit(input: string, delimiter: string) -> (indices: int64, values: string, shape: int64);
  skip_empty: bool = true
StringSplitV2(input: string, sep: string) -> (indices: int64, values: string, shape: int64);
  maxsplit: int = -1
StringFormat(inputs: T) -> output: string; T: list(type) >= 0, template: string = "%s",
  placeholder: string = "%s", summarize: int = 3
StringToNumber(string_tensor: string) -> output: out_type; out_type: type = float32
StringToHashBucket(string_tensor: string) -> output: int64; num_buckets: int >= 1
StringToHashBucketFast(input: string) -> output: int64; num_buckets: int >= 1
StringToHashBucketStrong(input: string) -> output: int64; num_buckets: int >= 1, key: list(int)
Substr(input: string, pos: T, len: T) -> output: string; T: type, unit: string in ["BYTE",
  "UTF8_CHAR"] = "BYTE"
ReduceJoin(inputs: string, reduction_indices: int32) -> output: string; keep_dims: bool = false,
  separator: string = ""
RegexReplace(input: string, pattern: string, rewrite: string) -> output: string;
  replace_global: bool = true
StaticRegexReplace(input: string) -> output: string; pattern: string, rewrite: string,
  replace_global: bool = true
RegexFullMatch(input: string, pattern: string) -> output: bool
StaticRegexFullMatch(input: string) -> output: bool; pattern: string
StringNGrams(data: string, data_splits: Tsplits) -> (ngrams: string, ngrams_splits: Tsplits);
  separator: string, ngram_widths: list(int) >= 0, left_pad: string, right_pad: string,
  pad_width: int, preserve_short_sequences: bool, Tsplits: type = int64
UnicodeDecode(input: string) -> (row_splits: Tsplits, char_values: int32); input_encoding: string,
  errors: string in ["strict", "replace", "ignore"] = "replace", replacement_char: int = 65533,
  replace_control_characters: bool = false, Tsplits: type = int64
UnicodeDecodeWithOffsets(input: string) -> (row_splits: Tsplits, char_values: int32,
  char_to_byte_starts: int64); input_encoding: string, errors: string in ["strict", "replace",
  "ignore"] = "replace", replacement_char: int = 65533, replace_control_characters: bool = false,
  Tsplits: type = int64
UnicodeEncode(input_values: int32, input_splits: Tsplits) -> output: string;
  errors: string in ["ignore", "replace", "strict"] = "replace",
  output_encoding: string in ["UTF-8", "UTF-16-BE", "UTF-32-BE"], replacement_char: int = 65533,
  Tsplits: type = int64
UnicodeScript(input: int32) -> output: int32
UnicodeTranscode(input: string) -> output: string; input_encoding: string,
  output_encoding: string in ["UTF-8", "UTF-16-BE", "UTF-32-BE"], errors: string in ["strict",
  "replace", "ignore"] = "replace", replacement_char: int = 65533,
  replace_control_characters: bool = false
UnsortedSegmentJoin(inputs: string, segment_ids: Tindices,
  num_segments: Tnumsegments) -> output: string; separator: string = "", Tindices: type,
  Tnumsegments: type = int32
ParseExample(serialized: string, names: string, sparse_keys: Nsparse * string,
  dense_keys: Ndense * string, dense_defaults: Tdense) -> (sparse_indices: Nsparse * int64,
  sparse_values: sparse_types, sparse_shapes: Nsparse * int64, dense_values: Tdense);
  Nsparse: int >= 0, Ndense: int >= 0, sparse_types: list(type) >= 0, Tdense: list(type) >= 0,
  dense_shapes: list(shape) >= 0
ParseExampleV2(serialized: string, names: string, sparse_keys: string, dense_keys: string,
  ragged_keys: string, dense_defaults: Tdense) -> (sparse_indices: num_sparse * int64,
  sparse_values: sparse_types, sparse_shapes: num_sparse * int64, dense_values: Tdense,
  ragged_values: ragged_value_types, ragged_row_splits: ragged_split_types);
  Tdense: list(type) >= 0, num_sparse: int >= 0, sparse_types: list(type) >= 0,
  ragged_value_types: list(type) >= 0, ragged_split_types: list(type) >= 0,
  dense_shapes: list(shape) >= 0
ParseSingleExample(serialized: string,
  dense_defaults: Tdense) -> (sparse_indices: num_sparse * int64, sparse_values: sparse_types,
  sparse_shapes: num_sparse * int64, dense_values: Tdense); num_sparse: int >= 0,
  sparse_keys: list(string) >= 0, dense_keys: list(string) >= 0, sparse_types: list(type) >= 0,
  Tdense: list(type) >= 0, dense_shapes: list(shape) >= 0
DecodeCSV(records: string, record_defaults: OUT_TYPE) -> output: OUT_TYPE;
  OUT_TYPE: list(type) >= 1, field_delim: string = ",", use_quote_delim: bool = true,
  na_value: string = "", select_cols: list(int) = []
SparseToDense(sparse_indices: Tindices, output_shape: Tindices, sparse_values: T,
  default_value: T) -> dense: T; validate_indices: bool = true, T: type, Tindices: type
SparseTensorDenseMatMul(a_indices: Tindices, a_values: T, a_shape: int64, b: T) -> product: T;
  T: type, Tindices: type = int64, adjoint_a: bool = false, adjoint_b: bool = false
SparseReorder(input_indices: int64, input_values: T,
  input_shape: int64) -> (output_indices: int64, output_values: T); T: type
SparseReshape(input_indices: int64, input_shape: int64,
  new_shape: int64) -> (output_indices: int64, output_shape: int64)
SparseConcat(indices: N * int64, values: N * T, shapes: N * int64) -> (output_indices: int64,
  output_values: T, output_shape: int64); concat_dim: int, N: int >= 2, T: type
SparseFillEmptyRows(indices: int64, values: T, dense_shape: int64,
  default_value: T) -> (output_indices: int64, output_values: T, empty_row_indicator: bool,
  reverse_index_map: int64); T: type
SparseCross(indices: N * int64, values: sparse_types, shapes: N * int64,
  dense_inputs: dense_types) -> (output_indices: int64, output_values: out_type,
  output_shape: int64); N: int >= 0, hashed_output: bool, num_buckets: int >= 0, hash_key: int,
  sparse_types: list(type) >= 0, dense_types: list(type) >= 0, out_type: type, internal_type: type
SparseCrossHashed(indices: N * int64, values: sparse_types, shapes: N * int64,
  dense_inputs: dense_types, num_buckets: int64, strong_hash: bool,
  salt: int64) -> (output_indices: int64, output_values: int64, output_shape: int64); N: int >= 0,
  sparse_types: list(type) >= 0, dense_types: list(type) >= 0
SparseCrossV2(indices: N * int64, values: sparse_types, shapes: N * int64,
  dense_inputs: dense_types, sep: string) -> (output_indices: int64, output_values: string,
  output_shape: int64); N: int >= 0, sparse_types: list(type) >= 0, dense_types: list(type) >= 0
SparseReduceSum(input_indices: int64, input_values: T, input_shape: int64,
  reduction_axes: int32) -> output: T; keep_dims: bool = false, T: type
SparseAdd(a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T,
  b_shape: int64, thresh: Treal) -> (sum_indices: int64, sum_values: T, sum_shape: int64);
  T: type, Treal: type
SparseSlice(indices: int64, values: T, shape: int64, start: int64,
  size: int64) -> (output_indices: int64, output_values: T, output_shape: int64); T: type
SerializeManySparse(sparse_indices: int64, sparse_values: T,
  sparse_shape: int64) -> serialized_sparse: out_type; T: type, out_type: type = string
DeserializeSparse(serialized_sparse: Tserialized) -> (sparse_indices: int64, sparse_values: dtype,
  sparse_shape: int64); dtype: type, Tserialized: type = string
RaggedTensorToTensor(shape: Tshape, values: T, default_value: T,
  row_partition_tensors: num_row_partition_tensors * Tindex) -> result: T; T: type, Tindex: type,
  Tshape: type, num_row_partition_tensors: int >= 1, row_partition_types: list(string)
RaggedTensorToSparse(rt_nested_splits: RAGGED_RANK * Tsplits,
  rt_dense_values: T) -> (sparse_indices: int64, sparse_values: T, sparse_dense_shape: int64);
  RAGGED_RANK: int >= 1, T: type, Tsplits: type = int64
RaggedTensorFromVariant(encoded_ragged: variant) ->
  (output_nested_splits: output_ragged_rank * Tsplits,
  output_dense_values: Tvalues); input_ragged_rank: int >= -1, output_ragged_rank: int >= 0,
  Tvalues: type, Tsplits: type = int64
RaggedTensorToVariant(rt_nested_splits: RAGGED_RANK * Tsplits,
  rt_dense_values: Tvalues) -> encoded_ragged: variant; RAGGED_RANK: int >= 0, Tvalues: type,
  Tsplits: type = int64, batched_input: bool
RaggedRange(starts: T, limits: T, deltas: T) -> (rt_nested_splits: Tsplits, rt_dense_values: T);
  T: type = int32, Tsplits: type = int64
RaggedGather(params_nested_splits: PARAMS_RAGGED_RANK * Tsplits, params_dense_values: Tvalues,
  indices: Tindices) -> (output_nested_splits: OUTPUT_RAGGED_RANK * Tsplits,
  output_dense_values: Tvalues); Tvalues: type, Tindices: type, Tsplits: type = int64,
  PARAMS_RAGGED_RANK: int >= 1, OUTPUT_RAGGED_RANK: int >= 0
RaggedCross(ragged_values: ragged_values_types, ragged_row_splits: ragged_splits_types,
  sparse_indices: Nsparse * int64, sparse_values: sparse_values_types,
  sparse_shape: Nsparse * int64, dense_inputs: dense_types) -> (output_values: out_values_type,
  output_row_splits: out_row_splits_type); Nsparse: int >= 0, input_order: string,
  hashed_output: bool, num_buckets: int >= 0, hash_key: int, ragged_values_types: list(type) >= 0,
  ragged_splits_types: list(type) >= 0, sparse_values_types: list(type) >= 0,
  dense_types: list(type) >= 0, out_values_type: type, out_row_splits_type: type
Fingerprint(data: T, method: string) -> fingerprint: uint8; T: type
# Losses and gradients
SoftmaxCrossEntropyWithLogits(features: T, labels: T) -> (loss: T, backprop: T); T: type
SparseSoftmaxCrossEntropyWithLogits(features: T, labels: Tlabels) -> (loss: T, backprop: T);
  T: type, Tlabels: type = int64
ReluGrad(gradients: T, features: T) -> backprops: T; T: type
Relu6Grad(gradients: T, features: T) -> backprops: T; T: type
LeakyReluGrad(gradients: T, features: T) -> backprops: T; alpha: float = 0.2, T: type = float32
EluGrad(gradients: T, outputs: T) -> backprops: T; T: type
SeluGrad(gradients: T, outputs: T) -> backprops: T; T: type
SigmoidGrad(y: T, dy: T) -> z: T; T: type
TanhGrad(y: T, dy: T) -> z: T; T: type
SoftplusGrad(gradients: T, features: T) -> backprops: T; T: type
SoftsignGrad(gradients: T, features: T) -> backprops: T; T: type
RsqrtGrad(y: T, dy: T) -> z: T; T: type
SqrtGrad(y: T, dy: T) -> z: T; T: type
ReciprocalGrad(y: T, dy: T) -> z: T; T: type
InvGrad(y: T, dy: T) -> z: T; T: type
BiasAddGrad(out_backprop: T) -> output: T; T: type, data_format: string in ["NHWC",
  "NCHW"] = "NHWC"
MaxPoolGrad(orig_input: T, orig_output: T, grad: T) -> output: T; ksize: list(int) >= 4,
  strides: list(int) >= 4, padding: string in ["SAME", "VALID", "EXPLICIT"],
  explicit_paddings: list(int) = [], data_format: string in ["NHWC", "NCHW"] = "NHWC",
  T: type = float32
MaxPoolGradV2(orig_input: T, orig_output: T, grad: T, ksize: int32, strides: int32) -> output: T;
  padding: string in ["SAME", "VALID"], data_format: string in ["NHWC", "NCHW"] = "NHWC",
  T: type = float32
MaxPool3DGrad(orig_input: TInput, orig_output: TInput, grad: T) -> output: T;
  ksize: list(int) >= 5, strides: list(int) >= 5, padding: string in ["SAME", "VALID"],
  data_format: string in ["NDHWC", "NCDHW"] = "NDHWC", T: type = float32, TInput: type = float32
AvgPoolGrad(orig_input_shape: int32, grad: T) -> output: T; ksize: list(int) >= 4,
  strides: list(int) >= 4, padding: string in ["SAME", "VALID"], data_format: string in ["NHWC",
  "NCHW"] = "NHWC", T: type
AvgPool3DGrad(orig_input_shape: int32, grad: T) -> output: T; ksize: list(int) >= 5,
  strides: list(int) >= 5, padding: string in ["SAME", "VALID"], data_format: string in ["NDHWC",
  "NCDHW"] = "NDHWC", T: type
FusedBatchNormGrad(y_backprop: T, x: T, scale: T, reserve_space_1: T,
  reserve_space_2: T) -> (x_backprop: T, scale_backprop: T, offset_backprop: T,
  reserve_space_3: T, reserve_space_4: T); T: type, epsilon: float = 0.0001,
  data_format: string in ["NHWC", "NCHW"] = "NHWC", is_training: bool = true
FusedBatchNormGradV2(y_backprop: T, x: T, scale: float32, reserve_space_1: U,
  reserve_space_2: U) -> (x_backprop: T, scale_backprop: U, offset_backprop: U,
  reserve_space_3: U, reserve_space_4: U); T: type, U: type, epsilon: float = 0.0001,
  data_format: string in ["NHWC", "NCHW"] = "NHWC", is_training: bool = true
FusedBatchNormGradV3(y_backprop: T, x: T, scale: float32, reserve_space_1: U, reserve_space_2: U,
  reserve_space_3: U) -> (x_backprop: T, scale_backprop: U, offset_backprop: U,
  reserve_space_4: U, reserve_space_5: U); T: type, U: type, epsilon: float = 0.0001,
  data_format: string in ["NHWC", "NCHW", "NDHWC", "NCDHW"] = "NHWC", is_training: bool = true
LRNGrad(input_grads: T, input_image: T, output_image: T) -> output: T; depth_radius: int = 5,
  bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5, T: type = float32
StridedSliceGrad(shape: Index, begin: Index, end: Index, strides: Index, dy: T) -> output: T;
  T: type, Index: type, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
  new_axis_mask: int = 0, shrink_axis_mask: int = 0
MirrorPadGrad(input: T, paddings: Tpaddings) -> output: T; T: type, Tpaddings: type = int32,
  mode: string in ["REFLECT", "SYMMETRIC"]
ResizeBilinearGrad(grads: float32, original_image: T) -> output: T; T: type,
  align_corners: bool = false, half_pixel_centers: bool = false
ResizeNearestNeighborGrad(grads: T, size: int32) -> output: T; T: type,
  align_corners: bool = false, half_pixel_centers: bool = false
# Quantisation
FakeQuantWithMinMaxArgs(inputs: float32) -> outputs: float32; min: float = -6.0, max: float = 6.0,
  num_bits: int = 8, narrow_range: bool = false
FakeQuantWithMinMaxVars(inputs: float32, min: float32, max: float32) -> outputs: float32;
  num_bits: int = 8, narrow_range: bool = false
FakeQuantWithMinMaxVarsPerChannel(inputs: float32, min: float32,
  max: float32) -> outputs: float32; num_bits: int = 8, narrow_range: bool = false
QuantizeAndDequantizeV2(input: T, input_min: T, input_max: T) -> output: T;
  signed_input: bool = true, num_bits: int = 8, range_given: bool = false, T: type,
  round_mode: string in ["HALF_TO_EVEN", "HALF_UP"] = "HALF_TO_EVEN", narrow_range: bool = false,
  axis: int = -1
QuantizeAndDequantizeV3(input: T, input_min: T, input_max: T, num_bits: int32) -> output: T;
  signed_input: bool = true, range_given: bool = true, T: type, narrow_range: bool = false,
  axis: int = -1
QuantizeAndDequantizeV4(input: T, input_min: T, input_max: T) -> output: T;
  signed_input: bool = true, num_bits: int = 8, range_given: bool = false, T: type,
  round_mode: string in ["HALF_TO_EVEN", "HALF_UP"] = "HALF_TO_EVEN", narrow_range: bool = false,
  axis: int = -1
QuantizeV2(input: float32, min_range: float32, max_range: float32) -> (output: T,
  output_min: float32, output_max: float32); T: type, mode: string in ["MIN_COMBINED",
  "MIN_FIRST", "SCALED"] = "MIN_COMBINED", round_mode: string in ["HALF_AWAY_FROM_ZERO",
  "HALF_TO_EVEN"] = "HALF_AWAY_FROM_ZERO", narrow_range: bool = false, axis: int = -1,
  ensure_minimum_range: float = 0.01
Dequantize(input: T, min_range: float32, max_range: float32) -> output: dtype; T: type,
  mode: string in ["MIN_COMBINED", "MIN_FIRST", "SCALED"] = "MIN_COMBINED",
  narrow_range: bool = false, axis: int = -1, dtype: type = float32
QuantizedConv2D(input: Tinput, filter: Tfilter, min_input: float32, max_input: float32,
  min_filter: float32, max_filter: float32) -> (output: out_type, min_output: float32,
  max_output: float32); Tinput: type, Tfilter: type, out_type: type = qint32, strides: list(int),
  padding: string in ["SAME", "VALID"], dilations: list(int) = [1, 1, 1, 1]
QuantizedMatMul(a: T1, b: T2, min_a: float32, max_a: float32, min_b: float32,
  max_b: float32) -> (out: Toutput, min_out: float32, max_out: float32); T1: type, T2: type,
  Toutput: type = qint32, transpose_a: bool = false, transpose_b: bool = false,
  Tactivation: type = quint8
QuantizedRelu(features: Tinput, min_features: float32,
  max_features: float32) -> (activations: out_type, min_activations: float32,
  max_activations: float32); Tinput: type, out_type: type = quint8
Requantize(input: Tinput, input_min: float32, input_max: float32, requested_output_min: float32,
  requested_output_max: float32) -> (output: out_type, output_min: float32, output_max: float32);
  Tinput: type, out_type: type
RequantizationRange(input: Tinput, input_min: float32,
  input_max: float32) -> (output_min: float32, output_max: float32); Tinput: type
# Input pipelines and summaries
IteratorV2() -> handle: resource; shared_name: string, container: string,
  output_types: list(type) >= 1, output_shapes: list(shape) >= 1; stateful
IteratorGetNext(iterator: resource) -> components: output_types; output_types: list(type) >= 1,
  output_shapes: list(shape) >= 1; stateful
OneShotIterator() -> handle: resource; dataset_factory: func, output_types: list(type) >= 1,
  output_shapes: list(shape) >= 1, container: string = "", shared_name: string = ""; stateful
MakeIterator(dataset: variant, iterator: resource) -> (); stateful
IteratorFromStringHandle(string_handle: string) -> resource_handle: resource;
  output_types: list(type) >= 0 = [], output_shapes: list(shape) >= 0 = []; stateful
FIFOQueueV2() -> handle: resource; component_types: list(type) >= 1,
  shapes: list(shape) >= 0 = [], capacity: int = -1, container: string = "",
  shared_name: string = ""; stateful
QueueDequeueV2(handle: resource) -> components: component_types; component_types: list(type) >= 1,
  timeout_ms: int = -1; stateful
QueueEnqueueV2(handle: resource, components: Tcomponents) -> (); Tcomponents: list(type) >= 1,
  timeout_ms: int = -1; stateful
QueueCloseV2(handle: resource) -> (); cancel_pending_enqueues: bool = false; stateful
QueueSizeV2(handle: resource) -> size: int32; stateful
RandomShuffleQueueV2() -> handle: resource; component_types: list(type) >= 1,
  shapes: list(shape) >= 0 = [], capacity: int = -1, min_after_dequeue: int = 0, seed: int = 0,
  seed2: int = 0, container: string = "", shared_name: string = ""; stateful
QueueDequeueManyV2(handle: resource, n: int32) -> components: component_types;
  component_types: list(type) >= 1, timeout_ms: int = -1; stateful
ScalarSummary(tags: string, values: T) -> summary: string; T: type
HistogramSummary(tag: string, values: T) -> summary: string; T: type = float32
MergeSummary(inputs: N * string) -> summary: string; N: int >= 1
TensorSummaryV2(tag: string, tensor: T, serialized_summary_metadata: string) -> summary: string;
  T: type
Timestamp() -> ts: float64; stateful
"""
