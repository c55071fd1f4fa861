"""Quantized weights of Keras 3: kernels of few bits, and what has to be known beside them.

    policy                    weights                           the layer's product with x
    int8_from_float32         kernel int8, kernel_scale         (q(x) @ kernel) / (kernel_scale * s)
    int4/-1_from_float32      kernel int8, two numbers a byte   (x @ kernel) / kernel_scale
    int4/128_from_float32     ..., kernel_zero, g_idx           x @ ((kernel - zero[g]) * scale[g])
    float8_from_float32       scales, histories of maxima       f(x) @ f(kernel)
    gptq/4/128, awq/4/128     kernel uint8 (units, in), ...     x @ transpose((kernel - ...) ...)

q(x) = round(x * s) with s = 127 / (max|x| + epsilon), a scale for each row; where the layer's
``quantization_config`` has no ``activation_quantizer``, x as it is. f(x) is x / scale in float8,
and back. g_idx holds the group of each row. Numbers of four bits are unpacked when they are
written: the graph holds int8. Source: Keras, quantizers/quantizers.py and gptq_core.py,
Dense.variable_serialization_spec.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, ClassVar

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

_POLICY = re.compile(r"(int8|int4|float8|gptq|awq)((?:/-?\d+)*)(?:_from_(\w+))?$")
_FLOAT8_WEIGHTS = ("inputs_scale", "inputs_amax_history", "{0}_scale", "{0}_amax_history",
                   "outputs_grad_scale", "outputs_grad_amax_history")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Scheme:
    """How a layer is quantized.

    Attributes:
        mode: int8, int4, float8, gptq or awq.
        source: the name of the policy it had before.
        bits: how many a number of the kernel has.
        block: rows in a group; 0 where a column has one scale.
    """

    mode: str
    source: str
    bits: int = 8
    block: int = 0

    @property
    def grouped(self) -> bool:
        """Whether the kernel has zeros, and an index of groups."""
        return self.mode in ("gptq", "awq") or (self.mode == "int4" and self.block > 0)


def scheme(config: Config) -> Scheme | None:
    """The scheme that a layer's dtype policy states, as an object or by name; None: not quantized.

    Raises:
        ConversionError: one that no Keras writes.
    """
    policy = config.get("dtype")
    source: Any = None
    if isinstance(policy, dict):
        held = policy.get("config")
        if not isinstance(held, dict) or "mode" not in held:
            return None
        policy, source = held["mode"], held.get("source_name")
    found = _POLICY.match(policy) if isinstance(policy, str) else None
    if found is None or not (source or found[3]):
        return None  # among them the plain dtype int8
    mode, numbers = found[1], [int(n) for n in found[2].split("/")[1:]]
    source = source or found[3]
    wanted = {"int4": (0, 1), "gptq": (2,), "awq": (2,)}.get(mode, (0,))
    if not isinstance(source, str) or len(numbers) not in wanted:
        raise ConversionError("a dtype policy that cannot be read", found=f"{policy!r:.60}")
    bits = numbers[0] if mode in ("gptq", "awq") else 4 if mode == "int4" else 8
    return Scheme(mode, source, bits, max(0, numbers[-1]) if numbers else 0)


class QuantizedCodec(LayerCodec):
    """A layer of which ``table``, one of its weights, may be quantized.

    Attributes:
        table: that weight's name.
        schemes: the modes that Keras knows of the layer.
    """

    table: ClassVar[str] = "kernel"
    schemes: ClassVar[tuple[str, ...]] = ("int8", "int4", "float8", "gptq", "awq")

    def weight_names(self, config: Config) -> tuple[str, ...]:
        """Those of the layer, then those of the scheme, in the order of a .keras file."""
        plain = super().weight_names(config)
        found = self.scheme(config)
        if found is None:
            return plain
        lora = (f"lora_{self.table}_a", f"lora_{self.table}_b") if config.get("lora_rank") else ()
        if found.mode == "float8":
            return (*plain, *(name.format(self.table) for name in _FLOAT8_WEIGHTS), *lora)
        if found.mode in ("gptq", "awq"):  # the kernel stands behind the bias
            plain = (*(name for name in plain if name != self.table), self.table)
        return (*plain, *self.scale_names(found), *lora)

    def settle(self, layer: Layer) -> None:
        """Raises ConversionError: a file of which its writer left a part out."""
        super().settle(layer)
        found = self.scheme(layer.config)
        wanted = len(self.weight_names(self.completed(layer.config, {})))
        if found and found.mode in ("gptq", "awq") and len(layer.weights) == wanted - 1:
            raise ConversionError(
                f"a .keras file of {found.mode} without the zeros of its kernel",
                hint="Keras 3.15 leaves them out, and cannot load the file; its .h5 has them.",
            )

    def scale_names(self, found: Scheme) -> tuple[str, ...]:
        """What stands in a file behind the quantized weight."""
        names = [f"{self.table}_scale"]
        if found.grouped:
            names += [f"{self.table}_zero", "g_idx"]
        if found.mode == "awq":
            names.insert(2, "awq_scales")
        return tuple(names)

    def untrained(self, config: Config) -> frozenset[str]:
        found = self.scheme(config)
        own = super().untrained(config)
        if found is None or found.mode == "float8":
            return own
        return own | {self.table, *self.scale_names(found)}

    def scheme(self, config: Config) -> Scheme | None:
        """How the layer is quantized, if at all. Raises ConversionError: as no Keras does."""
        found = scheme(config)
        if found is not None and found.mode not in self.schemes:
            raise ConversionError(
                f"a {self.class_name} of this dtype policy cannot be written",
                expected=" or ".join(self.schemes), found=found.mode,
            )
        return found


# -- what is stored -----------------------------


def unpacked(tensor: Tensor, length: int, axis: int = -1) -> Tensor:
    """Numbers of four bits that stand two in a byte along ``axis``, the first in its low half.

    Args:
        tensor: int8, of numbers from -8 to 7, or uint8, from 0 to 15.
        length: how many numbers there are along the axis; an odd one leaves half a byte free.
        axis: 0 or -1.

    Raises:
        MismatchError: the length does not fit.
    """
    axis %= len(tensor.shape) or 1
    if not tensor.shape or tensor.shape[axis] != (length + 1) // 2:
        raise MismatchError(
            "numbers of four bits that are not as many as the layer has",
            expected=f"{(length + 1) // 2} bytes along axis {axis}", found=list(tensor.shape),
        )
    signed = tensor.dtype is dtypes.from_name("int8")

    def change(packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        halves = np.stack([packed & 15, (packed >> 4) & 15], axis + 1)
        if signed:
            halves = (halves ^ 8) - 8
        shape = [*packed.shape]
        shape[axis] *= 2
        whole = halves.reshape(shape).take(range(length), axis)
        return np.ascontiguousarray(whole, packed.dtype)

    shape = list(tensor.shape)
    shape[axis] = length
    return tensor.changed(change, tuple(shape))


def _groups(layer: Layer, graph: GraphBuilder) -> str:
    """The group of each row, which Keras stores as a float."""
    held = layer.weight("g_idx")
    return graph.weight(Tensor.from_numpy("g_idx", held.numpy().astype("int32")), "g_idx")


def dequantized(
    layer: Layer, numbers: str, name: str, graph: GraphBuilder, *, axis: int,
    scale: str | None = None, zero: str | None = None,
) -> str:  # fmt: skip
    """(numbers - zero[g]) * scale[g], the groups along ``axis`` of scale and zero.

    Args:
        layer: has ``g_idx``, and ``name`` followed by ``_scale`` and ``_zero``.
        numbers: the quantized tensor.
        name: of the weight.
        graph: where the nodes go.
        axis: of the groups.
        scale: what stands for the layer's own scales.
        zero: what stands for the layer's own zeros.
    """
    scale = scale or graph.weight(layer.weight(f"{name}_scale"), f"{name}_scale")
    zero = zero or graph.weight(layer.weight(f"{name}_zero"), f"{name}_zero")
    kind, groups = graph.dtype(scale), _groups(layer, graph)
    scales = graph.op("GatherV2", scale, groups, axis)
    zeros = graph.op("GatherV2", as_dtype(zero, kind, graph), groups, axis)
    return graph.op("Mul", graph.op("Sub", as_dtype(numbers, kind, graph), zeros), scales)


def as_dtype(tensor: str, kind: dtypes.DType, graph: GraphBuilder) -> str:
    """``tensor`` in another dtype."""
    return tensor if graph.dtype(tensor) is kind else graph.op("Cast", tensor, DstT=kind)
