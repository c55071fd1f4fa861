"""Identity: nothing touched means the same bytes, saved again or put together from parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import modelfmt
from modelfmt.tf.graphdef import write_graphdef

FilesOf = Callable[[Path], dict[str, bytes]]


def again(model: Path) -> str:
    """A name for the copy: a .meta gives the checkpoint beside it its name."""
    return f"again{model.name.removeprefix('model')}"


def test_nothing_touched_means_the_same_bytes(
    saved: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    out = tmp_path / again(saved)
    with modelfmt.open(saved) as container:
        container.save(str(out))
    assert files_of(out) == files_of(saved)


def test_reading_everything_touches_nothing(
    saved: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    out = tmp_path / again(saved)
    with modelfmt.open(saved) as container:
        if container.has_graph:
            for graph in (container.graph, *container.graph.functions.values()):
                for node in graph.values():
                    dict(node.attrs)
        for name in container.tensors:
            container.tensors[name].sha256()
        container.save(str(out))
    assert files_of(out) == files_of(saved)


def test_taken_apart_and_put_together(whole: Path, tmp_path: Path, files_of: FilesOf) -> None:
    modelfmt.extract(whole, tmp_path / "parts")
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(whole)
    assert (done.kind, done.edited) == (whole.parents[1].name, [])


def test_the_parts_alone_are_enough(whole: Path, tmp_path: Path, files_of: FilesOf) -> None:
    """The source may be gone, and the folder of parts elsewhere."""
    case = Path(shutil.copytree(whole.parent, tmp_path / "case"))
    modelfmt.extract(case / whole.name, tmp_path / "parts")
    shutil.rmtree(case)
    (tmp_path / "parts").rename(tmp_path / "moved")
    modelfmt.assemble(tmp_path / "moved", tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(whole)


def test_a_text_touched_without_a_change_keeps_the_bytes(
    whole: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    """A remark in every text of a message: all is compared, and all is found to be the same."""
    modelfmt.extract(whole, tmp_path / "parts")
    for text in (tmp_path / "parts").rglob("*.pbtxt"):
        if not text.with_suffix(".bin").exists():
            continue  # the text is the file itself
        text.write_text(f"# a remark\n{text.read_text()}")
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(whole)


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
