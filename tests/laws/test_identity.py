"""Identity: open, save, nothing touched: the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import UnsupportedError
from modelfmt.tf.graphdef import write_graphdef


def test_nothing_touched_means_the_same_bytes(graphdef: Path, tmp_path: Path) -> None:
    out = tmp_path / graphdef.name
    with modelfmt.open(graphdef) as container:
        container.save(str(out))
    assert out.read_bytes() == graphdef.read_bytes()


def test_reading_everything_touches_nothing(graphdef: Path, tmp_path: Path) -> None:
    out = tmp_path / graphdef.name
    with modelfmt.open(graphdef) as container:
        for graph in (container.graph, *container.graph.functions.values()):
            for node in graph.values():
                dict(node.attrs)
        for name in container.tensors:
            container.tensors[name].numpy()
        container.save(str(out))
    assert out.read_bytes() == graphdef.read_bytes()


def test_an_edit_taken_back_leaves_the_same_graph(
    binary_graphdef: Path, tmp_path: Path
) -> None:
    """The bytes of the edited node may be spelled anew; its meaning and all others are not."""
    from modelfmt import proto

    out = tmp_path / binary_graphdef.name
    with modelfmt.open(binary_graphdef) as container:
        node = next(iter(container.graph.values()))
        node.device, device = "/gpu:0", node.device
        container.save(str(out))
        assert out.read_bytes() != binary_graphdef.read_bytes()
        node.device = device
        container.save(str(out), force=True)
    assert out.read_bytes() == binary_graphdef.read_bytes()
    assert proto.GraphDef.FromString(out.read_bytes())


def test_writing_a_files_graph_anew_keeps_its_bytes(
    binary_graphdef: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again.pb"
    with modelfmt.open(binary_graphdef) as container:
        write_graphdef(container.graph, str(out))
    assert out.read_bytes() == binary_graphdef.read_bytes()


def respelled(source: Path, out: Path) -> None:
    with modelfmt.open(source) as container:
        write_graphdef(container.graph, str(out), text=out.suffix == ".pbtxt")


def test_binary_to_text_and_back_is_the_same_message(
    binary_graphdef: Path, tmp_path: Path
) -> None:
    from modelfmt import proto

    text, again = tmp_path / "g.pbtxt", tmp_path / "again.pb"
    respelled(binary_graphdef, text)
    respelled(text, again)
    first = proto.GraphDef.FromString(binary_graphdef.read_bytes())
    assert proto.GraphDef.FromString(again.read_bytes()) == first


def test_text_to_binary_and_back_is_the_same_text(text_graphdef: Path, tmp_path: Path) -> None:
    binary, again = tmp_path / "g.pb", tmp_path / "again.pbtxt"
    respelled(text_graphdef, binary)
    respelled(binary, again)
    assert again.read_text() == text_graphdef.read_text()


def test_what_cannot_be_saved_says_so(layered: Path, tmp_path: Path) -> None:
    """Kinds without ``save`` yet refuse by name, and leave nothing behind."""
    with (
        modelfmt.open(layered) as container,
        pytest.raises(UnsupportedError, match="not supported yet"),
    ):
        container.save(str(tmp_path / layered.name))
    assert list(tmp_path.iterdir()) == []
