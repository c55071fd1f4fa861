"""The picture of a container: of its layers where it states them, else of its nodes or tensors.

    layers   one box each, a nested model a scope; with class, weights and config
    nodes    one box each, but for weights: a Const or a variable, and what only reads it, stands in
             the box of its readers. A function stands within the first node that calls it
    tensors  one box each, of files that hold nothing else
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import ModelFormatError
from modelfmt.graph import Dims, Func, Graph, Node, Shape, parse_input
from modelfmt.network import Network, Ref, parents
from modelfmt.surgery.graph_rows import own_graph
from modelfmt.surgery.layer_rows import copied
from modelfmt.surgery.stated import network_of_savedmodel
from modelfmt.surgery.view_boxes import Box, Picture, gathered, grouped, scoped
from modelfmt.tensor import Tensor

_Edges = list[tuple[Box, Box, bool]]

#: A value of a config or attr is told in so many characters.
_TOLD = 200
_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
#: Functions within functions are drawn down to so many.
_CALLS = 20
#: What freezing and reading add to a weight's name.
_HANDED = re.compile(r"(/(ReadVariableOp(_\d+)?|resource|read))+$")
#: Ops that hand a weight on.
_READ = ("Identity", "ReadVariableOp", "Enter", "RefEnter")


def picture_of(container: Container) -> Picture:
    """What a container shows.

    Raises:
        ModelFormatError: its structure cannot be read.
    """
    edges: _Edges = []
    network = container.network if container.has_network else _stated(container)
    if network is not None:
        top = _layers(_bound(network), "", edges)
    elif container.has_graph:
        graph = own_graph(container)
        top = gathered(_nodes(graph, "", edges, graph.functions, set()), edges)
    else:
        top = scoped({n: _tensor(n, container.tensors[n]) for n in container.tensors})
    name = os.path.basename(os.path.normpath(container.path))
    return Picture.of(name, container.kind, top, edges)


def _stated(container: Container) -> Network | None:
    try:
        return network_of_savedmodel(container)
    except ModelFormatError:  # the graph tells as well
        return None


# -- layers ---------------------------------------------------------------------------------------


def _bound(network: Network) -> Network:
    """The network with weights by their canonical names, where a layer is known and has its own."""
    from modelfmt.layers import bind

    if network.keras_major == 1:  # whose layers would become those of Keras 3
        return network
    layers = []
    for layer in network.layers:
        one = dataclasses.replace(
            network, layers=[copied(layer)], inputs=[], outputs=[], extras=dict(network.extras)
        )
        try:
            bind(one)
        except ModelFormatError:
            layers.append(layer)
        else:
            layers.append(one.layers[0])
    return dataclasses.replace(network, layers=layers)


def _layers(network: Network, prefix: str, edges: _Edges) -> list[Box]:
    boxes: dict[str, Box] = {}
    nested: dict[str, dict[str, Box]] = {}
    for layer in network.layers:
        box = boxes[layer.name] = Box(layer.name, prefix + layer.name, layer.class_name)
        if layer.network is not None:
            box.children = _layers(layer.network, f"{prefix}{layer.name}/", edges)
            nested[layer.name] = {leaf.name: leaf for leaf in _leaves(box)}
        box.lines = [_line(*item) for item in layer.weights.items()]
        box.details = [(key, _told(value)) for key, value in layer.config.items() if key != "name"]
        box.details += [(t.name, _line("", t)) for t in layer.weights.values()]
    own: _Edges = []
    networks = {layer.name: layer.network for layer in network.layers}
    for layer in network.layers:
        for call in range(len(layer.calls)):
            for at, ref in enumerate(parents(layer, call)):
                source = _end(ref.layer, ref.index, "outputs", boxes, nested, networks, prefix)
                target = _end(layer.name, at, "inputs", boxes, nested, networks, prefix)
                if source is not None and target is not None:
                    edges.append((source, target, False))
                if ref.layer in boxes:
                    own.append((boxes[ref.layer], boxes[layer.name], False))
    return grouped(list(boxes.values()), own)


def _end(
    name: str, at: int, side: str, boxes: Mapping[str, Box],
    nested: Mapping[str, Mapping[str, Box]], networks: Mapping[str, Network | None], prefix: str,
) -> Box | None:  # fmt: skip
    """The box that an edge ends at: of a nested model the layer that takes or gives the tensor."""
    inner = networks.get(name)
    refs: Sequence[Ref] = [] if inner is None else getattr(inner, side)
    if at < len(refs):
        path = f"{prefix}{name}/{refs[at].layer}"
        found = nested[name].get(path)
        while found is None:  # a nested model gives what one within it gives
            below = [leaf for leaf in nested[name] if leaf.startswith(f"{path}/")]
            found = nested[name][below[-1 if side == "outputs" else 0]] if below else boxes[name]
        return found
    return boxes.get(name)


def _leaves(box: Box) -> Iterator[Box]:
    stack = [box]
    while stack:
        one = stack.pop()
        if one.children:
            stack.extend(reversed(one.children))
        else:
            yield one


def _told(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}\u2026"


def _line(name: str, tensor: Tensor) -> str:
    """``kernel float32 [3, 3, 64]``"""
    short = name.rpartition("/")[2].partition(":")[0]
    return f"{short} {tensor.dtype} {list(tensor.shape)}".strip()


def _tensor(name: str, tensor: Tensor) -> Box:
    size = f"{tensor.size:,} elements"
    return Box(name.rpartition("/")[2], name, str(tensor.dtype), [str(list(tensor.shape))], [
        ("elements", size),
    ])  # fmt: skip


# -- nodes ----------------------------------------------------------------------------------------


def _nodes(
    graph: Graph, prefix: str, edges: _Edges, library: Mapping[str, Graph], drawn: set[str],
    level: int = 0,
) -> list[Box]:  # fmt: skip
    """Boxes of a graph's nodes; ``drawn`` has the functions whose bodies stand somewhere."""
    weights = _weights(graph)
    boxes: dict[str, Box] = {}
    arguments = list(getattr(graph, "arguments", []))
    for name in arguments:
        boxes[name] = Box(name, f"{prefix}{name}", "argument")
    for name, node in graph.items():
        if name in weights:
            continue
        box = Box(name.rpartition("/")[2], prefix + name, node.op)
        boxes[name] = box
        if node.device:
            box.details.append(("device", node.device))
        box.details += [
            (key, _attr(value)) for key, value in node.attrs.items() if not key.startswith("_")
        ]
        box.children = list(_bodies(node, prefix + name, edges, library, drawn, level))
    for name, box in boxes.items():
        found = graph.find(name)
        for text in found.inputs if found is not None else ():
            source = parse_input(text)
            if source.node in weights:
                if source.port >= 0:
                    box.lines.append(_weight_line(weights[source.node], name))
            elif source.node in boxes:
                edges.append((boxes[source.node], box, source.port < 0))
    for output, tensor in dict(getattr(graph, "results", {})).items():
        box = Box(output, f"{prefix}{output}", "result")
        source = parse_input(tensor)
        if source.node in boxes:
            edges.append((boxes[source.node], box, False))
        elif source.node in weights:
            box.lines.append(_weight_line(weights[source.node], output))
        boxes[f"\0{output}"] = box  # a result may be called as a node is
    return scoped(boxes)


def _bodies(
    node: Node, prefix: str, edges: _Edges, library: Mapping[str, Graph], drawn: set[str],
    level: int,
) -> Iterator[Box]:  # fmt: skip
    """The functions that a node calls, those that stand nowhere yet."""
    if not library or level > _CALLS:
        return
    for key, value in (("", Func(node.op)), *node.attrs.items()):
        for function in value if isinstance(value, list) else [value]:
            if isinstance(function, Func) and function.name in library:
                name = function.name
                if name in drawn:
                    continue
                drawn.add(name)
                path = f"{prefix}/{name}"
                body = _nodes(library[name], f"{path}/", edges, library, drawn, level + 1)
                if body:
                    yield Box(f"{key} {name}".strip(), path, "function", children=body)


def _weights(graph: Graph) -> dict[str, tuple[str, str]]:
    """The nodes that stand in their readers' boxes: name, and dtype and shape, of the weight."""
    found: dict[str, tuple[str, str]] = {}
    readers = graph.consumers()
    for name, node in graph.items():
        if readers[name] and not any(i.startswith("^") for i in node.inputs):
            told = _weight(node)
            if told is not None:
                found[name] = (name, told)
    todo = list(found)
    while todo:
        name = todo.pop()
        for reader in readers[name]:
            node = graph[reader]
            if (
                node.op in _READ and reader not in found and readers[reader]
                and node.inputs == [name]
            ):  # fmt: skip
                found[reader] = found[name]
                todo.append(reader)
    return found


def _weight_line(weight: tuple[str, str], reader: str) -> str:
    """A weight as its reader's box tells of it: its name without what both share."""
    name, told = weight
    name = _HANDED.sub("", name)
    scope = reader.rpartition("/")[0]
    if name == reader:
        return told
    for prefix in (reader, scope):
        if prefix and name.startswith(f"{prefix}/"):
            return f"{name[len(prefix) + 1 :]} {told}"
    return f"{'/'.join(name.split('/')[-2:])} {told}"


def _weight(node: Node) -> str | None:
    if node.op == "Const":
        value = node.attrs.get("value")
        return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else None
    if node.op in _VARIABLES:
        shape, dtype = node.attrs.get("shape"), node.attrs.get("dtype")
        dims: Dims = shape.dims if isinstance(shape, Shape) else None
        return f"{_attr(dtype)} {'?' if dims is None else list(dims)}"
    return None


def _attr(value: Any) -> str:
    if isinstance(value, bytes):
        return _told(value.decode("utf-8", "replace"))
    if isinstance(value, Tensor):
        return _line("", value)
    if isinstance(value, list):
        return _told("[" + ", ".join(_attr(one) for one in value[:20]) + "]")
    if isinstance(value, Func):
        return _told(value.name)
    if isinstance(value, bool | int | float | str | Shape | DType):
        return _told(str(value))
    return _told(repr(value))
