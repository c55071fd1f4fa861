"""What dump says of a graph."""

from __future__ import annotations

from pathlib import Path

import modelfmt
from modelfmt.surgery.graph_rows import fed_rows, graph_rows, made_rows, own_graph
from modelfmt.tf.functiondef import read_gradients
from modelfmt.tf.graphdef import WireGraph

GOLDEN = Path(__file__).parents[3] / "golden"


def test_functions_stand_apart() -> None:
    with modelfmt.open(GOLDEN / "savedmodel/rawtf2.3.4-module_mlp/saved_model") as container:
        faults: list[str] = []
        rows = graph_rows(own_graph(container), faults)
        assert faults == [] and sum(rows["ops"].values()) == len(own_graph(container))
        assert sum(rows["ops"].values()) < len(container.graph)
        assert sum(rows["function_ops"].values()) == sum(rows["functions"].values())


def test_the_name_of_the_checkpoint_is_not_fed() -> None:
    path = GOLDEN / "metagraph/keras2.3.1-tf1.15.5-lstm_seq/model.ckpt.meta"
    with modelfmt.open(path) as container:
        names = [row["name"] for row in fed_rows(container.graph)]
        assert names == ["keras_learning_phase", "lstm_a_input"]  # nor is what sets a variable
        made = [row["name"] for row in made_rows(container.graph)]
        assert "out/BiasAdd" in made and not any("Assign" in name for name in made)


def test_gradients() -> None:
    from modelfmt import proto

    message = proto.GraphDef()
    message.library.gradient.add(function_name="f", gradient_func="df")
    raw = message.SerializeToString()
    assert list(read_gradients(raw)) == [("f", "df")] == list(read_gradients(WireGraph(raw).source))
