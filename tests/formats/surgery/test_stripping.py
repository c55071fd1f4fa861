"""What is stripped from graphs: optimizer, training, what nothing uses."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import UnsupportedError
from modelfmt.graph import Node
from modelfmt.storage.files import piece_bytes
from modelfmt.surgery.graph_edits import GraphEditor
from modelfmt.surgery.renaming import Renaming
from modelfmt.surgery.stripping import strip_training, strip_unused
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.nodedef import write_node

GOLDEN = Path(__file__).parents[3] / "golden"
META = GOLDEN / "metagraph/keras2.1.2-tf1.4.1-linear_regression/model.ckpt.meta"
SAVED = next(
    p for p in (GOLDEN / "savedmodel/rawtf1.15.5-raw_convnet").iterdir() if p.is_dir()
)
FUNCTIONS = GOLDEN / "graphdef/rawtf2.21.0-module_control_v2cf/model.pb"


@pytest.mark.parametrize("what", ["optimizer", "training"])
@pytest.mark.parametrize("source", [META, SAVED], ids=["metagraph", "savedmodel"])
def test_weights_stay_and_the_rest_goes(source: Path, what: str, tmp_path: Path) -> None:
    out = tmp_path / ("x.meta" if source.is_file() else "x")
    modelfmt.edit(source, out, strip=[what])
    with modelfmt.open(source) as a, modelfmt.open(out) as b:
        old, new = set(a.tensors), set(b.tensors)
        assert new < old
        for name in old - new:
            assert any(s in name for s in ("Adam", "beta", "SGD", "training", "global_step"))
        assert not any("Adam" in n or n.startswith(("SGD", "training")) for n in new)
        assert all(a.tensors[n].sha256() == b.tensors[n].sha256() for n in new)
        assert len(b.graph) < len(a.graph)
    assert modelfmt.check(out) == []


def graph_of(*nodes: Node) -> GraphEditor:
    from modelfmt.storage.splice import delimited

    data = b"".join(piece_bytes(p) for n in nodes for p in delimited(1, write_node(n)))
    return GraphEditor(WireGraph(data), None, "x.pb")


def test_a_graph_where_everything_trains() -> None:
    editor = graph_of(Node("x", "Placeholder"), Node("loss/mean", "Mean", ["x", "x"]))
    with pytest.raises(UnsupportedError, match="nothing tells training from inference"):
        strip_training(editor)


def test_a_graph_whose_output_goes_into_a_loss() -> None:
    editor = graph_of(
        Node("x", "Placeholder"), Node("y", "Relu", ["x"]), Node("loss/mean", "Mean", ["y", "y"])
    )
    strip_training(editor)
    editor.finish(Renaming({}))
    assert editor.stripped == {"loss/mean"}


def test_unused_constants_and_functions() -> None:
    editor = graph_of(Node("a", "Const"), Node("b", "Const", ["^a"]), Node("x", "Placeholder"))
    strip_unused(editor)
    assert editor.stripped == {"a", "b"}
    whole = GraphEditor(WireGraph(FUNCTIONS.read_bytes()), None, "x.pb")
    strip_unused(whole)
    assert whole.graph.edits.functions == set()
    for name in list(whole.graph):
        whole.stripped.add(name)
    strip_unused(whole)
    assert whole.graph.edits.functions == set(whole.graph.functions)
