"""Entries of a functional config that are operations, not layers.

    Keras 3           any class of keras.ops, by its module: config = the constructor's arguments,
                      the call holds tensors, numbers and slices in order
    TFOpLambda        tf.keras 2.4 to 2.15: config {"function": "math.add"}; the call's first
    SlicingOpLambda   argument, then all others by name
    TensorFlowOpLayer tf.keras 2.0 to 2.3: config {"node_def": NodeDef, "constants": {"1": 2.0}}
    ClassMethod, InstanceMethod, InstanceProperty
                      tf.keras 2.4 on: of ragged and sparse tensors, which are not written

What they compute stands in tables, one room a kind: ``math`` and the others of this package. None
has weights, and none is recognised: a graph's nodes come back as layers. Source: Keras
ops/operation.py; tf_keras layers/core/tf_op_layer.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.operations.nodes import write_node
from modelfmt.layers.operations.table import find
from modelfmt.layers.operations.values import Ops, revived
from modelfmt.layers.registry import OPERATION, register_layer
from modelfmt.network import Config, Layer

#: What stands in the config of every tf.keras layer, and is no argument of an operation.
_OF_LAYERS = frozenset({"name", "trainable", "dtype", "function"})


class OperationCodec(LayerCodec):
    """An operation: arguments of any kind, no weights."""

    module = "keras.ops"
    arity = None
    takes_literals = True

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """As it stands: the config and the call's literals are all there is."""
        return [layer]


@register_layer
class KerasOperation(OperationCodec):
    """An operation of keras.ops, Keras 3.

    Nodes: as its row of the tables says        Source: Keras, ops/*.py
    """

    class_name = OPERATION

    def write_call(
        self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], graph: GraphBuilder
    ) -> list[str]:
        found = find(layer.class_name)
        if found is None:
            raise ConversionError(
                f"the operation {layer.class_name} of Keras 3 cannot be written as a graph"
            )
        config = {key: value for key, value in layer.config.items() if key != "name"}
        merged = revived({**config, **kwargs})
        return found(Ops(graph, keras=True), revived(list(args)), merged)


class _Function(OperationCodec):
    """A function of TensorFlow, by its name in the config."""

    def write_call(
        self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], graph: GraphBuilder
    ) -> list[str]:
        name = str(layer.config.get("function"))
        found = find(name) if name[:1].islower() or name[:1] == "_" else None
        if found is None:
            raise ConversionError(f"the function tf.{name} cannot be written as a graph")
        return found(Ops(graph, keras=False), revived(list(args)), revived(dict(kwargs)))


@register_layer
class TFOpLambda(_Function):
    """TFOpLambda.  A function of TensorFlow, applied to a tensor by tf.keras 2.4 and later

    Nodes: as its row of the tables says        Source: tf_keras, TFOpLambda
    """

    class_name = "TFOpLambda"


@register_layer
class SlicingOpLambda(_Function):
    """SlicingOpLambda.  x[key]

    Nodes: StridedSlice        Source: tf_keras, SlicingOpLambda
    """

    class_name = "SlicingOpLambda"


@register_layer
class TensorFlowOpLayer(OperationCodec):
    """TensorFlowOpLayer.  One node of a graph, its constants beside it, tf.keras 2.0 to 2.3

    Nodes: the one in the config        Source: tf_keras, TensorFlowOpLayer
    """

    class_name = "TensorFlowOpLayer"

    def write_call(
        self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], graph: GraphBuilder
    ) -> list[str]:
        inputs = [x for a in args for x in (a if isinstance(a, list) else [a])]
        return write_node(layer.config, inputs, graph)


class _Foreign(OperationCodec):
    """What only ragged and sparse tensors have."""

    def write_call(
        self, layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any], graph: GraphBuilder
    ) -> list[str]:
        said = {key: v for key, v in layer.config.items() if key not in _OF_LAYERS}
        raise ConversionError(
            f"a {self.class_name} of ragged or sparse tensors cannot be written as a graph",
            found=_sentence(said),
        )


def _sentence(said: Config) -> str:
    return ", ".join(f"{key}={value}" for key, value in said.items())


@register_layer
class ClassMethod(_Foreign):
    """ClassMethod.  A method of a class such as tf.RaggedTensor; not written

    Source: tf_keras, ClassMethod
    """

    class_name = "ClassMethod"


@register_layer
class InstanceMethod(_Foreign):
    """InstanceMethod.  A method of a ragged or sparse tensor; not written

    Source: tf_keras, InstanceMethod
    """

    class_name = "InstanceMethod"


@register_layer
class InstanceProperty(_Foreign):
    """InstanceProperty.  A property of a ragged or sparse tensor; not written

    Source: tf_keras, InstanceProperty
    """

    class_name = "InstanceProperty"
