"""HDF5 as parts: the same bytes, one copy of each payload, and named refusals."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    UnsafeFileError,
    UnsupportedError,
)

KERNEL = np.arange(12, dtype="<f4").reshape(3, 4) + 0.5
WIDE = np.arange(1650, dtype="<f8").reshape(50, 33) + 0.25
CONFIG = {"class_name": "Sequential", "config": {"name": "größe", "rate": 1e-07}}


def model(path: Path, style: str) -> None:
    """The layouts of Keras' HDF5 files."""
    with h5py.File(path, "w") as file:
        if style == "keras1":
            file.attrs["nb_layers"] = 1
            file.attrs["layer_names"] = np.array([b"dense_1"])
            group = file.create_group("dense_1")
            group.attrs["weight_names"] = np.array([b"dense_1_W", b"dense_1_b"])
            group["dense_1_W"], group["dense_1_b"] = KERNEL, np.ones(4, "f4")
            file.attrs["model_config"] = json.dumps(CONFIG).encode()
        elif style == "keras2":
            file.attrs["model_config"] = json.dumps(CONFIG).encode()
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = np.array([b"in", b"dense"])
            weights.create_group("in").attrs["weight_names"] = np.array([])
            group = weights.create_group("dense")
            group.attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/bias:0"])
            group["dense/kernel:0"], group["dense/bias:0"] = KERNEL, np.ones(4, "f4")
            file["optimizer_weights/iterations:0"] = np.int64(7)
        else:
            group = file.create_group("layers/dense/vars")
            group.attrs["name"] = "dense"
            group["0"] = KERNEL
            made = group.create_dataset("1", data=np.arange(4, dtype="<u2").view("V2"))
            made.attrs["dtype"] = "bfloat16"
            file.create_group("vars").attrs["name"] = "model"


def strange(path: Path) -> None:
    """What h5py can write and Keras does not."""
    with h5py.File(path, "w") as file:
        file.create_dataset("chunks", data=WIDE, chunks=(16, 16))
        file.create_dataset("rows", data=WIDE.astype(">f4"), chunks=(7, 33), maxshape=(None, 33))
        file.create_dataset("cube", data=np.arange(5 * 6 * 7).reshape(5, 6, 7), chunks=(2, 6, 3))
        file["big"] = KERNEL.astype(">f8")
        file["words"] = np.array(["ab", "", "cde", "grün"], object)
        file.create_dataset(
            "chunked words", data=["x" * n for n in range(9)], chunks=(2,),
            dtype=h5py.string_dtype(),
        )
        file["fixed"] = np.array([b"abc", b"d", b""])
        file["truth"] = np.array([True, False])
        file["kind"] = np.array([0, 1], h5py.enum_dtype({"a": 0, "b": 1}, "i1"))
        file["pair"] = np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])
        file["opaque"] = np.frombuffer(b"abcdef", "V3")
        file["complex"] = np.array([1 + 2j])
        file["scalar"] = np.float32(3)
        file["none"] = np.zeros((0, 3), "f4")
        file["null"] = h5py.Empty("f4")
        file["alias"] = file["chunks"]
        file["soft"] = h5py.SoftLink("/chunks")
        file.attrs["pair"] = np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])
        file.attrs["ref"] = file["big"].ref
        file.attrs["empty"] = h5py.Empty("S1")
        file.attrs["nan"] = [np.nan, np.inf, 0.1]
        file.attrs["truth"] = True
        file.attrs["matrix"] = [[1, 2], [3, 4]]
        file.attrs["latin"] = np.bytes_(b"gr\xfcn")


def packed(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "gzip", data=WIDE, chunks=(16, 16), compression="gzip", shuffle=True, fletcher32=True
        ).attrs["unit"] = "m"
        file.create_dataset("unwritten", (5,), "f4", fillvalue=2.5)
        file.create_dataset("sparse", (40,), "i4", chunks=(10,))[12] = 5
        file["plain"] = KERNEL


def fields(data: bytes | Path) -> dict[str, Any]:
    """Everything in an HDF5 file that has a name."""
    rows: dict[str, Any] = {}
    with h5py.File(io.BytesIO(data) if isinstance(data, bytes) else data, "r") as file:

        def visit(name: str, held: Any) -> None:
            attributes = {}
            for key in held.attrs:
                found = held.attrs.get_id(key)
                value = held.attrs[key]
                kept = repr(value) if isinstance(value, h5py.Empty) else np.asarray(value).tolist()
                attributes[key] = (found.get_type().get_size(), found.shape, repr(kept))
            rows[name] = (list(attributes), attributes)
            if isinstance(held, h5py.Dataset):
                value = held[()]
                shown = repr(value) if held.shape is None else np.asarray(value).tolist()
                rows[name] += (
                    held.dtype, held.shape, held.maxshape, held.chunks, held.compression,
                    held.shuffle, held.fletcher32, repr(shown),
                )

        visit("/", file)
        for name in file:
            link = file.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                rows[name] = link.path
        file.visititems(visit)
    return rows


def extracted(tmp_path: Path, path: Path) -> Path:
    modelfmt.extract(path, tmp_path / "parts", force=True)
    return tmp_path / "parts"


def assembled(parts: Path) -> bytes:
    out = parts.parent / "out"
    modelfmt.assemble(parts, out, force=True)
    assert sorted(p.name for p in parts.parent.iterdir() if p.name.startswith(".")) == []
    return out.read_bytes()


def report(parts: Path) -> list[str]:
    """What ``assemble`` says was edited."""
    return modelfmt.assemble(parts, parts.parent / "out", force=True).edited


def edit(parts: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((parts / "manifest.json").read_text())
    change(manifest["parts"][0])
    (parts / "manifest.json").write_text(json.dumps(manifest))


def row(record: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in record["tensors"] if r["path"] == path)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.h5"


# The same bytes


@pytest.mark.parametrize("style", ["keras1", "keras2", "keras3"])
def test_nothing_edited_is_the_same_bytes(tmp_path: Path, path: Path, style: str) -> None:
    model(path, style)
    parts = extracted(tmp_path, path)
    assert assembled(parts) == path.read_bytes()


def test_hdf5_under_the_name_keras_is_hdf5(tmp_path: Path) -> None:
    """TensorFlow 2.12 and older write it so when asked for .keras."""
    path = tmp_path / "model.keras"
    model(path, "keras2")
    assert modelfmt.extract(path, tmp_path / "parts").kind == "keras-h5"
    assert assembled(tmp_path / "parts") == path.read_bytes()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_strange_files_are_the_same_bytes(tmp_path: Path, path: Path, libver: str) -> None:
    strange(path)
    with h5py.File(path, "a", libver=libver) as file:
        file.create_group("tracked", track_order=True)["b"] = KERNEL
    parts = extracted(tmp_path, path)
    assert assembled(parts) == path.read_bytes()


def test_dense_attributes_above_64_kib_are_the_same_bytes(tmp_path: Path, path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["large"] = np.arange(20_000, dtype="i8")
        file.attrs["names"] = np.array([f"layer_{k}".encode() for k in range(9_000)])
        file["x"] = KERNEL
    parts = extracted(tmp_path, path)
    assert assembled(parts) == path.read_bytes()
    stated = json.loads((parts / "attributes.json").read_text())
    stated["/"]["large"]["value"][-1] = 5
    (parts / "attributes.json").write_text(json.dumps(stated))
    (tmp_path / "new.h5").write_bytes(assembled(parts))
    with h5py.File(tmp_path / "new.h5") as file:
        assert file.attrs["large"][-2:].tolist() == [19_998, 5]
        assert file.attrs["names"][-1] == b"layer_8999"
        assert file["x"][()].tolist() == KERNEL.tolist()


def test_parts_hold_no_copy_of_a_payload(tmp_path: Path, path: Path) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    skeleton = (parts / "model.bin").read_bytes()
    assert WIDE[3].tobytes()[:64] not in skeleton
    assert WIDE.astype(">f4")[20].tobytes() not in skeleton
    assert "grün".encode() not in skeleton and b"x" * 8 not in skeleton
    assert len(skeleton) < path.stat().st_size - WIDE.nbytes * 3 // 2


def test_parts_are_for_hands(tmp_path: Path, path: Path) -> None:
    model(path, "keras3")
    strange_path = tmp_path / "strange.h5"
    strange(strange_path)
    parts = extracted(tmp_path, path)
    assert np.load(parts / "tensors/layers/dense/vars/0.npy").tolist() == KERNEL.tolist()
    bits = np.load(parts / "tensors/layers/dense/vars/1.npy")
    assert (bits.dtype, bits.tolist()) == (np.dtype("<u2"), [0, 1, 2, 3])
    parts = extracted(tmp_path, strange_path)
    assert np.load(parts / "tensors/alias.npy").tolist() == WIDE.tolist()
    assert np.load(parts / "tensors/cube.npy").tolist() == np.arange(210).reshape(5, 6, 7).tolist()
    assert np.load(parts / "tensors/rows.npy").dtype == np.dtype(">f4")
    assert np.load(parts / "tensors/truth.npy").tolist() == [True, False]
    assert np.load(parts / "tensors/scalar.npy").shape == ()
    assert json.loads((parts / "tensors/words.json").read_text())["strings"][3] == "grün"
    assert json.loads((parts / "tensors/fixed.json").read_text())["strings"] == ["abc", "d", ""]
    listed = json.loads((parts / "manifest.json").read_text())["parts"][0]["tensors"]
    assert [r["path"] for r in listed if r["path"] in ("alias", "chunks", "soft")] == ["alias"]


def test_configs_are_indented_and_editable(tmp_path: Path, path: Path) -> None:
    model(path, "keras2")
    parts = extracted(tmp_path, path)
    text = (parts / "model_config.json").read_text()
    assert "größe" in text and text.startswith('{\n "class_name"')
    (parts / "model_config.json").write_text(json.dumps(json.loads(text)))
    assert assembled(parts) == path.read_bytes()  # it says the same
    before = fields(path)
    (parts / "model_config.json").write_text(text.replace("größe", "x" * 70_000))
    after = fields(assembled(parts))
    assert "x" * 70_000 in after["/"][1]["model_config"][2]
    assert after["/"][1]["model_config"][:2] == before["/"][1]["model_config"][:2]
    assert {k: v for k, v in after.items() if k != "/"} == {
        k: v for k, v in before.items() if k != "/"
    }


@pytest.mark.parametrize("name", [
    "chunks", "rows", "cube", "big", "truth", "complex", "scalar", "opaque", "pair",
])
def test_one_element_changes_only_its_bytes(tmp_path: Path, path: Path, name: str) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    file = parts / "tensors" / f"{'alias' if name == 'chunks' else name}.npy"
    array = np.load(file)
    flat = array.reshape(-1)
    data = bytearray(flat.tobytes())
    data[-1] ^= 1
    np.save(file, np.frombuffer(bytes(data), array.dtype).reshape(array.shape))
    old, new = path.read_bytes(), assembled(parts)
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    if array.dtype.kind == "f":
        last = h5py.File(io.BytesIO(new))[name][()].reshape(-1)[-1]
        assert last == np.frombuffer(bytes(data), array.dtype)[-1]


def test_a_string_of_the_same_length_changes_its_bytes(tmp_path: Path, path: Path) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    for name in ("words", "fixed", "chunked words"):
        file = parts / "tensors" / f"{name}.json"
        file.write_text(file.read_text().replace('"ab', '"aX').replace('"xx"', '"yz"'))
    old, new = path.read_bytes(), assembled(parts)
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 4


def test_fortran_order_is_put_into_c_order(tmp_path: Path, path: Path) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    np.save(parts / "tensors/alias.npy", np.asfortranarray(WIDE))
    np.save(parts / "tensors/big.npy", np.asfortranarray(KERNEL.astype(">f8")))
    assert assembled(parts) == path.read_bytes()


# The same tree


def test_packed_datasets_are_the_same_tree(tmp_path: Path, path: Path) -> None:
    packed(path)
    done = modelfmt.extract(path, tmp_path / "parts")
    assert "3 packed datasets" in done.remarks[0]
    parts = tmp_path / "parts"
    assert np.load(parts / "tensors/gzip.npy").tolist() == WIDE.tolist()
    assert np.load(parts / "tensors/unwritten.npy").tolist() == [2.5] * 5
    data = assembled(parts)
    assert fields(data) == fields(path)
    assert assembled(parts) == data
    changed = WIDE.copy()
    changed[49, 32] = -1
    np.save(parts / "tensors/gzip.npy", changed)
    with h5py.File(io.BytesIO(assembled(parts))) as file:
        assert file["gzip"][()].tolist() == changed.tolist()
        assert file["gzip"].compression == "gzip" and file["gzip"].attrs["unit"] == "m"


@pytest.mark.parametrize("track_order", [False, True])
def test_another_shape_that_the_manifest_states(
    tmp_path: Path, path: Path, track_order: bool
) -> None:
    with h5py.File(path, "w", track_order=track_order) as file:
        for name in ("z", "m", "a"):
            made = file.create_dataset(name, data=WIDE, track_times=True)
            made.attrs["unit"] = name
        file.create_dataset("chunks", data=WIDE, chunks=(16, 16), maxshape=(None, 33))
        file["words"] = np.array(["ab", "cd"], object)
        file["soft"] = h5py.SoftLink("/m")
        file.attrs["b"], file.attrs["a"] = "text", 5
    before = fields(path)
    parts = extracted(tmp_path, path)
    np.save(parts / "tensors/m.npy", KERNEL.astype("f8"))
    np.save(parts / "tensors/chunks.npy", WIDE[:3])
    (parts / "tensors/words.json").write_text('{"shape": [3], "strings": ["a", "long one", ""]}')

    def change(record: dict[str, Any]) -> None:
        row(record, "m")["shape"] = [3, 4]
        row(record, "chunks")["shape"] = [3, 33]
        row(record, "words")["shape"] = [3]

    edit(parts, change)
    data = assembled(parts)
    after = fields(data)
    assert list(after) == list(before)
    for name in ("/", "z", "a", "soft"):
        assert after[name] == before[name]
    assert after["m"][:3] == before["m"][:3] and after["m"][3] == (3, 4)
    assert after["m"][-1] == repr(KERNEL.tolist())
    assert after["chunks"][3:6] == ((3, 33), (None, 33), (16, 16))
    assert after["words"][-1] == repr([b"a", b"long one", b""])
    with h5py.File(io.BytesIO(data)) as file:
        assert list(file) == (["z", "m", "a", "chunks", "words", "soft"] if track_order
                              else ["a", "chunks", "m", "soft", "words", "z"])
        assert list(file.attrs) == (["b", "a"] if track_order else ["a", "b"])
    assert len(data) < path.stat().st_size - WIDE.nbytes  # the old room is gone
    assert assembled(parts) == data


def test_a_row_added_is_a_dataset_added_and_one_deleted_is_gone(
    tmp_path: Path, path: Path
) -> None:
    model(path, "keras3")
    before = fields(path)
    parts = extracted(tmp_path, path)
    np.save(parts / "tensors/new.npy", np.arange(3, dtype="i4"))
    np.save(parts / "tensors/half.npy", np.arange(3, dtype="u2"))
    (parts / "tensors/layers/dense/vars/0.npy").unlink()

    def change(record: dict[str, Any]) -> None:
        record["tensors"] = [r for r in record["tensors"] if r["path"] != "layers/dense/vars/0"]
        for name, dtype in (("new", "int32"), ("half", "bfloat16")):
            record["tensors"].append({
                "path": f"more/{name}", "file": f"tensors/{name}.npy", "dtype": dtype, "shape": [3],
            })

    edit(parts, change)
    data = assembled(parts)
    after = fields(data)
    assert KERNEL.tobytes()[:24] not in data
    assert set(after) - set(before) == {"more", "more/new", "more/half"}
    assert set(before) - set(after) == {"layers/dense/vars/0"}
    assert after["more/new"][-1] == "[0, 1, 2]"
    (tmp_path / "new.h5").write_bytes(data)
    with modelfmt.open(tmp_path / "new.h5") as opened:
        assert opened.tensors["more/half"].dtype.name == "bfloat16"


def test_an_object_of_two_names_stays_one(tmp_path: Path, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["g/x"] = KERNEL
        file["y"] = file["g/x"]
        file["z"] = WIDE
    parts = extracted(tmp_path, path)
    np.save(next((parts / "tensors").rglob("[xy].npy")), np.zeros(2, "f4"))
    edit(parts, lambda record: next(
        r for r in record["tensors"] if r["path"] in ("g/x", "y")).update(shape=[2]))
    with h5py.File(io.BytesIO(assembled(parts))) as file:
        assert file["g/x"] == file["y"] and file["y"].shape == (2,)


# Refusals


def test_another_shape_is_refused_by_name(tmp_path: Path, path: Path) -> None:
    model(path, "keras3")
    parts = extracted(tmp_path, path)
    np.save(parts / "tensors/layers/dense/vars/0.npy", KERNEL.T.copy())
    with pytest.raises(MismatchError, match=r"vars/0.npy: .*float32 \[3, 4\].*float32 \[4, 3\]"):
        assembled(parts)


def test_a_missing_and_an_unlisted_file_are_named(tmp_path: Path, path: Path) -> None:
    model(path, "keras2")
    parts = extracted(tmp_path, path)
    file = parts / "tensors/model_weights/dense/dense/kernel_0.npy"
    file.rename(file.with_name("other.npy"))
    with pytest.raises(MismatchError, match=r"other.npy: the manifest lists no"):
        assembled(parts)
    file.with_name("other.npy").unlink()
    with pytest.raises(MissingError, match=r"kernel_0.npy: a part is missing"):
        assembled(parts)


def test_a_weight_that_a_list_names_cannot_go(tmp_path: Path, path: Path) -> None:
    model(path, "keras2")
    parts = extracted(tmp_path, path)
    (parts / "tensors/model_weights/dense/dense/bias_0.npy").unlink()
    edit(parts, lambda record: record["tensors"].remove(
        row(record, "model_weights/dense/dense/bias:0")))
    with pytest.raises(MissingError, match=r"weight_names lists '.*/dense/bias:0'"):
        assembled(parts)
    stated = json.loads((parts / "attributes.json").read_text())
    stated["model_weights/dense"]["weight_names"]["value"].pop()
    (parts / "attributes.json").write_text(json.dumps(stated))
    assert "model_weights/dense/dense/bias:0" not in fields(assembled(parts))


def test_a_fixed_string_has_its_room(tmp_path: Path, path: Path) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    (parts / "tensors/fixed.json").write_text('{"shape": [3], "strings": ["abcd", "", ""]}')
    with pytest.raises(MismatchError, match=r"fixed.json: .*at most 3 bytes, found 4 bytes"):
        assembled(parts)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_kept_datasets_are_remarked(tmp_path: Path, path: Path, libver: str) -> None:
    with h5py.File(path, "w", libver=libver) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(
            file.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3, 4)), plist
        )
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, KERNEL)
        file.create_dataset("lists", (2,), h5py.vlen_dtype("i4"))[0] = [1, 2]
        file["ref"] = np.array([file["lists"].ref], h5py.ref_dtype)
        file["x"] = KERNEL
    done = modelfmt.extract(path, tmp_path / "parts")
    parts = tmp_path / "parts"
    found = [remark.split('"')[1] for remark in done.remarks]
    assert assembled(parts) == path.read_bytes()
    if libver == "latest":
        assert found == ["compact", "lists", "ref"] and "checksum" in done.remarks[0]
        return
    assert found == ["lists", "ref"]
    assert KERNEL.tobytes() not in (parts / "model.bin").read_bytes()
    np.save(parts / "tensors/compact.npy", KERNEL + 1)
    with h5py.File(io.BytesIO(assembled(parts))) as file:
        assert file["compact"][()].tolist() == (KERNEL + 1).tolist()
        assert file["lists"][0].tolist() == [1, 2]


def test_links_out_of_the_file_are_unsafe(tmp_path: Path, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["out"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnsafeFileError, match="out of the file"):
        extracted(tmp_path, path)


def test_bytes_in_other_files_are_unsafe(tmp_path: Path, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("external", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    with pytest.raises(UnsafeFileError, match="other files"):
        extracted(tmp_path, path)


def test_a_skeleton_that_leads_out_is_unsafe(tmp_path: Path, path: Path) -> None:
    """Parts may come from a stranger: libhdf5 is to amend nothing but the file."""
    model(path, "keras3")
    parts = extracted(tmp_path, path)
    with h5py.File(tmp_path / "victim.h5", "w") as file:
        file["x"] = KERNEL
    victim = (tmp_path / "victim.h5").read_bytes()
    with h5py.File(parts / "model.bin", "w") as file:
        file["out"] = h5py.ExternalLink(str(tmp_path / "victim.h5"), "/")
    np.save(parts / "tensors/new.npy", KERNEL)

    def change(record: dict[str, Any]) -> None:
        record["layout"] = []
        record["tensors"] = [{
            "path": "out/new", "file": "tensors/new.npy", "dtype": "float32", "shape": [3, 4],
        }]

    edit(parts, change)
    for file_path in (parts / "tensors/layers").rglob("*.npy"):
        file_path.unlink()
    with pytest.raises(UnsafeFileError):
        assembled(parts)
    assert (tmp_path / "victim.h5").read_bytes() == victim


@pytest.mark.parametrize("change", [
    {"how": "nowhere"}, {"at": [[0, 1]]}, {"at": "x"}, {"shape": [-1]}, {"code": "nonsense"},
    {"at": [[10**9, 48]]},
])
def test_a_layout_of_nonsense_is_named(tmp_path: Path, path: Path, change: Any) -> None:
    model(path, "keras3")
    parts = extracted(tmp_path, path)
    edit(parts, lambda record: record["layout"][0].update(change))
    with pytest.raises(ModelFormatError):
        assembled(parts)


def test_overlapping_datasets_are_named(tmp_path: Path, path: Path) -> None:
    model(path, "keras3")
    parts = extracted(tmp_path, path)
    edit(parts, lambda record: record["layout"].append({**record["layout"][0], "path": "twice"}))
    with pytest.raises(UnsupportedError, match="share bytes"):
        assembled(parts)


def test_a_config_that_is_no_json_is_named(tmp_path: Path, path: Path) -> None:
    model(path, "keras2")
    parts = extracted(tmp_path, path)
    (parts / "model_config.json").write_text('{"class_name": ')
    with pytest.raises(CorruptFileError, match=r"model_config.json: no JSON"):
        assembled(parts)


def test_what_was_edited_is_reported(tmp_path: Path, path: Path) -> None:
    strange(path)
    parts = extracted(tmp_path, path)
    assert report(parts) == []
    np.save(parts / "tensors/big.npy", np.zeros((3, 4), ">f8"))
    (parts / "tensors/fixed.json").write_text('{"shape": [3], "strings": ["x", "", ""]}')
    stated = json.loads((parts / "attributes.json").read_text())
    stated["/"]["matrix"]["value"][0][0] = 9
    (parts / "attributes.json").write_text(json.dumps(stated))
    assert report(parts) == ["tensors/big.npy", "tensors/fixed.json", "attributes.json"]


def test_payloads_are_never_whole_in_memory(tmp_path: Path, path: Path) -> None:
    large = np.zeros((1 << 13, 1 << 11), "f4")  # 64 MiB
    with h5py.File(path, "w") as file:
        file["plain"] = large
        file.create_dataset("chunks", data=large, chunks=(1 << 10, 1 << 10))
        file.create_dataset("packed", data=large, chunks=(1 << 10, 1 << 10), compression=1)
    del large
    tracemalloc.start()
    try:
        parts = extracted(tmp_path, path)
        modelfmt.assemble(parts, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out").stat().st_size > 128 << 20


def test_another_dtype_in_the_manifest(tmp_path: Path) -> None:
    """The array has it too: the dataset is written anew, in that dtype."""
    source = Path(__file__).parents[3] / "golden/keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    modelfmt.extract(source, tmp_path / "parts")
    manifest = json.loads((tmp_path / "parts/manifest.json").read_text())
    rows = {row["path"]: row for row in manifest["parts"][0]["tensors"]}
    wanted = {}
    for (path, row), name in zip(rows.items(), ("float64", "float16", "bfloat16"), strict=False):
        file = tmp_path / "parts" / row["file"]
        array = np.load(file).astype("f4" if name == "bfloat16" else name)
        wanted[path] = name, array
        np.save(file, (array.view("u4") >> 16).astype("u2") if name == "bfloat16" else array)
        row["dtype"] = name
    (tmp_path / "parts/manifest.json").write_text(json.dumps(manifest))
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "made.h5")
    assert len(done.edited) == 3
    with modelfmt.open(tmp_path / "made.h5") as made, modelfmt.open(source) as old:
        assert list(made.tensors) == list(old.tensors)
        for path, (name, array) in wanted.items():
            assert made.tensors[path].dtype.name == name
            found = made.tensors[path].numpy().astype(array.dtype)
            assert (found.view("u4") >> 16 == array.view("u4") >> 16).all() if (
                name == "bfloat16"
            ) else (found == array).all()
    rows[next(iter(rows))]["dtype"] = "string"
    (tmp_path / "parts/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MismatchError, match="cannot become string"):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "other.h5")
