"""Inference form: what is equal in two models that compute the same, however they are spelled.

A dropout leaves no node and an initializer no weight, so a conversion cannot keep everything.
This is what it keeps: layers of the newest Keras major's classes, in the order in which the
outputs need them, each with the config that its codec knows and the digests of its weights;
activations as layers of their own; nested models spread out; what vanishes at inference left
out. Which spellings are one is said by each codec's ``canonical``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import plain
from modelfmt.layers.registry import codec_for
from modelfmt.layers.template import tidy
from modelfmt.layers.writer import write_network
from modelfmt.network import Config, Layer, Network, Ref
from modelfmt.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class WeightForm:
    """A weight: its canonical name, dtype, shape, and the digest of its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str | None


@dataclasses.dataclass(frozen=True)
class LayerForm:
    """A layer in inference form.

    Attributes:
        class_name: canonical, of the newest Keras major.
        config: the entries that its codec knows, defaults filled in.
        name: of the layer if it has weights, else empty: the others come and go.
        weights: in canonical order.
        calls: for each application the tensors it takes. A Ref's ``layer`` is the place in the
            list of forms, as text, or "input" with ``index`` telling which.
        yields: the model's outputs that it makes, as (number of the output, call).
        origin: the layer of the network that it comes from; not compared.
        tensors: the weights themselves, by canonical name; not compared, the digests are.
    """

    class_name: str
    config: Config
    name: str = ""
    weights: tuple[WeightForm, ...] = ()
    calls: tuple[tuple[Ref, ...], ...] = ()
    yields: tuple[tuple[int, int], ...] = ()
    origin: str = dataclasses.field(default="", compare=False)
    tensors: Mapping[str, Tensor] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )


@dataclasses.dataclass
class _Step:
    """One application of one canonical layer. Steps with equal keys are calls of one layer."""

    key: object
    layer: Layer
    origin: str
    inputs: list[str]
    outputs: list[str]


def inference_form(network: Network) -> list[LayerForm]:
    """The layers of a bound network in inference form; equal lists mean equal models.

    Digests read every weight. The network's specs are filled in by the way.

    Raises:
        UnknownLayerError: a layer without a codec.
        ConversionError: a configuration that its codec cannot write.
    """
    inputs, outputs, steps = _steps(network)
    made = {name: (step, k) for step in steps for k, name in enumerate(step.outputs)}
    refs: dict[str, Ref] = {name: Ref("input", 0, k) for k, name in enumerate(inputs)}
    places: dict[object, int] = {}
    first: list[_Step] = []
    calls: list[list[tuple[Ref, ...]]] = []
    for step in _in_order(outputs, made):
        if step.key not in places:
            places[step.key] = len(first)
            first.append(step)
            calls.append([])
        place = places[step.key]
        for k, name in enumerate(step.outputs):
            refs[name] = Ref(str(place), len(calls[place]), k)
        calls[place].append(tuple(refs[name] for name in step.inputs))
    ends = [refs[name] for name in outputs]
    return [
        LayerForm(
            step.layer.class_name,
            {key: _round(value) for key, value in sorted(step.layer.config.items())},
            step.layer.name if step.layer.weights else "",
            _weight_forms(step.layer),
            tuple(calls[place]),
            tuple((n, ref.call) for n, ref in enumerate(ends) if ref.layer == str(place)),
            step.origin,
            dict(step.layer.weights),
        )
        for place, step in enumerate(first)
    ]


def _steps(network: Network) -> tuple[list[str], list[str], list[_Step]]:
    """The model's input and output tensors, and every canonical application in between."""
    graph, steps = GraphBuilder(), list[_Step]()
    alias: dict[str, str] = {}

    def listen(completed: Layer, layer: Layer, inputs: list[str], outputs: list[str]) -> None:
        shapes = [graph.shape(name) for name in inputs]
        tensors = [alias.get(name, name) for name in inputs]
        chain = codec_for(completed).canonical(completed, shapes)
        for k, simple in enumerate(chain):
            last = k == len(chain) - 1
            made = [f"{n}#{len(steps)}" for n in (outputs if last else [layer.name])]
            key = (id(layer), k) if simple.weights else object()
            steps.append(_Step(key, simple, layer.name, tensors, made))
            tensors = made
        # What vanishes hands on what it got.
        alias.update(zip(outputs, tensors, strict=True))

    ends = write_network(network, graph, listen)
    sources = [graph[name].inputs[0] for name in ends]
    inputs = [name for name, node in graph.items() if node.op == "Placeholder"]
    return inputs, [alias.get(name, name) for name in sources], steps


def _in_order(outputs: list[str], made: dict[str, tuple[_Step, int]]) -> Iterator[_Step]:
    """The steps that the outputs need, inputs first, each output's before the next one's."""
    done: set[int] = set()
    todo = [(name, False) for name in reversed(outputs)]
    while todo:
        name, leaving = todo.pop()
        if name not in made or id(made[name][0]) in done:
            continue
        step = made[name][0]
        if leaving:
            done.add(id(step))
            yield step
            continue
        todo.append((name, True))
        todo.extend((source, False) for source in reversed(step.inputs))


def _weight_forms(layer: Layer) -> tuple[WeightForm, ...]:
    return tuple(
        WeightForm(name, tensor.dtype.name, tensor.shape, tensor.sha256())
        for name, tensor in layer.weights.items()
    )


def _round(value: Any) -> Any:
    """A config value as a float32 graph holds it, so that 1/6 written and read is the same."""
    return tidy(plain(value))
