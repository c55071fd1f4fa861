"""From one Keras to another and back: weights keep their bytes, and the model computes the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.layers import bind
from modelfmt.layers.inference import LayerForm, inference_form
from modelfmt.surgery.convert import convert

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS = sorted(GOLDEN.glob("keras-h5/*/model.h5")) + sorted(GOLDEN.glob("keras/*/model.keras"))
#: Operations go there and back in other words.
_IN_WORDS = ("tensor_ops", "mini_transformer", "rnn_zoo")


def digests(path: Path) -> list[tuple[str, str, str | None]]:
    with modelfmt.open(path) as model:
        network = bind(model.network)
        return sorted(
            (layer.name, name, tensor.sha256())
            for layer in network.walk() for name, tensor in layer.weights.items()
        )  # fmt: skip


def form(path: Path) -> list[LayerForm]:
    with modelfmt.open(path) as model:
        return inference_form(bind(model.network))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.parent.name)
def test_there_and_back(path: Path, tmp_path: Path) -> None:
    """2 to 3 to 2, 3 to 2 to 3, and 1 to 3 and 2: bit-equal weights."""
    if "theano" in path.parent.name:
        pytest.skip("Theano's kernels are turned")
    with modelfmt.open(path) as model:
        other = 2 if model.network.keras_major == 3 else 3
    own = 5 - other
    convert(path, tmp_path / "own.h5", keras=own)
    convert(path, tmp_path / "there.h5", keras=other)
    convert(tmp_path / "there.h5", tmp_path / "back.h5", keras=own)
    assert digests(tmp_path / "own.h5") == digests(path) or "keras1" in path.parent.name
    assert digests(tmp_path / "there.h5") == digests(tmp_path / "own.h5")
    assert digests(tmp_path / "back.h5") == digests(tmp_path / "own.h5")
    if not any(word in path.parent.name for word in _IN_WORDS):
        assert form(tmp_path / "back.h5") == form(tmp_path / "own.h5")
