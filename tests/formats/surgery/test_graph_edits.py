"""Graphs edited: what names a node is renamed with it, what is needed is not deleted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import dtypes
from modelfmt.errors import MismatchError, MissingError
from modelfmt.storage.files import piece_bytes
from modelfmt.surgery.graph_edits import GraphEditor, key_renamed
from modelfmt.surgery.renaming import Renaming
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.metagraph import MetaGraphFile

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression/model.pb"
META = GOLDEN / "metagraph/keras2.1.2-tf1.4.1-linear_regression/model.ckpt.meta"
LOOP = GOLDEN / "graphdef/rawtf1.4.1-raw_control_flow/model.pb"


def editor_of(path: Path) -> GraphEditor:
    return GraphEditor(WireGraph(path.read_bytes()), None, str(path))


def written(editor: GraphEditor) -> WireGraph:
    return WireGraph(b"".join(map(piece_bytes, editor.graph.pieces())))


def test_all_of_a_meta_is_renamed(tmp_path: Path) -> None:
    with modelfmt.open(META) as source:
        assert isinstance(source, MetaGraphFile)
        scope = next(n for n in source.tensors if "/" in n).split("/")[0]
    modelfmt.edit(META, tmp_path / "x.meta", rename={scope: "renamed"})
    raw = (tmp_path / "x.meta").read_bytes()
    for before in (b"^", b"\n", b"@", b'"'):
        assert before + scope.encode() + b"/" not in raw
    with modelfmt.open(tmp_path / "x.meta") as made:
        assert isinstance(made, MetaGraphFile)
        assert set(made.values) and modelfmt.check(tmp_path / "x.meta") == []
        for node in made.graph.values():
            for text in node.inputs:
                assert text.lstrip("^").split(":")[0] in made.graph


def test_loops_keep_their_frames() -> None:
    editor = editor_of(LOOP)
    frames = {n.attrs["frame_name"] for n in editor.graph.values() if "frame_name" in n.attrs}
    scope = str(sorted(map(str, frames))[0]).split("/")[0]
    editor.finish(Renaming({scope: "loop"}))
    found = {n.attrs["frame_name"] for n in written(editor).values() if "frame_name" in n.attrs}
    assert found == {
        f"loop{str(f)[len(scope):]}" if str(f).split("/")[0] == scope else f for f in frames
    }


def test_what_is_needed_is_not_deleted() -> None:
    editor = editor_of(GRAPH)
    read = next(i for n in editor.graph.values() for i in n.inputs)
    assert editor.delete(read)
    with pytest.raises(MismatchError, match=f'"{read}" cannot be deleted: node'):
        editor.finish(Renaming({}))


def test_what_a_message_names_is_not_deleted() -> None:
    with modelfmt.open(META) as source:
        assert isinstance(source, MetaGraphFile)
        saver = source.metagraph.saver
        assert saver is not None
        editor = GraphEditor(source.metagraph.graph, source.metagraph, source.path)
        assert editor.delete(saver.restore_op)
        with pytest.raises(MismatchError, match="the saver names it"):
            editor.finish(Renaming({}))


def test_the_last_node_is_deleted() -> None:
    editor = editor_of(GRAPH)
    last = list(editor.graph)[-1]
    assert editor.delete(last) and not editor.delete("nothing/*")
    editor.finish(Renaming({}))
    assert last not in written(editor)


def test_set() -> None:
    editor = editor_of(GRAPH)
    name = next(n for n, d in editor.graph.items() if d.op == "MatMul")
    editor.set_attr(name, "transpose_a", "true")
    editor.finish(Renaming({}))
    assert written(editor)[name].attrs["transpose_a"] is True
    with pytest.raises(MissingError, match="no attr 'transpose'"):
        editor.set_attr(name, "transpose", "true")
    with pytest.raises(MissingError, match="no node"):
        editor.set_attr("nothing", "x", "1")


def test_cast_keeps_the_name_and_the_dtype_that_others_see() -> None:
    editor = editor_of(GRAPH)
    old = {n: d.attrs["value"] for n, d in editor.graph.items() if d.op == "Const"}
    editor.cast(dtypes.from_name("float16"))
    editor.finish(Renaming({}))
    made = written(editor)
    for name, value in old.items():
        if not value.shape:  # type: ignore[union-attr]
            assert made[name].op == "Const"
            continue
        node = made[name]
        assert (node.op, node.attrs["DstT"]) == ("Cast", dtypes.float32)
        stored = made[node.inputs[0]].attrs["value"].numpy()  # type: ignore[union-attr]
        wanted = value.numpy().astype(np.float16)  # type: ignore[union-attr]
        np.testing.assert_array_equal(stored, wanted)


def test_ways_through_objects_stay() -> None:
    renaming = Renaming({"dense": "fc"})
    assert key_renamed("dense/kernel", renaming) == "fc/kernel"
    way = "dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert key_renamed(way, renaming) == way
