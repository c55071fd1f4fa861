"""Locality: edit one node, and nothing but its own span of the file differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import modelfmt
from modelfmt.graph import Node
from modelfmt.storage import wire
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.graphdef import GraphDefFile
from modelfmt.tf.nodedef import read_node


def opened(path: Path) -> GraphDefFile:
    container = modelfmt.open(path)
    assert isinstance(container, GraphDefFile)
    return container


def spans_of(data: bytes) -> dict[str, wire.Span]:
    """Every node's field in a GraphDef, by the node's name."""
    return {
        read_node(data[s.offset : s.end]).name: s for s in wire.scan(data) if s.field == 1
    }


def node_after(before: bytes, after: bytes, name: str) -> Node:
    """The edited node, once all bytes before and after its field are found unchanged."""
    span, moved = spans_of(before)[name], spans_of(after)[name]
    assert moved.start == span.start
    assert after[: span.start] == before[: span.start]
    assert after[moved.end :] == before[span.end :]
    assert after[moved.offset : moved.end] != before[span.offset : span.end]
    return read_node(after[moved.offset : moved.end])


def test_an_attr(binary_graphdef: Path, tmp_path: Path) -> None:
    before, out = binary_graphdef.read_bytes(), tmp_path / "edited.pb"
    with opened(binary_graphdef) as container:
        name = list(container.graph)[len(container.graph) // 2]
        container.graph[name].attrs["_note"] = "edited"
        container.save(str(out))
    edited = node_after(before, out.read_bytes(), name)
    assert edited.attrs["_note"] == "edited"


def test_an_attr_of_any_node(binary_graphdef: Path) -> None:
    before = binary_graphdef.read_bytes()
    for name in spans_of(before):
        with opened(binary_graphdef) as container:
            container.graph[name].attrs["_note"] = "edited"
            after = b"".join(map(piece_bytes, container.graph.pieces()))
        assert node_after(before, after, name).attrs["_note"] == "edited"


def test_the_other_attrs_of_the_node_keep_their_bytes(binary_graphdef: Path) -> None:
    before = binary_graphdef.read_bytes()
    with opened(binary_graphdef) as container:
        name = next(n for n, node in container.graph.items() if node.op == "Const")
        container.graph[name].attrs["_note"] = "edited"
        after = b"".join(map(piece_bytes, container.graph.pieces()))
    span = spans_of(before)[name]
    assert before[span.offset : span.end] in after


def test_a_constant(binary_graphdef: Path, tmp_path: Path) -> None:
    before = binary_graphdef.read_bytes()
    with opened(binary_graphdef) as container:
        floats = [n for n, t in container.tensors.items() if t.dtype.name == "float32"]
    for k, name in enumerate(floats):
        out = tmp_path / f"{k}.pb"
        with opened(binary_graphdef) as container:
            wanted = container.tensors[name].numpy() + np.float32(1)
            container.tensors[name] = wanted
            container.save(str(out))
        node_after(before, out.read_bytes(), name)
        with opened(out) as container:
            np.testing.assert_array_equal(container.tensors[name].numpy(), wanted)
    assert floats


def test_an_input_and_a_device(binary_graphdef: Path, tmp_path: Path) -> None:
    before, out = binary_graphdef.read_bytes(), tmp_path / "edited.pb"
    with opened(binary_graphdef) as container:
        name, node = next((n, d) for n, d in container.graph.items() if d.inputs)
        node.inputs[-1:] = [node.inputs[-1], "^nowhere"]
        node.device = "/cpu:0"
        wanted = list(node.inputs)
        container.save(str(out))
    edited = node_after(before, out.read_bytes(), name)
    assert (edited.inputs, edited.device) == (wanted, "/cpu:0")


def test_text_differs_within_the_block_of_the_node(text_graphdef: Path, tmp_path: Path) -> None:
    before, out = text_graphdef.read_text(), tmp_path / "edited.pbtxt"
    with opened(text_graphdef) as container:
        name = next(n for n, node in container.graph.items() if node.op == "Const")
        container.graph[name].attrs["_note"] = "edited"
        container.save(str(out))
    blocks, edited = before.split("\nnode {"), out.read_text().split("\nnode {")
    changed = [k for k, (a, b) in enumerate(zip(blocks, edited, strict=True)) if a != b]
    assert len(changed) == 1
    assert f'name: "{name}"' in blocks[changed[0]]
