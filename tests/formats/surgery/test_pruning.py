"""Variables taken out of savers: keys, slices, tensors and outputs move up together."""

from __future__ import annotations

from pathlib import Path

import modelfmt
from modelfmt.graphs.variables import stored
from modelfmt.storage.files import piece_bytes
from modelfmt.surgery.graph_edits import GraphEditor
from modelfmt.surgery.pruning import dependents, prune, source_variable
from modelfmt.surgery.renaming import Renaming
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.metagraph import MetaGraphFile

GOLDEN = Path(__file__).parents[3] / "golden/metagraph"
META = GOLDEN / "keras2.1.2-tf1.4.1-linear_regression/model.ckpt.meta"
SHARDED = next((GOLDEN / "rawtf1.4.1-raw_partitioned_sharded").glob("*.meta"))


def test_one_variable_out_of_the_middle() -> None:
    with modelfmt.open(META) as source:
        assert isinstance(source, MetaGraphFile)
        graph = source.metagraph.graph
        before = stored(graph)
        editor = GraphEditor(graph, None, source.path)
        names = sorted(before)
        gone = dependents(editor, [names[1]])
        assert names[1] in gone and not set(names) & gone - {names[1]}
        keys = prune(editor, gone)
        editor.finish(Renaming({}))
        made = WireGraph(b"".join(map(piece_bytes, graph.pieces())))
    assert keys == [before[names[1]].key]
    assert stored(made) == {n: p for n, p in before.items() if n != names[1]}
    save = next(node for node in made.values() if node.op == "SaveV2")
    assert len(save.data_inputs) - 3 == len(save.attrs["dtypes"]) == len(before) - 1  # type: ignore[arg-type]
    for node in made.values():
        assert all(t.lstrip("^").split(":")[0] in made for t in node.inputs)


def test_a_shard_that_holds_nothing_any_more() -> None:
    with modelfmt.open(SHARDED) as source:
        assert isinstance(source, MetaGraphFile)
        graph = source.metagraph.graph
        saves = [n for n in graph.values() if n.op == "SaveV2"]
        editor = GraphEditor(graph, None, source.path)
        shard = min(saves, key=lambda node: len(node.data_inputs))
        lost = {source_variable(editor, t) for t in shard.data_inputs[3:]}
        count = next(n for n in graph.values() if n.op == "Pack" and "checkpoint" in n.name)
        files = len(count.data_inputs)
        prune(editor, dependents(editor, [name for name in lost if name]))
        editor.finish(Renaming({}))
        made = WireGraph(b"".join(map(piece_bytes, graph.pieces())))
    assert shard.name not in made
    assert sum(n.op == "SaveV2" for n in made.values()) == len(saves) - 1
    assert (made[count.name].attrs["N"], len(made[count.name].data_inputs)) == (
        files - 1, files - 1,
    )  # fmt: skip
