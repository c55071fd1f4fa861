"""Layers that Keras 1 alone had. Later majors have no layer of these classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import cuts
from modelfmt.graphs.view import View
from modelfmt.layers.activations import write_activation
from modelfmt.layers.codec import Claim, Derived, LayerCodec
from modelfmt.layers.dot import Dot
from modelfmt.layers.likeness import close
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape
from modelfmt.network import Config, Layer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def _units(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1]


def _features(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][0]


def _affine(layer: Layer, x: str, graph: GraphBuilder, ending: str = "") -> str:
    """x @ kernel + bias, of the weights whose names end so."""
    kernel, bias = f"kernel{ending}", f"bias{ending}"
    y = graph.op("MatMul", x, graph.weight(layer.weight(kernel), kernel))
    if bias in layer.weights:
        y = graph.op("BiasAdd", y, graph.weight(layer.weight(bias), bias))
    return y


@register_layer
class MaxoutDense(LayerCodec):
    """MaxoutDense.  y = max over k of x @ kernel[k] + bias[k]

    Shapes:  x (batch, in), kernel (nb_feature, in, units), bias (nb_feature, units)
    Weights: kernel, bias
    Nodes:   MatMul(x, reshaped kernel) -> Reshape -> AddV2 -> Max
    Source:  Keras 1.2.2, MaxoutDense.call
    """

    class_name = "MaxoutDense"
    root_ops = frozenset({"Max"})
    weights = ("kernel", "bias")
    optional_weights = {"bias": "use_bias"}
    config = {"units": Derived(_units), "nb_feature": Derived(_features), "use_bias": True}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = layer.weight("kernel").shape
        if len(shape) != 3:
            raise MismatchError("not a maxout's kernel", expected="3 axes", found=list(shape))
        count, size, units = shape
        kernel = graph.weight(layer.weight("kernel"), "kernel")
        wide = graph.op("Reshape", graph.op("Transpose", kernel, [1, 0, 2]), [size, count * units])
        y = graph.op("Reshape", graph.op("MatMul", inputs[0], wide), [-1, count, units])
        if "bias" in layer.weights:
            y = graph.op("AddV2", y, graph.weight(layer.weight("bias"), "bias"))
        return [graph.op("Max", y, [1])]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """The largest part that computes it: Keras 1 writes a Reshape more."""
        import numpy as np

        for cut in reversed(cuts(graph, tensor)):
            stored = {len(weight.shape): weight for weight in cut.weights}
            size = graph.shape(cut.inputs[0])
            if not {*stored} <= {2, 3} or 3 not in stored or len(stored) < len(cut.weights):
                continue
            if cut.escapes or "MatMul" not in cut.ops or size is None or len(size) != 2:
                continue
            random = np.random.default_rng(0)
            x = random.normal(size=(2, stored[3].shape[1]))
            values = {n: random.normal(size=weight.shape) for n, weight in stored.items()}
            y = cut.run([x], {id(weight): values[n] for n, weight in stored.items()})
            if y is not None and close(y, _largest(x, values[3], values.get(2))):
                named = {"kernel": stored[3], "bias": stored.get(2)}
                weights = {name: weight for name, weight in named.items() if weight is not None}
                return Claim(cut.inputs, {"use_bias": 2 in stored}, weights, cut.nodes)
        return None


def _largest(x: Array, kernel: Array, bias: Array | None) -> Array:
    import numpy as np

    y = np.einsum("bi,kio->bko", x, kernel)
    return np.asarray((y if bias is None else y + bias).max(1))


@register_layer
class Highway(LayerCodec):
    """Highway.  t = sigmoid(x @ kernel_carry + bias_carry);
    y = t * activation(x @ kernel + bias) + (1 - t) * x

    Shapes:  x (batch, n), kernels (n, n), biases (n,)
    Weights: kernel, bias, kernel_carry, bias_carry
    Source:  Keras 1.2.2, Highway.call
    """

    class_name = "Highway"
    weights = ("kernel", "bias", "kernel_carry", "bias_carry")
    optional_weights = {"bias": "use_bias", "bias_carry": "use_bias"}
    config = {"activation": "linear", "use_bias": True}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        through = graph.op("Sigmoid", _affine(layer, x, graph, "_carry"))
        y = write_activation(layer.config["activation"], _affine(layer, x, graph), graph)
        kept = graph.op("Mul", graph.op("Sub", 1.0, through), x)
        return [graph.op("AddV2", graph.op("Mul", y, through), kept)]


@register_layer
class ParametricSoftplus(LayerCodec):
    """ParametricSoftplus.  y = alpha * softplus(beta * x)

    Shapes:  x (batch, ...), alpha and beta as x without batch, 1 along shared axes
    Weights: alpha, beta
    Source:  Keras 1.2.2, ParametricSoftplus.call
    """

    class_name = "ParametricSoftplus"
    supports_masking = True
    weights = ("alpha", "beta")

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        alpha, beta = (graph.weight(layer.weight(name), name) for name in self.weights)
        soft = graph.op("Softplus", graph.op("Mul", beta, inputs[0]))
        return [graph.op("Mul", soft, alpha)]


@register_layer
class SReLU(LayerCodec):
    """SReLU.  With tr = t_left + abs(t_right):
    y = t_left + clip(relu(x - t_left), 0, tr - t_left) - a_left * relu(t_left - x)
        + a_right * relu(x - tr)

    Shapes:  x (batch, ...), weights as x without batch, 1 along shared axes
    Weights: t_left, a_left, t_right, a_right
    Source:  Keras 1.2.2, SReLU.call
    """

    class_name = "SReLU"
    supports_masking = True
    weights = ("t_left", "a_left", "t_right", "a_right")

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        left, below, right, above = (graph.weight(layer.weight(n), n) for n in self.weights)
        end = graph.op("AddV2", left, graph.op("Abs", right))
        x = graph.op("Sub", inputs[0], left)
        middle = graph.op("Minimum", graph.op("Relu", x), graph.op("Sub", end, left))
        lower = graph.op("Mul", below, graph.op("Relu", graph.op("Neg", x)))
        upper = graph.op("Mul", graph.op("Relu", graph.op("Sub", inputs[0], end)), above)
        y = graph.op("AddV2", left, graph.op("Sub", middle, lower))
        return [graph.op("AddV2", y, upper)]


@register_layer
class BatchNormalizationOfKeras1(LayerCodec):
    """BatchNormalization of Keras 1 in a mode that takes its statistics from x, always.

    mode 1: along the last axis, of every sample; s = sqrt(variance + epsilon),
            y = gamma * (x - mean) / (s + epsilon) + beta
    mode 2: of the whole batch, for every place along ``axis``;
            y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    Weights: gamma, beta, and moving_mean, moving_variance, which nothing reads
    Source:  Keras 1.2.2, BatchNormalization.call
    """

    class_name = "BatchNormalizationOfKeras1"
    supports_masking = True
    weights = ("gamma", "beta", "moving_mean", "moving_variance")
    non_trainable = ("moving_mean", "moving_variance")
    config = {"mode": 1, "axis": -1, "epsilon": 0.001}
    note = "mode 1 and 2"

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x, mode, epsilon = inputs[0], layer.config["mode"], layer.config["epsilon"]
        rank = len(known_shape(x, graph, "BatchNormalization"))
        if mode not in (1, 2):
            raise ConversionError("unknown mode", expected="0, 1 or 2", found=mode)
        axis = axes_of(layer.config["axis"] if mode == 2 else -1, rank)[0]
        over = [k for k in range(rank) if k != axis] if mode == 2 else [axis]
        mean = graph.op("Mean", x, over, keep_dims=True)
        square = graph.op("SquaredDifference", x, mean)
        variance = graph.op("Mean", square, over, keep_dims=True)
        spread = graph.op("Sqrt", graph.op("AddV2", variance, epsilon))
        if mode == 1:
            spread = graph.op("AddV2", spread, epsilon)
        normal = graph.op("RealDiv", graph.op("Sub", x, mean), spread)
        sizes = [-1 if k == axis else 1 for k in range(rank)]
        gamma, beta = (
            graph.op("Reshape", graph.weight(layer.weight(name), name), sizes)
            for name in ("gamma", "beta")
        )
        return [graph.op("AddV2", graph.op("Mul", normal, gamma), beta)]


@register_layer
class Merge(LayerCodec):
    """Merge by cosine.  y = (a . b) / max(sqrt((a . a) * (b . b)), 1e-7), and an axis of 1

    The other modes are read as layers of later majors; a merge by a function is refused, since
    the function is Python code.

    Shapes: a and b (batch, n), y (batch, 1, 1); see Dot for more axes
    Source: Keras 1.2.2, Merge.call
    """

    class_name = "Merge"
    arity = None
    config = {"mode": "sum", "mode_type": "raw", "dot_axes": -1}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode = layer.config["mode"]
        if mode != "cos" or layer.config["mode_type"] != "raw" or len(inputs) != 2:
            raise ConversionError(
                "a Merge by a function holds Python code, which is never run", found=f"{mode!r:.40}"
            )
        dot = Layer("Dot", "dot", {"axes": layer.config["dot_axes"], "normalize": False})
        dot.config = Dot().completed(dot.config, {})

        def product(a: str, b: str) -> str:
            return Dot().write(dot, [a, b], graph)[0]

        a, b = inputs
        norm = graph.op("Sqrt", graph.op("Mul", product(a, a), product(b, b)))
        length = graph.op("Maximum", norm, 1e-7)
        return [graph.op("ExpandDims", graph.op("RealDiv", product(a, b), length), 1)]
