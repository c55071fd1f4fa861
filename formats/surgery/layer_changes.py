"""Changes between two models that state their layers: classes, configs, connections, weights.

Layers are matched by name; of those left over, a layer that is gone and one that is new are the
same one renamed if class, config and the shapes of the weights agree. Configs by one major of Keras
are compared strictly, by one version down to how they spell a thing. Otherwise the normalised ones
are, and a key that one side leaves out is none where the other has null, false or the default.
Between files of two kinds, versions, training and what no layer owns are left out. The time at
which Keras 3 saved a file is never a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from modelfmt.errors import ModelFormatError, located
from modelfmt.keras.archive import KerasArchive
from modelfmt.keras.h5 import KerasH5
from modelfmt.layers.codec import plain
from modelfmt.layers.registry import codec_for
from modelfmt.network import Config, Layer, Network
from modelfmt.surgery.changes import (
    ADDED,
    CHANGED,
    MOVED,
    REMOVED,
    RENAMED,
    Change,
    Tolerance,
    compare_values,
    in_order,
    out_of_order,
    same,
)
from modelfmt.surgery.config_rows import (
    besides_layers,
    call_tree,
    ref_text,
    row_at,
    rows_of,
    without_addresses,
    without_layers,
)
from modelfmt.surgery.elements import compare_tensors
from modelfmt.surgery.graph_changes import same_bytes
from modelfmt.surgery.layer_weights import Way, bound, by_layer, named, short_name
from modelfmt.surgery.model_changes import described, tensor_changes
from modelfmt.tensor import Tensor

Layered: TypeAlias = KerasH5 | KerasArchive
#: Keys of serialised objects that tell where the code is, not what it does.
_ADDRESS = frozenset({"module", "registered_name", "shared_object_id", "build_config"})
_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


def layered_changes(a: Layered, b: Layered, tolerance: Tolerance) -> Iterator[Change]:
    """The changes between two files that state their layers.

    Raises:
        ModelFormatError: the layers cannot be read.
    """
    alike = a.kind == b.kind
    strict = alike and a.network.keras_major == b.network.keras_major
    comparison = _Comparison(a, b, tolerance, strict)
    if alike:
        yield from file_changes(a, b)
    yield from comparison.networks(a.network, b.network, ())
    yield from comparison.weights()
    if alike:
        rest = [
            {k: c.tensors[k] for k in c.tensors if k not in seen}
            for c, seen in zip((a, b), comparison.seen, strict=True)
        ]
        for part in ("optimizer", "tensors"):
            left, right = ({k: t for k, t in m.items() if _part(k) == part} for m in rest)
            yield from tensor_changes(left, right, tolerance, part)


def _part(key: str) -> str:
    return "optimizer" if key.startswith(("optimizer/", "optimizer_weights/")) else "tensors"


def unread_changes(a: Layered, b: Layered, tolerance: Tolerance) -> Iterator[Change]:
    """The changes between two files of one kind whose configs are no models of known layers."""
    yield from file_changes(a, b)
    yield from compare_values("model", "", "", *(without_layers(c.model_config) for c in (a, b)))
    rows = [rows_of(c.model_config) for c in (a, b)]
    yield from compare_values("model", "", "layers", *rows)
    yield from tensor_changes(a.tensors, b.tensors, tolerance, "weights")


def file_changes(a: Layered, b: Layered) -> Iterator[Change]:
    """The changes of what a file states besides its model: versions, training, assets."""
    for item in ("keras_version", "backend"):
        values = getattr(a, item, None), getattr(b, item, None)
        if values[0] != values[1]:
            yield Change("versions", "", CHANGED, item, *values)
    compiled = [{"config": c} if c else {} for c in (a.training_config, b.training_config)]
    yield from compare_values("training", "", "", *map(without_addresses, compiled))
    if isinstance(a, KerasArchive) and isinstance(b, KerasArchive):
        left, right = ([n for n in c.archive.names() if n not in _MEMBERS] for c in (a, b))
        for name in in_order(left, right):
            if name not in right or name not in left:
                yield Change("files", name, REMOVED if name in left else ADDED)
            elif not same_bytes(a.archive.member(name), b.archive.member(name)):
                yield Change("files", name, CHANGED, "content")


class _Comparison:
    """Two models compared; ``seen`` has the datasets that layers own, of each file."""

    def __init__(self, a: Layered, b: Layered, tolerance: Tolerance, strict: bool) -> None:
        self.a, self.b, self.tolerance, self.strict = a, b, tolerance, strict
        self.seen: tuple[set[str], set[str]] = (set(), set())
        self.spelled = strict and a.keras_version == b.keras_version
        self.renamed: dict[Way, str] = {}

    # -- layers ---------------------------------------------------------------------------------

    def networks(self, a: Network, b: Network, scope: Way) -> Iterator[Change]:
        """The changes between two models; ``scope`` leads to them, in a's names."""
        pairs, only_b = self._matched(a, b)
        names = {left.name: right.name for left, right in pairs}
        self.renamed.update({(*scope, x): y for x, y in names.items() if x != y})
        yield from self._model(a, b, scope, names)
        partner = {left.name: right for left, right in pairs}
        for layer in a.layers:
            if layer.name in partner:
                yield from self._layer(scope, layer, partner[layer.name], names)
            else:
                yield Change("layers", named(scope, layer.name), REMOVED, a=layer.class_name)
        for layer in only_b:
            yield Change("layers", named(scope, layer.name), ADDED, b=layer.class_name)
        order = [names[layer.name] for layer in a.layers if layer.name in names]
        for name in out_of_order(order, [layer.name for layer in b.layers]):
            if self.strict:
                yield Change("layers", named(scope, name), MOVED)

    def _matched(
        self, a: Network, b: Network
    ) -> tuple[list[tuple[Layer, Layer]], list[Layer]]:
        """The pairs of layers, and those of b without a partner."""
        known = {layer.name: layer for layer in b.layers}
        pairs = [(layer, known[layer.name]) for layer in a.layers if layer.name in known]
        taken = {layer.name for layer, _ in pairs}
        only_a = [layer for layer in a.layers if layer.name not in taken]
        only_b = [layer for layer in b.layers if layer.name not in taken]
        for left in list(only_a):
            for right in only_b:
                if self._is_renamed(left, right):
                    pairs.append((left, right))
                    only_a.remove(left)
                    only_b.remove(right)
                    break
        return pairs, only_b

    def _is_renamed(self, a: Layer, b: Layer) -> bool:
        if _outline(a) != _outline(b) or any(self._configs("", "", a, b)):
            return False
        inner = [[_outline(x) for x in y.network.walk()] if y.network else [] for y in (a, b)]
        return inner[0] == inner[1]

    def _layer(
        self, scope: Way, a: Layer, b: Layer, names: Mapping[str, str]
    ) -> Iterator[Change]:
        where = named(scope, a.name)
        if a.name != b.name:
            yield Change("layers", where, RENAMED, a=a.name, b=b.name)
        if a.class_name != b.class_name:
            yield Change("layers", where, CHANGED, "class", a.class_name, b.class_name)
        found = list(self._configs("layers", where, a, b))
        yield from found
        calls = [
            [call_tree(call, known) for call in layer.calls]
            for layer, known in ((a, names), (b, dict[str, str]()))
        ]
        if calls[0] != calls[1]:
            yield from compare_values("layers", where, "calls", *calls, lenient=not self.strict)
        elif self.spelled and not found and a.class_name == b.class_name:
            yield from self._rows(scope, a, b)
        if a.network is not None and b.network is not None:
            yield from self.networks(a.network, b.network, (*scope, a.name))

    def _configs(self, part: str, where: str, a: Layer, b: Layer) -> Iterator[Change]:
        configs = plain(a.config), plain(b.config)
        if self.strict:
            yield from compare_values(part, where, "config", *map(without_addresses, configs))
            return
        left, right = (_meaning(c) for c in configs)
        defaults = _defaults(a)
        for key in in_order(list(left), list(right)):
            if key in left and key in right:
                yield from compare_values(
                    part, where, f"config.{key}", left[key], right[key], lenient=True
                )
                continue
            value = left.get(key, right.get(key))
            if value and not same(value, defaults.get(key)):
                what = REMOVED if key in left else ADDED
                yield Change(part, where, what, f"config.{key}", left.get(key), right.get(key))

    def _rows(self, scope: Way, a: Layer, b: Layer) -> Iterator[Change]:
        """What two configs that mean the same say differently, or of nothing."""
        rows = []
        for container, way in ((self.a, (*scope, a.name)), (self.b, self._in_b((*scope, a.name)))):
            found = row_at(container.model_config, way)
            rows.append(None if found is None else without_layers(found))
        if rows[0] is not None and rows[1] is not None:
            yield from compare_values("layers", named(scope, a.name), "", *rows)

    def _model(
        self, a: Network, b: Network, scope: Way, names: Mapping[str, str]
    ) -> Iterator[Change]:
        where = "/".join(scope)
        if not where:
            said = [{"name": n.name, "kind": n.kind} for n in (a, b)]
            yield from compare_values("model", where, "", *said)
            if self.spelled:
                rest = [besides_layers(c.model_config) for c in (self.a, self.b)]
                yield from compare_values("model", where, "", *rest)
        for item in ("inputs", "outputs"):
            left = [ref_text(ref, names) for ref in getattr(a, item)]
            right = [ref_text(ref) for ref in getattr(b, item)]
            if left != right:
                yield Change("model", where, CHANGED, item, left, right)

    # -- weights --------------------------------------------------------------------------------

    def weights(self) -> Iterator[Change]:
        """The changes between the weights of all layers."""
        rows = self._weights_of_both()
        for way, left in rows[0].items():
            right = rows[1].get(self._in_b(way))
            yield from self._weights(way, left, right if right is not None else {})
        renamed = {self._in_b(way) for way in rows[0]}
        for way, right in rows[1].items():
            if way not in renamed:
                yield from self._weights(way, {}, right)

    def _weights_of_both(self) -> list[dict[Way, dict[str, Tensor]]]:
        rows = [dict(by_layer(bound(container.network))) for container in (self.a, self.b)]
        for seen, row in zip(self.seen, rows, strict=True):
            for tensors in row.values():
                seen.update(t.origin.key or "" for t in tensors.values())
        return rows

    def _in_b(self, way: Way) -> Way:
        """The way to a layer in b of one in a."""
        return tuple(self.renamed.get(way[: k + 1], name) for k, name in enumerate(way))

    def _weights(
        self, way: Way, a: Mapping[str, Tensor], b: Mapping[str, Tensor]
    ) -> Iterator[Change]:
        if list(a) != list(b) and len(a) == len(b):
            # Named after a scope that differs; a layer's weights stand in a fixed order.
            b = dict(zip(a, b.values(), strict=True))
        for name in in_order(list(a), list(b)):
            where = named(way, short_name(name, way[-1]))
            if name not in b:
                yield Change("weights", where, REMOVED, a=described(a[name]))
            elif name not in a:
                yield Change("weights", where, ADDED, b=described(b[name]))
            else:
                with located(key=f'weight "{where}"'):
                    yield from compare_tensors("weights", where, a[name], b[name], self.tolerance)


def _outline(layer: Layer) -> tuple[str, list[str]]:
    return layer.class_name, [described(tensor) for tensor in layer.weights.values()]


def _meaning(value: Any) -> Any:
    """A config without what tells only where the code is."""
    if isinstance(value, dict):
        kept = {k: _meaning(v) for k, v in value.items() if k not in _ADDRESS}
        if "class_name" in kept and isinstance(kept.get("config"), dict):
            kept["config"].pop("dtype", None)  # of an initializer: Keras 3 takes the weight's
        return kept
    return [_meaning(v) for v in value] if isinstance(value, list) else value


def _defaults(layer: Layer) -> Config:
    try:
        codec = codec_for(layer)
    except ModelFormatError:
        return {}
    return {key: plain(value) for key, value in codec.config.items()}
