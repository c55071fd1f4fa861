"""Functions of TensorFlow that are one op: operands and attrs by the names of their arguments.

    op      a row of OPS: the op, the function's spelling, its attrs as argument=attr

An argument that is an attr must be a literal; every other one becomes an operand. Source:
TensorFlow, python/ops/gen_*_ops.py.
"""

from __future__ import annotations

import re
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.table import Writer, operation, parameters_of
from modelfmt.layers.operations.values import Ops
from modelfmt.ops import opdefs

#: The op, its function, and which arguments are attrs.
OPS = r"""
    StringLower      strings.lower(input,encoding='')                    encoding
    StringUpper      strings.upper(input,encoding='')                    encoding
    StringStrip      strings.strip(input)
    StringLength     strings.length(input,unit='BYTE')                   unit
    RegexFullMatch   strings.regex_full_match(input,pattern)
    StringToHashBucketFast strings.to_hash_bucket_fast(input,num_buckets) num_buckets
    Xlog1py          math.xlog1py(x,y)
    Betainc          math.betainc(a,b,x)
    Igamma           math.igamma(a,x)
    Igammac          math.igammac(a,x)
    Polygamma        math.polygamma(a,x)
    Zeta             math.zeta(x,q)
    BesselI0e        math.bessel_i0e(x)
    BesselI1         math.bessel_i1(x)
    BesselI1e        math.bessel_i1e(x)
    TruncateDiv      truncatediv(x,y)
    TruncateMod      truncatemod(x,y)
    InvertPermutation math.invert_permutation(x)
    L2Loss           nn.l2_loss(t)
    LRN
          nn.local_response_normalization(input,depth_radius=5,bias=1.0,alpha=1.0,beta=0.5)
          depth_radius bias alpha beta
    TensorScatterSub tensor_scatter_nd_sub(tensor,indices,updates,*,bad_indices_policy='')
    CheckNumerics    debugging.check_numerics(tensor,message)            message
    FakeQuantWithMinMaxVars
          quantization.fake_quant_with_min_max_vars(inputs,min,max,num_bits=8,narrow_range=False)
          num_bits narrow_range
    FakeQuantWithMinMaxArgs
          quantization.fake_quant_with_min_max_args(inputs,min=-6,max=6,num_bits=8,narrow_range=False)
          min max num_bits narrow_range
"""


def _one(op: str, names: list[str], attrs: frozenset[str]) -> Writer:
    row = opdefs.get(op)
    floats = {attr.name for attr in row.attrs if attr.type == "float"} if row else set()

    def write(ops: Ops, *values: Any) -> TensorName:
        operands: list[Any] = []
        said: dict[str, Any] = {}
        kind = next((ops.dtype(v) for v in values if isinstance(v, TensorName)), None)
        for name, value in zip(names, values, strict=True):
            if name in attrs:
                if isinstance(value, TensorName):
                    raise ConversionError(f"{op} with a {name} that is no literal")
                said[name] = float(value) if name in floats else value
            elif isinstance(value, TensorName | str):
                operands.append(value)
            else:
                whole = "int32" if name == "indices" else kind
                operands.append(ops.tensor(value, whole))
        return ops.op(op, *operands, **said)

    return write


#: An op, a function with its arguments, and the words up to the next op.
_ROW = re.compile(r"(\w+)\s+([\w.]+)\(([^()]*)\)((?:\s+[a-z]\w*(?![\w.(]))*)")

for op, function, arguments, attrs in _ROW.findall(OPS):
    operation(f"{function}({arguments})")(
        _one(op, parameters_of(arguments), frozenset(attrs.split()))
    )
