"""Small files that would unfold into large ones: bounded memory, and a named error or a result."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import ModelFormatError, proto
from modelfmt.errors import CorruptFileError, UnsafeFileError
from modelfmt.storage.wire import length_delimited, varint

ROOM = 64 << 20
Exploded = Callable[..., dict[str, ModelFormatError | None]]


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux tells it"
)
KERAS = Path(__file__).parents[2] / "golden/keras/tfkeras-tf2.12.1-nested/model.keras"


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{key}:")[1].split()[0]) << 10


def walk(path: Path) -> None:
    with modelfmt.open(path) as container:
        if container.has_graph:
            for body in (container.graph, *container.graph.functions.values()):
                for node in body.values():
                    dict(node.attrs)
        for name in container.tensors:
            container.tensors[name].numpy()


@pytest.fixture
def exploded(tmp_path: Path) -> Exploded:
    """What every verb says of a file, each within 2 times the file and 64 MB; None: no error."""

    def explode(path: Path) -> dict[str, ModelFormatError | None]:
        verbs: dict[str, Callable[[], Any]] = {
            "walk": lambda: walk(path),
            "dump": lambda: modelfmt.dump(path, digest=True),
            "check": lambda: modelfmt.check(path),
            "extract": lambda: modelfmt.extract(path, tmp_path / "parts", force=True),
            "to graphdef": lambda: modelfmt.convert(path, tmp_path / "out.pb", force=True),
            "to keras-h5": lambda: modelfmt.convert(path, tmp_path / "out.h5", force=True),
            "to metagraph": lambda: modelfmt.convert(path, tmp_path / "out.meta", force=True),
            "diff": lambda: modelfmt.diff(path, path),
        }
        said: dict[str, ModelFormatError | None] = {}
        for verb, run in verbs.items():
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")
            before = resident("VmRSS")
            said[verb] = None
            try:
                found = run()
                if verb == "check" and found:
                    said[verb] = found[0]
            except ModelFormatError as error:
                said[verb] = error
                assert "\n" not in str(error)
            taken = resident("VmHWM") - before
            assert taken <= 2 * path.stat().st_size + ROOM, f"{verb} took {taken >> 20} MiB"
        return said

    # Imports are no part of what a file takes.
    golden = Path(__file__).parents[2] / "golden"
    for source in (
        "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb", "keras-h5/tfkeras-tf2.3.4-cnn/model.h5",
    ):  # fmt: skip
        for end in (".pb", ".h5", ".meta"):
            modelfmt.convert(golden / source, tmp_path / f"warm{end}", force=True)
        modelfmt.extract(golden / source, tmp_path / "warm", force=True)
        modelfmt.check(golden / source)
        modelfmt.diff(golden / source, golden / source)
    return explode


# -- HDF5 -----------------------------------------------------------------------------------------

GIANTS: dict[str, dict[str, Any]] = {
    "a terabyte": {"shape": (1 << 20, 1 << 20), "dtype": "f4"},
    "900 MB": {"shape": (900 << 18,), "dtype": "f4"},
    "900 MB in chunks": {"shape": (900 << 18,), "dtype": "f4", "chunks": (1 << 20,)},
    "one chunk": {"shape": (900 << 18,), "dtype": "f4", "chunks": (900 << 18,)},
    "a small array in a giant chunk": {
        "shape": (3,), "maxshape": (None,), "dtype": "f4", "chunks": (900 << 18,),
    },
    "texts": {"shape": (60 << 20,), "dtype": h5py.string_dtype()},
    "texts of a megabyte": {"shape": (600,), "dtype": "S1000000"},
}  # fmt: skip


@pytest.mark.parametrize("name", GIANTS)
def test_a_dataset_without_storage(
    name: str, h5_model: Any, tmp_path: Path, exploded: Exploded
) -> None:
    path = h5_model(weights={"d/kernel:0": np.zeros((2, 3), "f4")})
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/kernel:0"]
        file["model_weights/d/d"].create_dataset("kernel:0", **GIANTS[name])
    assert path.stat().st_size < 20_000
    said = exploded(path)
    for verb in ("walk", "check", "extract", "to graphdef", "to keras-h5", "diff"):
        assert isinstance(said[verb], UnsafeFileError), (verb, said[verb])
    assert said["dump"] is None  # which lists all else
    assert "absurdly large" in str(modelfmt.dump(path)["oddities"])


def test_a_large_dataset_of_a_genuine_sort_is_none(h5_model: Any, exploded: Exploded) -> None:
    path = h5_model(weights={"d/kernel:0": np.zeros((2, 3), "f4")})
    with h5py.File(path, "a") as file:
        file["model_weights"].create_dataset("more", data=np.zeros(1 << 20, "f4"), chunks=True,
                                             compression="gzip")  # fmt: skip
    assert exploded(path)["walk"] is None


# -- zip ------------------------------------------------------------------------------------------


def zipped(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A .keras whose members are compressed, and changed."""
    with (
        zipfile.ZipFile(KERAS) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return path


def test_compression_alone_is_no_bomb(tmp_path: Path, exploded: Exploded) -> None:
    path = zipped(tmp_path / "small.keras", lambda name, data: data)
    assert not any(exploded(path).values())


def test_weights_that_unpack_to_much(tmp_path: Path, exploded: Exploded) -> None:
    """Below the limit: unpacked to a file, not to memory."""
    path = zipped(
        tmp_path / "model.keras",
        lambda name, data: data + bytes(60 << 20) if name.endswith(".h5") else data,
    )
    said = exploded(path)
    assert said["walk"] is None and said["to keras-h5"] is None


def test_weights_that_unpack_to_too_much(tmp_path: Path, exploded: Exploded) -> None:
    path = zipped(
        tmp_path / "model.keras",
        lambda name, data: data + bytes(300 << 20) if name.endswith(".h5") else data,
    )
    assert {type(error) for error in exploded(path).values()} == {UnsafeFileError}


@pytest.mark.parametrize(
    ("text", "kind"),
    [(b"[" + b"0," * (30 << 20) + b"0]", UnsafeFileError), (b"[" * (1 << 20), CorruptFileError)],
    ids=["long", "deep"],
)
def test_a_config_that_is_a_bomb(
    text: bytes, kind: type[ModelFormatError], tmp_path: Path, exploded: Exploded
) -> None:
    path = zipped(
        tmp_path / "model.keras", lambda name, data: text if name == "config.json" else data
    )
    said = exploded(path)
    for verb in ("check", "to graphdef", "to keras-h5"):
        assert isinstance(said[verb], kind), (verb, said[verb])


def test_members_that_share_their_bytes(tmp_path: Path, exploded: Exploded) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", np.random.default_rng(1).bytes(100_000))
        first = archive.infolist()[0]
        for number in range(50):
            twin = zipfile.ZipInfo(f"assets/{number}")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
    said = exploded(path)
    assert {type(error) for error in said.values()} == {UnsafeFileError}
    assert "overlap" in str(said["check"])


# -- graphs ---------------------------------------------------------------------------------------


def graph(path: Path, *nodes: tuple[str, str, list[str]], **library: list[tuple[str, str]]) -> Path:
    """Nodes of type float32; functions of one argument ``a``, a chain of (node, op)."""
    message = proto.GraphDef()
    message.versions.producer = 1000
    for name, op, inputs in nodes:
        node = message.node.add(name=name, op=op, input=inputs)
        node.attr["dtype" if op in ("Const", "Placeholder") else "T"].type = 1
    for name, chain in library.items():
        made = message.library.function.add()
        made.signature.name = name
        made.signature.input_arg.add(name="a", type=1)
        made.signature.output_arg.add(name="r", type=1)
        last = "a"
        for inner, op in chain:
            made.node_def.add(name=inner, op=op, input=[last]).attr["T"].type = 1
            last = f"{inner}:output:0" if op == "Identity" else f"{inner}:r:0"
        made.ret["r"] = last
    path.write_bytes(message.SerializeToString())
    return path


def splat(path: Path, dtype: int, shape: tuple[int, ...], values: int = 1) -> Path:
    """x + c, where the last of a few values stands for all elements of c that are left out."""
    graph(path, ("x", "Placeholder", []), ("c", "Const", []), ("y", "Add", ["x", "c"]))
    message = proto.GraphDef.FromString(path.read_bytes())
    for node, name in zip(message.node, ("dtype", "dtype", "T"), strict=True):
        node.attr[name].type = dtype
    tensor = message.node[1].attr["value"].tensor
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    field = {1: tensor.float_val, 3: tensor.int_val, 7: tensor.string_val}[dtype]
    field.extend([b"x" if dtype == 7 else 5] * values)
    path.write_bytes(message.SerializeToString())
    return path


@pytest.mark.parametrize("dtype", [1, 3], ids=["floats", "integers"])
def test_a_large_constant_of_one_value_is_none(
    dtype: int, tmp_path: Path, exploded: Exploded
) -> None:
    """tf.zeros([50257, 768]), say: every verb takes it, and none holds it whole."""
    path = splat(tmp_path / "model.pb", dtype, (100, 400_000))
    said = exploded(path)
    assert [said[verb] for verb in ("walk", "dump", "check", "extract", "to graphdef", "diff")] == (
        [None] * 6
    )
    expected = hashlib.sha256(np.full((100, 400_000), 5, "<f4" if dtype == 1 else "<i4").data)
    assert modelfmt.dump(path, digest=True)["tensors"][0]["sha256"] == expected.hexdigest()
    modelfmt.assemble(tmp_path / "parts", tmp_path / "again.pb")
    assert (tmp_path / "again.pb").read_bytes() == path.read_bytes()
    with modelfmt.open(path) as held:
        array = held.tensors["c"].numpy()
        assert array.shape == (100, 400_000) and array[99, 399_999] == 5


@pytest.mark.parametrize("dtype", [1, 7], ids=["floats", "texts"])
@pytest.mark.parametrize("shape", [(1 << 20, 1 << 20), (1 << 31,)], ids=["terabytes", "8 GB"])
def test_one_value_for_absurdly_many_elements(
    shape: tuple[int, ...], dtype: int, tmp_path: Path, exploded: Exploded
) -> None:
    path = splat(tmp_path / "model.pb", dtype, shape)
    said = exploded(path)
    assert said["extract"] is None  # a value that stands for many stays in the text
    if dtype == 7:
        assert isinstance(said["walk"], UnsafeFileError)
    else:
        assert isinstance(said["check"], UnsafeFileError)
        assert "absurdly many" in str(modelfmt.dump(path, digest=True)["oddities"])


def test_few_values_for_many_elements(tmp_path: Path, exploded: Exploded) -> None:
    """They can be told in chunks, and make no array."""
    said = exploded(splat(tmp_path / "model.pb", 1, (200 << 18,), 2))
    assert isinstance(said["walk"], UnsafeFileError)
    assert said["check"] is None and said["dump"] is None and said["extract"] is None


def test_functions_that_call_each_other_twice(tmp_path: Path, exploded: Exploded) -> None:
    chains = {f"f{n}": [("p", f"f{n - 1}"), ("q", f"f{n - 1}")] for n in range(1, 40)}
    path = graph(tmp_path / "model.pb", ("x", "Placeholder", []), ("y", "f39", ["x"]),
                 f0=[("n", "Identity")], **chains)  # fmt: skip
    said = exploded(path)
    assert isinstance(said["check"], UnsafeFileError)
    assert isinstance(said["to keras-h5"], UnsafeFileError)


def test_a_function_that_calls_itself_twice(tmp_path: Path, exploded: Exploded) -> None:
    path = graph(tmp_path / "model.pb", ("x", "Placeholder", []), ("y", "f", ["x"]),
                 f=[("p", "f"), ("q", "f")])  # fmt: skip
    assert isinstance(exploded(path)["check"], CorruptFileError)


def test_messages_within_messages(tmp_path: Path, exploded: Exploded) -> None:
    """AttrValue.func holds a NameAttrList, which holds AttrValues."""
    value = b""
    for _ in range(5000):
        entry = length_delimited(1, b"k") + length_delimited(2, value)
        value = length_delimited(10, length_delimited(1, b"f") + length_delimited(2, entry))
    attr = length_delimited(1, b"k") + length_delimited(2, value)
    node = length_delimited(1, b"x") + length_delimited(2, b"Op") + length_delimited(5, attr)
    path = tmp_path / "model.pb"
    path.write_bytes(length_delimited(1, node))
    said = exploded(path)
    assert said["walk"] is not None and said["check"] is not None


def test_texts_within_texts(tmp_path: Path, exploded: Exploded) -> None:
    path = tmp_path / "model.pbtxt"
    opening = 'attr { key: "k" value { func { name: "f" '
    for depth, closing in ((20_000, ""), (20_000, "} } }"), (60, "} } }")):
        path.write_text('node { name: "x" op: "Op" ' + opening * depth + closing * depth + "}")
        assert exploded(path)["walk"] is not None, depth


@pytest.mark.parametrize("length", [1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_a_giant_length(length: int, tmp_path: Path, exploded: Exploded) -> None:
    path = tmp_path / "model.pb"
    node = length_delimited(1, b"x") + length_delimited(2, b"Placeholder")
    path.write_bytes(length_delimited(1, node) + b"\x0a" + varint(length) + b"x")
    said = exploded(path)
    assert said.pop("dump") is None  # which says so among what is odd
    assert all(isinstance(error, CorruptFileError) for error in said.values())
