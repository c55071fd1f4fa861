"""The report of a conversion: node by node, layer by layer, what became of it.

    {"source", "destination", "kind", "error": null or text,
     "nodes": [{"node", "op", "fate", "layer", "class_name"}],
     "layers": [{"layer", "class_name", "fate"}], "notes": [text]}

JSON, or text where the file's name ends in .txt or .md. Fates of nodes: see layers/account.py. A
layer is ``written``, ``said otherwise`` (with other layers, for what the target lacks), or
``dropped`` (it acts in training only).
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from modelfmt.layers.account import NodeFate
from modelfmt.layers.registry import codec_for
from modelfmt.layers.regularization import VanishingCodec
from modelfmt.network import Layer, Network
from modelfmt.storage.output import atomic_output

_TRAINING = {
    "training_config": "the training configuration", "optimizer_weights": "the optimizer's weights",
}  # fmt: skip


@dataclasses.dataclass
class ConversionReport:
    """What is told of one conversion; filled in as it goes."""

    source: str
    destination: str
    kind: str
    nodes: list[NodeFate] = dataclasses.field(default_factory=list)
    layers: list[dict[str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    error: str | None = None

    def guessed_ends(self, inputs: bool, outputs: bool) -> None:
        """Note which ends of a graph nobody stated."""
        if inputs:
            self.notes.append("inputs guessed: the graph's Placeholders")
        if outputs:
            self.notes.append("outputs guessed: the tensors that nothing reads")

    def note_layers(self, before: Iterable[Layer], network: Network, of_graph: bool) -> None:
        """Note what became of the layers that a conversion began with."""
        after = {layer.name: layer.class_name for layer in network.walk()}
        for layer in before:
            fate = "written" if after.get(layer.name) == layer.class_name else "said otherwise"
            if of_graph and _vanishes(layer):
                fate = "dropped"
            self.layers.append(
                {"layer": layer.name, "class_name": layer.class_name, "fate": fate}
            )
        if of_graph:
            self.notes += [
                f"dropped: {name}" for key, name in _TRAINING.items() if network.extras.get(key)
            ]

    def save(self, path: str, *, force: bool = False) -> None:
        """Write it, as text where the name ends in .txt or .md."""
        text = self.text() if path.endswith((".txt", ".md")) else self.json()
        with atomic_output(path, force=force) as output:
            output.file.write(text.encode())

    def json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    def text(self) -> str:
        """Counts first, then every node and layer."""
        lines = [f"{self.source} -> {self.destination} ({self.kind})", ""]
        if self.error:
            lines += [f"not converted: {self.error}", ""]
        for title, rows in (
            ("nodes", [(f.node, f.op, f.fate, f.layer, f.class_name) for f in self.nodes]),
            ("layers", [(f["layer"], f["class_name"], f["fate"]) for f in self.layers]),
        ):
            if rows:
                counts = Counter(row[2] for row in rows)
                told = ", ".join(f"{count} {fate}" for fate, count in counts.most_common())
                lines += [f"{title}: {told}", "", *_table(rows), ""]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def _vanishes(layer: Layer) -> bool:
    return layer.class_name != "InputLayer" and layer.network is None and isinstance(
        codec_for(layer), VanishingCodec
    )


def _table(rows: list[Any]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    padded = (
        [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows
    )
    return [f"  {'  '.join(cells)}".rstrip() for cells in padded]
