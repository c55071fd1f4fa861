"""Dtype policies: in which dtype a layer computes, whatever its weights are stored in.

    policy              computes in    weights
    float32, float16, bfloat16, float64   as named
    mixed_float16       float16        float32
    mixed_bfloat16      bfloat16       float32
    int8_from_float32   float32        as quantized.py has them

What a layer is applied to is cast to the dtype that it computes in, where it is a floating-point
one, and so are its weights where they are used; integers stay. Some layers compute in float32
under a policy of half precision, and cast only their output. Tensors among the other arguments of
a call are cast too: by Keras 3 itself, in Keras 2 by the layers within. Source: Keras,
DTypePolicy.convert_input and Layer.__call__; tf_keras, Layer._maybe_cast_inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec, TensorName
from modelfmt.layers.quantized import QuantizedCodec, scheme
from modelfmt.layers.registry import codec_for
from modelfmt.network import Config, Layer

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_HALF = ("float16", "bfloat16")


def compute_dtype(layer: Layer) -> DType | None:
    """The floating-point dtype that a layer computes in; None where its config does not say one.

    Raises:
        ConversionError: a policy that is none of the table's.
    """
    policy = layer.config.get("dtype")
    found = scheme(layer.config) if isinstance(codec_for(layer), QuantizedCodec) else None
    if found is not None:
        policy = found.source
    if isinstance(policy, dict):
        stated = policy.get("config")
        raise ConversionError(
            f"a {layer.class_name} of this dtype policy cannot be written",
            expected="a dtype, mixed_float16 or mixed_bfloat16",
            found=f"{policy.get('class_name')} {stated}",
        )
    if not isinstance(policy, str):
        return None
    name = _MIXED.get(policy, policy)
    if name not in (*_HALF, "float32", "float64"):
        return None
    return dtypes.from_name(name)


def write_under_policy(
    layer: Layer, codec: LayerCodec, inputs: Sequence[str], given: Config, graph: GraphBuilder
) -> list[str]:
    """``codec.write``, as the layer's policy has it.

    Args:
        layer: bound, with a completed config.
        codec: of the layer.
        inputs: the tensors that it is applied to.
        given: what else the call passes, by name.
        graph: where the nodes go.

    Returns:
        The outputs, in the dtype that the layer computes in.
    """
    wanted = compute_dtype(layer)
    if wanted is None:
        return codec.write(layer, list(inputs), graph, **given)
    taken = list(inputs)
    if graph.keras_major in codec.autocast:
        taken = [_cast(x, wanted, graph) for x in taken]
        given = {key: _cast_within(value, wanted, graph) for key, value in given.items()}
    within = wanted
    if codec.computes_in_float32 and wanted.name in _HALF:
        within = dtypes.float32
        taken = [_cast(x, within, graph) for x in taken]
    with graph.autocast(within):
        made = codec.write(layer, taken, graph, **given)
    return made if within is wanted else [_cast(y, wanted, graph) for y in made]


def _cast(tensor: str, dtype: DType, graph: GraphBuilder) -> str:
    """A floating-point tensor in ``dtype``, its mask with it; any other tensor as it is."""
    found = graph.dtype(tensor)
    if found is dtype or not found.is_floating:
        return tensor
    made = graph.op("Cast", tensor, DstT=dtype)
    if tensor in graph.masks:
        graph.masks[made] = graph.masks[tensor]
    return made


def _cast_within(value: Any, dtype: DType, graph: GraphBuilder) -> Any:
    if isinstance(value, TensorName):
        return TensorName(_cast(value, dtype, graph))
    if isinstance(value, list):
        return [_cast_within(inner, dtype, graph) for inner in value]
    if isinstance(value, dict):
        return {key: _cast_within(inner, dtype, graph) for key, inner in value.items()}
    return value
