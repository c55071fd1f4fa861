"""TensorFlow 1 graphs that no Keras wrote, frozen, become layers: the frameworks judge them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelfmt

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent
#: The layers that stand for what was written by hand, without what any graph has.
LAYERS = {
    "bare_perceptron": ["Dense", "Dense", "Dropout", "Dense"],
    "bare_convnet": ["Rescaling", "Conv2D", "BatchNormalization", "Activation", "MaxPooling2D",
                     "Flatten", "Dense"],
    "bare_old_normalization": ["BatchNormalization", "Activation"],
    "bare_formulas": ["BatchNormalization", "LeakyReLU", "Activation", "Activation", "ELU", "ReLU"],
    "bare_highway": ["Dense", "Dense", "Rescaling", "Multiply", "Multiply", "Add"],
    "bare_siamese": ["Dense", "Dot"],
    "bare_prelu": ["Conv2D", "PReLU", "PReLU"],
    "bare_attention_of_features": ["Dense", "Multiply"],
    "slim_resnet_v2": ["BatchNormalization", "Activation", "Conv2D", "Conv2D",
                       "BatchNormalization", "Activation", "Conv2D", "Add",
                       "GlobalAveragePooling2D"],
    "contrib_layer_norm": ["GroupNormalization"],
    "contrib_instance_norm": ["Conv2D", "GroupNormalization", "Activation", "Add", "Activation",
                              "Rescaling"],
    "contrib_layer_norm_of_steps": ["LayerNormalization"],
    "folded": ["Conv2D", "BatchNormalization", "Activation"],
    "layers_convnet": ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D",
                       "SeparableConv2D", "Flatten", "Dense", "Dense"],
    "layers_steps": ["Conv1D", "BatchNormalization", "Dense", "AveragePooling1D"],
}  # fmt: skip


@pytest.fixture
def made(bench: Any, tmp_path: Path) -> Any:
    """A Bench with the graphs that tf1_graphs.py made."""
    task = tmp_path / "tf1.json"
    task.write_text(json.dumps({"folder": str(tmp_path)}))
    command = [sys.executable, str(HERE / "tf1_graphs.py"), str(task)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    table = bench(3)
    table.models = json.loads(Path(f"{task}.out").read_text())
    return table


def test_graphs_written_by_hand(made: Any) -> None:
    verdicts = made.convert([("pb", "h5", 3), ("pb", "h5", 2)])
    print(*verdicts, sep="\n")
    # Scales that were folded, and kernels by rows, are other bytes than the variables'.
    wrong = [str(v) for v in verdicts if v.refused or v.raised or v.error > v.tolerance]
    assert not wrong, "\n".join(wrong)
    assert len(verdicts) == 2 * len(made.models) >= 30
    for verdict in verdicts:
        if verdict.model not in LAYERS or not verdict.route.endswith(">h5"):
            continue
        with modelfmt.open(verdict.path) as file:
            found = [x.class_name for x in file.network.layers if x.class_name != "InputLayer"]
        assert sorted(found) == sorted(LAYERS[verdict.model]), verdict.model
