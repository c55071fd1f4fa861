"""Changes between two models in inference form: what they compute, not how they are spelled.

See ``layers/inference.py`` for the form. Layers are matched in order, by class and, where they
have weights, by name. What stands between them is compared too: config, weights, connections.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from modelfmt.container import Container
from modelfmt.errors import located
from modelfmt.layers.inference import LayerForm, inference_form
from modelfmt.network import Network, Ref
from modelfmt.surgery.changes import (
    ADDED,
    CHANGED,
    REMOVED,
    RENAMED,
    Change,
    Tolerance,
    compare_values,
    in_order,
)
from modelfmt.surgery.config_rows import ref_text
from modelfmt.surgery.convert import network_of
from modelfmt.surgery.elements import compare_tensors
from modelfmt.surgery.model_changes import described
from modelfmt.tf.metagraph import GraphWithVariables


def form_changes(a: Container, b: Container, tolerance: Tolerance) -> Iterator[Change]:
    """The changes between the inference forms of two containers.

    Raises:
        ConversionError: the layers of one cannot be had, or have no inference form.
    """
    networks: list[Network] = []
    forms: list[list[LayerForm]] = []
    for container in (a, b):
        with located(path=container.path):
            networks.append(network_of(container))
    if isinstance(a, GraphWithVariables) or isinstance(b, GraphWithVariables):
        _order_ends(*networks)
    for container, network in zip((a, b), networks, strict=True):
        with located(path=container.path):
            forms.append(inference_form(network))
    left, right = forms
    places = dict(_aligned(left, right))
    partner = {y: x for x, y in places.items()}
    for x, y in _merged(len(left), len(right), places):
        if y is None and x is not None:
            yield Change("layers", _named(left[x]), REMOVED, a=left[x].class_name)
        elif x is None and y is not None:
            yield Change("layers", _named(right[y]), ADDED, b=right[y].class_name)
        elif x is not None and y is not None:
            yield from _layer(left[x], right[y], tolerance)
            yield from _connections(left, right, x, y, partner)


def _order_ends(a: Network, b: Network) -> None:
    """Give b's inputs and outputs a's order where names tell: a signature's keys have none."""
    for ends_a, ends_b in ((a.inputs, b.inputs), (a.outputs, b.outputs)):
        known = {ref.layer: ref for ref in ends_b}
        names = [ref.layer for ref in ends_a]
        if len(known) == len(ends_b) and sorted(known) == sorted(names):
            ends_b[:] = [known[name] for name in names]


def _key(form: LayerForm) -> tuple[str, str]:
    return form.class_name, form.name


def _aligned(a: Sequence[LayerForm], b: Sequence[LayerForm]) -> Iterator[tuple[int, int]]:
    """Places in a and b of layers that are the same one, or were."""
    keys_a, keys_b = ([_key(form) for form in forms] for forms in (a, b))
    matcher = difflib.SequenceMatcher(None, keys_a, keys_b, autojunk=False)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(range(i, i_end), range(j, j_end), strict=True)
        elif tag == "replace":  # renamed, mostly: the same classes in the same order
            left, right = ([f.class_name for f in fs] for fs in (a[i:i_end], b[j:j_end]))
            inner = difflib.SequenceMatcher(None, left, right, autojunk=False)
            for x, y, size in inner.get_matching_blocks():
                yield from ((i + x + k, j + y + k) for k in range(size))


def _merged(
    a: int, b: int, places: dict[int, int]
) -> Iterator[tuple[int | None, int | None]]:
    """Every place of both lists once, pairs together, in order."""
    done = 0
    for x in range(a):
        y = places.get(x)
        if y is not None:
            yield from ((None, k) for k in range(done, y))
            done = y + 1
        yield x, y
    yield from ((None, k) for k in range(done, b))


def _named(form: LayerForm) -> str:
    return form.name or form.origin


def _layer(a: LayerForm, b: LayerForm, tolerance: Tolerance) -> Iterator[Change]:
    where = _named(a)
    if a.name != b.name:
        yield Change("layers", where, RENAMED, a=a.name, b=b.name)
    yield from compare_values("layers", where, "config", a.config, b.config)
    left, right = ({w.name: w for w in form.weights} for form in (a, b))
    for name in in_order(list(left), list(right)):
        weight = f"{where}/{name}"
        if name not in right:
            yield Change("weights", weight, REMOVED, a=described(a.tensors[name]))
        elif name not in left:
            yield Change("weights", weight, ADDED, b=described(b.tensors[name]))
        elif left[name] != right[name]:
            yield from compare_tensors(
                "weights", weight, a.tensors[name], b.tensors[name], tolerance
            )


def _connections(
    a: Sequence[LayerForm], b: Sequence[LayerForm], x: int, y: int, partner: dict[int, int]
) -> Iterator[Change]:
    calls = [
        [[_translated(ref, partner) for ref in call] for call in b[y].calls],
        [[_translated(ref, None) for ref in call] for call in a[x].calls],
    ]
    if calls[0] != calls[1]:
        shown_a, shown_b = (
            [[_source(ref, forms) for ref in call] for call in forms[k].calls]
            for forms, k in ((a, x), (b, y))
        )
        yield Change("layers", _named(a[x]), CHANGED, "inputs", shown_a, shown_b)
    if a[x].yields != b[y].yields:
        ends_a, ends_b = ([f"output {n}" for n, _ in f.yields] for f in (a[x], b[y]))
        yield Change("layers", _named(a[x]), CHANGED, "yields", ends_a, ends_b)


def _translated(ref: Ref, partner: dict[int, int] | None) -> Ref:
    """A Ref of b's in a's places; one without partner stays different from all of a's."""
    if partner is None or not ref.layer.isdigit():
        return ref
    place = partner.get(int(ref.layer))
    return Ref("only in b" if place is None else str(place), ref.call, ref.index)


def _source(ref: Ref, forms: Sequence[LayerForm]) -> str:
    if not ref.layer.isdigit():
        return f"input {ref.index}"
    form = forms[int(ref.layer)]
    return ref_text(ref, {ref.layer: _named(form) or form.class_name})
