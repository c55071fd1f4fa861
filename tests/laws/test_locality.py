"""Locality: edit one node or one tensor, and nothing but its own span of the file differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.graph import Node
from modelfmt.storage import wire
from modelfmt.storage.files import Computed, piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.fingerprint import stale
from modelfmt.tf.graphdef import GraphDefFile
from modelfmt.tf.nodedef import read_node

FilesOf = Callable[[Path], dict[str, bytes]]
DATA = ".data-00000-of-00001"
#: The crc32c of an entry, and that of the block of the index where it stands.
CHECKSUMS = 8


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


# -- checkpoints: the bytes of one tensor, and two checksums ---------------------------------------


def changed(tensor: Tensor) -> Any:
    """Other elements of the same dtype and shape."""
    array = tensor.numpy()
    return ~array if array.dtype == bool else array + array.dtype.type(1)


def differing(before: bytes, after: bytes) -> list[int]:
    """Where two files of one length differ."""
    first, second = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
    return [int(k) for k in np.nonzero(first != second)[0]]


def numbers(path: Path) -> list[str]:
    with modelfmt.open(path) as container:
        return [n for n, t in container.tensors.items() if t.strings is None and t.size]


def digests(path: Path) -> dict[str, str]:
    with modelfmt.open(path) as container:
        return {name: tensor.sha256() for name, tensor in container.tensors.items()}


def test_a_tensor_of_a_checkpoint(bundle: Path, tmp_path: Path, files_of: FilesOf) -> None:
    before, hashes = files_of(bundle), digests(bundle)
    for k, name in enumerate(numbers(bundle)):
        out = tmp_path / str(k)
        with modelfmt.open(bundle) as container:
            assert isinstance(container, Checkpoint) and isinstance(container.reader, Bundle)
            old = container.tensors[name]
            wanted, in_one_piece = changed(old), old.origin.path.endswith(DATA)
            place = range(old.origin.offset or 0, (old.origin.offset or 0) + old.nbytes)
            container.tensors[name] = wanted
            container.save(str(out))
        after = files_of(out)
        if in_one_piece:
            assert set(after) == set(before)
            assert differing(before[DATA], after[DATA])
            assert all(at in place for at in differing(before[DATA], after[DATA]))
            assert len(differing(before[".index"], after[".index"])) <= CHECKSUMS
        now = digests(out)
        assert {n for n in hashes if now[n] != hashes[n]} == {name}
        assert list(now) == list(hashes) and modelfmt.check(out) == []
        with modelfmt.open(out) as container:
            np.testing.assert_array_equal(container.tensors[name].numpy(), wanted)


def largest(folder: Path) -> Path:
    return max(folder.rglob("*.npy"), key=lambda path: (path.stat().st_size, path))


def test_a_tensor_among_the_parts_of_a_checkpoint(
    bundle: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    """Shards stay shards, slices stay slices: only the bytes of the edited one differ."""
    modelfmt.extract(bundle, tmp_path / "parts")
    part = largest(tmp_path / "parts")
    array = np.load(part)
    array.reshape(-1)[-1] += 1
    np.save(part, array)
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    before, after = files_of(bundle), files_of(tmp_path / "again")
    assert done.edited == [part.relative_to(tmp_path / "parts").as_posix()]
    hunks = {end: differing(before[end], after[end]) for end in before if end != ".index"}
    where = [at for found in hunks.values() for at in found]
    assert 1 <= len(where) <= array.itemsize
    assert max(where) - min(where) < array.itemsize
    assert 1 <= len(differing(before[".index"], after[".index"])) <= CHECKSUMS
    assert modelfmt.check(tmp_path / "again") == []


def test_a_weight_among_the_parts_of_a_layered_file(layered: Path, tmp_path: Path) -> None:
    """HDF5 has no checksums; a zip has that of a member twice, beside it and in the directory."""
    modelfmt.extract(layered, tmp_path / "parts")
    part = largest(tmp_path / "parts")
    array = np.load(part)
    array.reshape(-1)[-1] += 1
    np.save(part, array)
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    at = differing(layered.read_bytes(), (tmp_path / "again").read_bytes())
    sums = 8 if layered.parents[1].name == "keras" else 0
    assert 1 <= len(at) <= array.itemsize + sums
    assert sums or at[-1] - at[0] < array.itemsize
    before, after = digests(layered), digests(tmp_path / "again")
    assert len([name for name in before if before[name] != after[name]]) == 1
    assert list(before) == list(after)


# -- texts: one field of one node ------------------------------------------------------------------

NODE = re.compile(r'\n( *)op: "(Placeholder\w*)"\n(?! *device)')


def edited_text(parts: Path, stem: str) -> None:
    """Put the first placeholder in a message's text on a device."""
    path = parts / f"{stem}.pbtxt"
    text, count = NODE.subn(r'\n\1op: "\2"\n\1device: "/job:elsewhere"\n', path.read_text(), 1)
    assert count == 1
    path.write_text(text)


def the_only_change(before: bytes, after: bytes, *way: int) -> tuple[bytes, bytes]:
    """Go down a way of field numbers; on each floor all fields but one are the same bytes."""
    for field in way:
        old, new = list(wire.scan(before)), list(wire.scan(after))
        assert [s.field for s in old] == [s.field for s in new]
        differ = [
            (a, b)
            for a, b in zip(old, new, strict=True)
            if before[a.start : a.end] != after[b.start : b.end]
        ]
        assert [a.field for a, _ in differ] == [field]
        ((a, b),) = differ
        before, after = before[a.offset : a.end], after[b.offset : b.end]
    return before, after


def check_node(before: bytes, after: bytes, *way: int) -> None:
    old, new = the_only_change(before, after, *way)
    assert read_node(new).device == "/job:elsewhere"
    assert read_node(new).name == read_node(old).name
    assert [s.field for s in wire.scan(new) if s.field != 4] == [
        s.field for s in wire.scan(old) if s.field != 4
    ]


def test_a_node_in_the_text_of_a_metagraph(binary_metagraph: Path, tmp_path: Path) -> None:
    modelfmt.extract(binary_metagraph, tmp_path / "parts")
    edited_text(tmp_path / "parts", "meta_graph")
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "again.meta")
    assert done.edited == ["meta_graph.pbtxt"]
    check_node(binary_metagraph.read_bytes(), (tmp_path / "again.meta").read_bytes(), 2, 1)


def test_a_node_in_the_text_of_a_savedmodel(
    binary_savedmodel: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    modelfmt.extract(binary_savedmodel, tmp_path / "parts")
    edited_text(tmp_path / "parts", "saved_model")
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    before, after = files_of(binary_savedmodel), files_of(tmp_path / "again")
    before.pop("fingerprint.pb", None)  # of the content; what was edited has none
    assert set(after) == set(before)
    assert [name for name in before if before[name] != after[name]] == ["saved_model.pb"]
    check_node(before["saved_model.pb"], after["saved_model.pb"], 2, 2, 1)


def test_a_variable_among_the_parts_of_a_savedmodel(
    savedmodel: Path, tmp_path: Path, files_of: FilesOf
) -> None:
    modelfmt.extract(savedmodel, tmp_path / "parts")
    part = largest(tmp_path / "parts" / "variables")
    array = np.load(part)
    array.reshape(-1)[0] += 1
    np.save(part, array)
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again")
    before, after = files_of(savedmodel), files_of(tmp_path / "again")
    assert set(after) == set(before) and not stale(str(tmp_path / "again"))
    if "fingerprint.pb" in before:  # its hash of the index too is another, and takes no more room
        old, new = before.pop("fingerprint.pb"), after.pop("fingerprint.pb")
        assert len(old) == len(new) and 0 < len(differing(old, new)) <= 10
    hunks = {name: len(differing(before[name], after[name])) for name in before
             if before[name] != after[name]}  # fmt: skip
    index = "variables/variables.index"
    data = {name for name in hunks if name.startswith("variables/variables.data-")}
    assert set(hunks) == {index, *data} and len(data) == 1
    assert hunks[index] <= CHECKSUMS and max(hunks[name] for name in data) <= array.itemsize


# -- one weight of every kind: what cmp -l would list ----------------------------------------------


def test_a_minimal_edit(golden: Path, tmp_path: Path) -> None:
    """A same-shape edit changes the weight's bytes and checksums, and moves nothing."""
    if golden.suffix == ".pbtxt" or golden.name == "checkpoint" or not numbers(golden):
        pytest.skip("a text, a state file, or no weights")
    with modelfmt.open(golden) as container:
        tensors = container.tensors
        plain = [
            n for n in numbers(golden)
            if tensors[n].dtype.name == "float32" and tensors[n].shape and _is_spelled(tensors[n])
        ]
        if not plain:
            pytest.skip("no weights")
        name = max(plain, key=lambda n: (tensors[n].nbytes, n))
        size, wanted = tensors[name].nbytes, changed(tensors[name])
        tensors[name] = wanted  # type: ignore[index]
        out = tmp_path / f"edited{golden.name.removeprefix('model')}"
        container.save(str(out))
    before, after = _tree(golden), _tree(out)
    assert set(before) <= set(after)
    count = 0
    for suffix, data in before.items():
        assert len(after[suffix]) == len(data), suffix
        count += len(differing(data, after[suffix]))
    # Of a bundle 4 bytes a slice and 4 of the block, of a zip member 4 in each header.
    assert 0 < count <= size + 4 * 8
    with modelfmt.open(out) as container:
        np.testing.assert_array_equal(container.tensors[name].numpy(), wanted)


def _is_spelled(tensor: Tensor) -> bool:
    """Whether the elements stand in the file one by one; a Const may have one for all."""
    return not (isinstance(tensor.payload, Computed) and tensor.origin.key is None)


def _tree(model: Path) -> dict[str, bytes]:
    """All files of a model, the checkpoint beside a .meta too."""
    if model.is_dir():
        return {str(p.relative_to(model)): p.read_bytes() for p in model.rglob("*") if p.is_file()}
    stem = model.name.removesuffix(".meta")
    return {
        p.name.removeprefix(stem): p.read_bytes() for p in model.parent.iterdir()
        if p.name == stem or p.name.startswith((f"{stem}.", f"{stem}-"))
    }  # fmt: skip
