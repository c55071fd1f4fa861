"""The optimizer and what a model is compiled with, on its way from one file to another.

Where the target can hold it (.h5, .keras) it goes along in the target's spelling; elsewhere, and
where there is no spelling for it, a sentence tells what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.container import Container
from modelfmt.keras.training import TRAINING, read_training
from modelfmt.network import Network
from modelfmt.tensor import Tensor

#: The kinds that hold it.
_HOLDERS = ("keras-h5", "keras")
#: Kinds of which nobody expects it.
_SILENT = ("graphdef", "metagraph", "savedmodel")


def carry_training(
    container: Container, network: Network, kind: str, major: int, strip: Sequence[str] = ()
) -> list[str]:
    """Put what a file says of training with its network, for the writer.

    Args:
        container: the source.
        network: its layers, bound.
        kind, major: the target's, and the Keras that is to read it.
        strip: with "optimizer" in it, nothing is carried and nothing said.

    Returns:
        Sentences that tell what is left out.
    """
    stated: Any = getattr(container, "training_config", None)
    if not isinstance(stated, dict):
        stated = network.extras.get("training_config") or network.extras.get("compile_config")
    if not isinstance(stated, dict) or not stated or "optimizer" in strip:
        return []
    if kind not in _HOLDERS:
        return [] if kind in _SILENT else [f"a {kind} file has no place for the optimizer"]
    state: Mapping[str, Tensor] = getattr(container, "optimizer", {})
    version = getattr(container, "keras_version", None)
    training, notes = read_training(stated, state, network, version)
    if training is not None:
        network.extras[TRAINING] = training
        if training.slots and kind == "keras-h5" and major == 3:
            notes.append("the optimizer's state is left out: Keras 3 cannot use it from an .h5")
        if training.config.get("weight_decay") and major == 2 and training.optimizer != "AdamW":
            notes.append("the optimizer's weight_decay is left out: Keras 2 has none in .h5")
    return notes
