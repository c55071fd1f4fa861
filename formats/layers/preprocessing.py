"""Preprocessing of numbers: standardisation, bins, categories."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, normal_axes
from modelfmt.layers.encoding import cast, encoded, output_mode
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape
from modelfmt.layers.standardising import ROOTS, standardised
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

#: Keras' ``backend.epsilon()``.
_EPSILON = 1e-7


def layer_dtype(layer: Layer, default: DType) -> DType:
    """The dtype that the layer's config says, where it is a plain one."""
    said = layer.config.get("dtype")
    return dtypes.from_name(said) if isinstance(said, str) and "_" not in said else default


@register_layer
class Normalization(LayerCodec):
    """Normalization.  y = (x - mean) / max(sqrt(variance), epsilon); inverted, x times it + mean

    Shapes:  x (...), mean and variance: the sizes of x along ``axis``, in order
    Weights: mean, variance, count (int64, of the data seen; unused), or none where the config has
             mean and variance
    Nodes:   RealDiv(Sub(x, mean), Maximum(Sqrt(variance), 1e-7)); inverted
             AddV2(mean, Mul(x, Maximum(...)))
    Source:  Keras, Normalization.call
    """

    class_name = "Normalization"
    supports_masking = True
    weights = ("mean", "variance", "count")
    non_trainable = weights
    config = {"axis": -1, "mean": None, "variance": None, "invert": False}

    root_ops = ROOTS

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return self.weights if config.get("mean") is None else ()

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With its statistics as weights, along the axes on which there are several."""
        plain = super().canonical(layer, shapes)[0]
        if (shape := shapes[0]) is None:
            return [plain]
        axes = sorted(axes_of(plain.config["axis"], len(shape)))
        sizes = [shape[axis] for axis in axes]
        wide = [axis for axis in axes if shape[axis] != 1]
        weights = {}
        for name in ("mean", "variance"):
            said = plain.config[name]
            if said is None:
                stored = plain.weight(name)
            else:
                stored = Tensor.from_numpy(name, self._spread(said, sizes, name))
            weights[name] = stored.reshaped(tuple(shape[axis] or 0 for axis in wide))
        config = {
            "axis": normal_axes(wide, shape), "mean": None, "variance": None,
            "invert": plain.config["invert"],
        }  # fmt: skip
        return [dataclasses.replace(plain, config=config, weights=weights)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By what it takes away and divides by (standardising.py)."""
        return standardised(tensor, graph)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = cast(inputs[0], dtypes.float32, graph)
        shape = known_shape(x, graph, "Normalization")
        kept = sorted(axes_of(layer.config["axis"], len(shape)))
        sizes = [shape[axis] for axis in kept]
        if None in sizes:
            raise MismatchError(
                "the axes that have their own mean must be known",
                expected="sizes", found=list(shape),
            )  # fmt: skip
        spread = [size if axis in kept else 1 for axis, size in enumerate(shape)]
        mean, variance = (
            self._given(layer, name, sizes, spread, graph) for name in ("mean", "variance")
        )
        scale = graph.op("Maximum", graph.op("Sqrt", variance), _EPSILON)
        if layer.config["invert"]:
            return [graph.op("AddV2", mean, graph.op("Mul", x, scale))]
        return [graph.op("RealDiv", graph.op("Sub", x, mean), scale)]

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """Keras 2 loses the mask here."""
        lost = graph.keras_major == 2
        return [None] if lost else super().masks(layer, inputs, outputs, graph)

    def _given(
        self, layer: Layer, name: str, sizes: Any, spread: list[Any], graph: GraphBuilder
    ) -> str:
        """The mean or the variance, of a shape that broadcasts to x."""
        said = layer.config[name]
        if said is None:
            stored = layer.weight(name)
            if list(stored.shape) != list(sizes):
                raise MismatchError(
                    f"the {name} does not fit its input", expected=list(sizes),
                    found=list(stored.shape),
                )  # fmt: skip
            value = graph.weight(stored, name)
            trailing = spread[len(spread) - len(sizes) :] == list(sizes)
            return value if trailing else graph.op("Reshape", value, spread)
        array = self._spread(said, sizes, name)
        return graph.const(array.reshape(spread), dtypes.float32, name)

    def _spread(self, said: Any, sizes: Any, name: str) -> npt.NDArray[Any]:
        """What the config says of the mean or the variance, one number for each place."""
        import numpy as np

        try:
            return np.broadcast_to(np.asarray(said, np.float32), sizes)
        except (ValueError, TypeError):
            raise MismatchError(
                f"the {name} does not fit its input", expected=list(sizes), found=f"{said!r:.80}"
            ) from None


@register_layer
class Discretization(LayerCodec):
    """Discretization.  y = how many of bin_boundaries are <= x; then encoded

    Shapes:  x (batch, ...), y as encoding.py tells
    Weights: summary (2, n), of Keras 2, where the boundaries were learnt: values and their weight
    Nodes:   Bucketize(x)        Source: Keras, Discretization.call
    """

    class_name = "Discretization"
    weights = ("summary",)
    non_trainable = weights
    config = {
        "bin_boundaries": None, "num_bins": None, "epsilon": 0.01, "output_mode": "int",
        "sparse": False,
    }  # fmt: skip

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return self.weights if config.get("bin_boundaries") is None else ()

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode = output_mode(layer, "int", "one_hot", "multi_hot", "count")
        bounds = layer.config["bin_boundaries"]
        if bounds is None:
            bounds = boundaries(layer.weight("summary").numpy(), layer.config["num_bins"])
        x = inputs[0]
        if graph.dtype(x).name not in ("int32", "int64", "float32", "float64"):
            wide = graph.dtype(x).is_floating
            x = graph.op("Cast", x, DstT=dtypes.float32 if wide else dtypes.int32)
        bins = graph.op("Bucketize", x, boundaries=[float(bound) for bound in bounds])
        whole = dtypes.int32 if graph.keras_major == 3 else dtypes.int64
        dtype = layer_dtype(layer, whole if mode == "int" else dtypes.float32)
        if mode == "int" and (graph.keras_major == 3 or not dtype.is_integer):
            dtype = whole
        return [encoded(bins, mode, len(bounds) + 1, dtype, graph)]


def boundaries(summary: npt.NDArray[Any], bins: Any) -> list[float]:
    """The bounds of ``bins`` bins as full as each other.

    Args:
        summary: (2, n): values in ascending order, and how many each stands for.
        bins: how many.

    Raises:
        MismatchError: nothing was learnt.

    Source: Keras, Discretization, ``compress_summary``.
    """
    import numpy as np

    if type(bins) is not int or bins < 1 or not summary.size:
        raise MismatchError(
            "a Discretization that learnt no bounds", expected="num_bins and a summary",
            found=f"num_bins {bins!r}, {summary.shape[-1]} values",
        )  # fmt: skip
    share = 1.0 / bins
    if summary.shape[1] * share < 1:
        return [float(v) for v in summary[0, :-1]]
    steps = share + np.arange(0.0, 1.0, share)
    sums = summary[1].cumsum()
    found = np.interp(steps, sums / sums[-1], summary[0]).astype(np.float32)
    return [float(v) for v in found[:-1] if math.isfinite(v)]


@register_layer
class CategoryEncoding(LayerCodec):
    """CategoryEncoding.  Categories as vectors; encoding.py tells the modes

    Shapes: x (batch,) or (batch, n) of integers; count_weights, a call's argument, as x
    Source: Keras, CategoryEncoding.call
    """

    class_name = "CategoryEncoding"
    arguments = frozenset({"count_weights"})
    config = {"num_tokens": None, "output_mode": "multi_hot", "sparse": False}

    def write(
        self, layer: Layer, inputs: list[str], graph: GraphBuilder, *, count_weights: Any = None
    ) -> list[str]:
        mode = output_mode(layer, "one_hot", "multi_hot", "count")
        depth = layer.config["num_tokens"]
        if type(depth) is not int or depth < 1:
            raise ConversionError("CategoryEncoding without num_tokens", found=depth)
        dtype = layer_dtype(layer, dtypes.float32)
        if count_weights is not None:
            if mode != "count" or not isinstance(count_weights, str):
                raise ConversionError("count_weights are a tensor, and for output_mode count only")
            count_weights = cast(count_weights, dtype, graph)
        return [encoded(inputs[0], mode, depth, dtype, graph, weights=count_weights)]
