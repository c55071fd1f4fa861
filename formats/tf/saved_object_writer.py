"""Object graphs, writing: that of a SavedModel and, with checkpoint keys, that of its bundle.

    SavedObjectGraph     1 nodes  2 concrete_functions    in MetaGraphDef.object_graph_def
    TrackableObjectGraph 1 nodes                          the bundle's _CHECKPOINTABLE_OBJECT_GRAPH

Both number the same objects alike; node 0 is the root. Functions stand at the end, and in the
SavedModel only. A variable's key is the shortest way to it from the root, as objects.py tells.
Source: tensorflow/core/protobuf/saved_object_graph.proto, trackable_object_graph.proto,
tensorflow/python/saved_model/save.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from modelfmt import proto
from modelfmt.errors import MismatchError
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import TensorInfo
from modelfmt.tf.metagraph_writer import fill_shape
from modelfmt.tf.objects import ATTRIBUTES, VALUE, ObjectGraph, ObjectNode

#: The object whose children are the signatures, by their keys, and its name below the root.
SIGNATURES, SIGNATURE_MAP = "signatures", "signature_map"


@dataclasses.dataclass(frozen=True)
class SavedVariable:
    """A variable: its value, its label, and whether an optimizer may change it."""

    value: Tensor
    name: str
    trainable: bool = True


@dataclasses.dataclass(frozen=True)
class SavedFunction:
    """A function of the graph's library as the objects know it.

    Attributes:
        name: in the library.
        inputs: by the keyword they are called with, in the order of the function's arguments.
        outputs: by key, in the order of the function's results.
        captured: the nodes of the variables that fill the last arguments.
    """

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    captured: Sequence[int] = ()


@dataclasses.dataclass
class SavedThing:
    """One object: its children's node ids by attribute name, and what it is.

    Attributes:
        children: in the order in which ways to them are looked for.
        what: a variable or a function; the identifier of any other object.
        metadata: JSON that goes with the identifier, or empty.
    """

    children: dict[str, int]
    what: SavedVariable | SavedFunction | str
    metadata: str = ""


def variable_keys(things: Sequence[SavedThing]) -> dict[int, str]:
    """The checkpoint key of each variable, by node id. Raises MismatchError: out of reach."""
    paths = ObjectGraph([ObjectNode(thing.children, {}) for thing in things]).paths
    keys = {}
    for number, thing in enumerate(things):
        if isinstance(thing.what, SavedVariable):
            if number not in paths:
                raise MismatchError(f'no way leads to the variable "{thing.what.name}"')
            keys[number] = paths[number] + ATTRIBUTES + VALUE
    return keys


def write_trackables(things: Sequence[SavedThing]) -> bytes:
    """The TrackableObjectGraph for the bundle. Read by: ``objects.parse_objects``."""
    keys = variable_keys(things)
    kept = [thing for thing in things if not isinstance(thing.what, SavedFunction)]
    holding = _holding(kept)
    message = proto.TrackableObjectGraph()
    for number, thing in enumerate(kept):
        node = message.nodes.add()
        for name, child in thing.children.items():
            if child < len(kept):
                node.children.add(node_id=child, local_name=name)
        if isinstance(thing.what, SavedVariable):
            node.attributes.add(
                name=VALUE, full_name=thing.what.name, checkpoint_key=keys[number]
            )
        node.has_checkpoint_values.value = number in holding
    return message.SerializeToString(deterministic=True)


def write_saved_objects(things: Sequence[SavedThing]) -> bytes:
    """The SavedObjectGraph. Read by: ``saved_objects.read_saved_objects``."""
    message = proto.SavedObjectGraph()
    for thing in things:
        node = message.nodes.add()
        for name, child in thing.children.items():
            node.children.add(node_id=child, local_name=name)
        if isinstance(thing.what, SavedVariable):
            _fill_variable(node.variable, thing.what)
        elif isinstance(thing.what, SavedFunction):
            _fill_bare(node.bare_concrete_function, thing.what)
            _fill_concrete(message.concrete_functions[thing.what.name], thing.what)
        else:
            node.user_object.identifier = thing.what
            node.user_object.metadata = thing.metadata
            node.user_object.version.producer = 1
            node.user_object.version.min_consumer = 1
    return message.SerializeToString(deterministic=True)


def _holding(things: Sequence[SavedThing]) -> set[int]:
    """The objects that hold a variable, themselves or below them."""
    holding = {n for n, thing in enumerate(things) if isinstance(thing.what, SavedVariable)}
    size = 0
    while size != len(holding):
        size = len(holding)
        holding |= {
            n for n, thing in enumerate(things) if not holding.isdisjoint(thing.children.values())
        }
    return holding


def _fill_variable(message: proto.SavedVariable, variable: SavedVariable) -> None:
    message.dtype = variable.value.dtype.enum
    fill_shape(message.shape, variable.value.shape)
    message.trainable = variable.trainable
    message.name = variable.name


def _fill_bare(message: proto.SavedBareConcreteFunction, function: SavedFunction) -> None:
    """How a signature is called: with keywords; a lone argument needs none."""
    message.concrete_function_name = function.name
    message.argument_keywords.extend(function.inputs)
    message.allowed_positional_arguments = int(len(function.inputs) == 1)
    spec = message.function_spec
    named = spec.fullargspec.named_tuple_value
    named.name = "FullArgSpec"
    for key in (
        "args", "varargs", "varkw", "defaults", "kwonlyargs", "kwonlydefaults", "annotations",
    ):  # fmt: skip
        value = named.values.add(key=key).value
        if key in ("args", "kwonlyargs"):
            value.list_value.SetInParent()
        elif key == "annotations":
            value.dict_value.SetInParent()
        else:
            value.none_value.SetInParent()
        if key == "kwonlyargs":
            for keyword in function.inputs:
                value.list_value.values.add(string_value=keyword)
    spec.input_signature.none_value.SetInParent()


def _fill_concrete(message: proto.SavedConcreteFunction, function: SavedFunction) -> None:
    """The structure of what goes in, ``((), {key: spec})``, and of what comes out."""
    message.bound_inputs.extend(function.captured)
    arguments = message.canonicalized_input_signature.tuple_value
    arguments.values.add().tuple_value.SetInParent()
    _fill_specs(arguments.values.add().dict_value, function.inputs)
    _fill_specs(message.output_signature.dict_value, function.outputs)


def _fill_specs(message: proto.DictValue, infos: Mapping[str, TensorInfo]) -> None:
    message.SetInParent()
    for key, info in infos.items():
        spec = message.fields[key].tensor_spec_value
        spec.name = key
        fill_shape(spec.shape, info.shape)
        spec.dtype = info.dtype.enum if info.dtype is not None else 0
