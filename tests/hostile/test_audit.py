"""audit: every plant is found, and its benign twin stays silent."""

from __future__ import annotations

import base64
import io
import json
import marshal
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.surgery.audit import examine

CODE = marshal.dumps((lambda x: x + 1).__code__)
CODE64 = base64.encodebytes(CODE).decode()
PICKLE64 = base64.b64encode(pickle.dumps({"a": list(range(30))})).decode()
Made = Callable[[Path, bool], Path]


def dense(**more: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": "d", "units": 2, **more}}


def model(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


def h5_of(config: Any, **attributes: Any) -> Made:
    def make(folder: Path, evil: bool) -> Path:
        with h5py.File(folder / "m.h5", "w") as file:
            chosen = config(evil)
            file.attrs["model_config"] = chosen if isinstance(chosen, str) else json.dumps(chosen)
            file.attrs.update(attributes)
            file.create_group("model_weights")
        return folder / "m.h5"

    return make


def keras_of(config: Any) -> Made:
    def make(folder: Path, evil: bool) -> Path:
        return archive(folder, {"config.json": json.dumps(config(evil)).encode()})

    return make


def archive(folder: Path, members: dict[str, bytes]) -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros(2, np.float32)
    with zipfile.ZipFile(folder / "m.keras", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("metadata.json", "{}")
        for name, data in members.items():
            made.writestr(name, data)
        if "config.json" not in members:
            made.writestr("config.json", json.dumps(model(dense())))
        made.writestr("model.weights.h5", weights.getvalue())
    return folder / "m.keras"


def pbtxt_of(text: Callable[[bool], str]) -> Made:
    def make(folder: Path, evil: bool) -> Path:
        (folder / "g.pbtxt").write_text(text(evil))
        return folder / "g.pbtxt"

    return make


def node(op: str, name: str = "n", inputs: tuple[str, ...] = (), attrs: str = "") -> str:
    fed = " ".join(f'input: "{i}"' for i in inputs)
    return f'node {{ name: "{name}" op: "{op}" {fed} {attrs} }}\n'


def text_const(name: str, text: str) -> str:
    value = f'tensor {{ dtype: DT_STRING tensor_shape {{}} string_val: "{text}" }}'
    return node("Const", name, (), (
        "attr { key: 'dtype' value { type: DT_STRING } }"
        f"attr {{ key: 'value' value {{ {value} }} }}"
    ))  # fmt: skip


def strings(key: str, *texts: str) -> str:
    listed = " ".join(f"s: '{text}'" for text in texts)
    return f"attr {{ key: '{key}' value {{ list {{ {listed} }} }} }}"


def saved_model(folder: Path, graph: str, around: str = "") -> Path:
    (folder / "saved").mkdir(exist_ok=True)
    (folder / "saved" / "saved_model.pbtxt").write_text(
        "saved_model_schema_version: 1\n"
        f"meta_graphs {{ meta_info_def {{ tags: 'serve' }} graph_def {{ {graph} }} {around} }}\n"
    )
    return folder / "saved"


def in_function(op: str) -> str:
    body = f'node_def {{ name: "inner" op: "{op}" input: "x" }}'
    return (
        "library { function { signature { name: 'f' input_arg { name: 'x' type: DT_STRING } }"
        f" {body} }} }}\n" + node("NoOp")
    )


def run_at_loading(folder: Path, evil: bool) -> Path:
    graph = text_const("file", "out.txt") + text_const("data", "x") + (
        node("WriteFile", "init", ("file", "data")) if evil else node("NoOp", "init")
    )
    return saved_model(
        folder, graph,
        "collection_def { key: 'saved_model_main_op' value { node_list { value: 'init' } } }",
    )  # fmt: skip


def asset(folder: Path, evil: bool) -> Path:
    name = "../../../etc/passwd" if evil else "vocabulary.txt"
    return saved_model(
        folder, text_const("a", "x"),
        f"asset_file_def {{ tensor_info {{ name: 'a:0' }} filename: '{name}' }}",
    )  # fmt: skip


def linked_folder(folder: Path, evil: bool) -> Path:
    made = saved_model(folder, node("NoOp"))
    (made / "assets").mkdir()
    if evil:
        os.symlink("/etc/passwd", made / "assets" / "vocabulary.txt")
    else:
        (made / "assets" / "words.txt").write_text("a\n")
        os.symlink("words.txt", made / "assets" / "vocabulary.txt")
    return made


def library_in_folder(folder: Path, evil: bool) -> Path:
    made = saved_model(folder, node("NoOp"))
    (made / "assets.extra").mkdir()
    (made / "assets.extra" / ("ops.so" if evil else "notes.txt")).write_text("x")
    return made


def external_link(folder: Path, evil: bool) -> Path:
    path = h5_of(lambda _: model(dense()))(folder, evil)
    with h5py.File(path, "a") as file:
        file["model_weights/d"] = h5py.ExternalLink("/etc/other.h5", "/x") if evil else (
            h5py.SoftLink("/model_weights")
        )
    return path


def external_data(folder: Path, evil: bool) -> Path:
    path = h5_of(lambda _: model(dense()))(folder, evil)
    with h5py.File(path, "a") as file:
        external = [("/etc/passwd", 0, 16)] if evil else None
        file.create_dataset("model_weights/k", (4,), np.float32, external=external)
    return path


def virtual_data(folder: Path, evil: bool) -> Path:
    path = h5_of(lambda _: model(dense()))(folder, evil)
    with h5py.File(path, "a") as file:
        if evil:
            layout = h5py.VirtualLayout((4,), np.float32)
            layout[:] = h5py.VirtualSource("/etc/other.h5", "k", (4,))
            file.create_virtual_dataset("model_weights/k", layout)
        else:
            file["model_weights/k"] = np.zeros(4, np.float32)
    return path


def declared(folder: Path, evil: bool) -> Path:
    path = h5_of(lambda _: model(dense()))(folder, evil)
    with h5py.File(path, "a") as file:
        size = 1 << 40 if evil else 1 << 10
        file.create_dataset("model_weights/k", (size,), np.float32, chunks=(1 << 8,))
    return path


def slip(folder: Path, evil: bool) -> Path:
    return archive(folder, {("../../x.json" if evil else "assets/x.json"): b"{}"})


def twice(folder: Path, evil: bool) -> Path:
    path = archive(folder, {})
    if evil:
        with (
            pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as made
        ):  # fmt: skip
            made.writestr("config.json", "{}")
    return path


def program(folder: Path, evil: bool) -> Path:
    return archive(folder, {"assets/run.py" if evil else "assets/words.txt": b"x"})


def zip_link(folder: Path, evil: bool) -> Path:
    path = archive(folder, {})
    with zipfile.ZipFile(path, "a") as made:
        info = zipfile.ZipInfo("assets/words.txt")
        info.external_attr = (0o120777 if evil else 0o100644) << 16
        made.writestr(info, "/etc/passwd")
    return path


def zip_bomb(folder: Path, evil: bool) -> Path:
    return archive(folder, {"assets/words.txt": bytes((80 << 20) if evil else (1 << 10))})


def json_bomb(folder: Path, evil: bool) -> Path:
    return archive(folder, {"config.json": b"[" + b"0," * (4 << 20 if evil else 9) + b"0]"})


def pickled(folder: Path, evil: bool) -> Path:
    np.savez(folder / "w.npz", x=np.array([{"a": 1}], object) if evil else np.zeros(3))
    return folder / "w.npz"


def yaml(folder: Path, evil: bool) -> Path:
    tag = "!!python/object/apply:os.system ['id']" if evil else "!!python/tuple [1, 2]"
    (folder / "arch.yaml").write_text(f"class_name: Sequential\nconfig:\n- x: {tag}\n")
    return folder / "arch.yaml"


def state(folder: Path, evil: bool) -> Path:
    golden = Path(__file__).parents[2] / "golden/checkpoint/tfkeras-tf2.12.1-linear_regression"
    for file in golden.glob("weights.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    latest = "/elsewhere/weights" if evil else "weights"
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{latest}"\n')
    return folder / "weights"


def const_bomb(evil: bool) -> str:
    size = 1 << 36 if evil else 1 << 6
    value = f"tensor {{ dtype: DT_FLOAT tensor_shape {{ dim {{ size: {size} }} }} float_val: 1 }}"
    return node("Const", "c", (), (
        "attr { key: 'dtype' value { type: DT_FLOAT } }"
        f"attr {{ key: 'value' value {{ {value} }} }}"
    ))  # fmt: skip


def either(evil_one: Any, benign: Any) -> Any:
    return lambda evil: evil_one if evil else benign


def layer(class_name: str, config: Any, **more: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config, **more}


LAMBDA = layer("Lambda", {"function": [CODE64, None, None], "function_type": "lambda"})
NEW_LAMBDA = layer("Lambda", {"function": {
    "class_name": "__lambda__", "config": {"code": CODE64, "defaults": None, "closure": None},
}}, module="keras.layers")  # fmt: skip
ADD_NODE = {"name": "add", "op": "AddV2", "input": ["x", "y"]}

#: name: how to make it, the severity and rule that the plant has
PLANTS: dict[str, tuple[Made, str, str]] = {
    "lambda": (h5_of(either(model(LAMBDA), model(dense()))), "critical", "code"),
    "lambda in an inner model": (
        h5_of(either(model(model(model(LAMBDA))), model(model(dense())))), "critical", "code",
    ),
    "lambda in a wrapper": (
        h5_of(either(
            model(layer("TimeDistributed", {"layer": LAMBDA})),
            model(layer("TimeDistributed", {"layer": dense()})),
        )), "critical", "code",
    ),
    "lambda of Keras 3": (keras_of(either(model(NEW_LAMBDA), model(dense()))), "critical", "code"),
    "lambda of Keras 1": (
        h5_of(either(
            model(layer("Lambda", {
                "function": [CODE.decode("latin-1"), None, None], "function_type": "lambda",
            })), model(dense()),
        )), "critical", "code",
    ),
    "code under another name": (
        h5_of(either(model(dense(note={"deep": [CODE64]})), model(dense(note={"deep": ["aGk="]})))),
        "critical", "code",
    ),
    "raw code as an activation": (
        h5_of(either(model(dense(activation=CODE.decode("latin-1"))),
                     model(dense(activation="relu")))), "critical", "code",
    ),
    "a pickle in a config": (
        keras_of(either(model(dense(x=PICKLE64)), model(dense(x="QUJDRA==" * 9)))),
        "critical", "code",
    ),
    "lambda in compile": (
        h5_of(lambda evil: {**model(dense()), "compile_config": LAMBDA if evil else {}}),
        "critical", "code",
    ),
    "a function by name": (
        h5_of(either(model(layer("Lambda", {"function": "f", "function_type": "function"})),
                     model(dense()))), "high", "function",
    ),
    "os.system": (
        keras_of(either(model(layer("system", {"command": "id"}, module="os")),
                        model(layer("Dense", {"units": 1}, module="keras.layers")))),
        "critical", "import",
    ),
    "builtins": (
        keras_of(either(model(layer("eval", "1", module="builtins")), model(dense()))),
        "critical", "import",
    ),
    "keras.utils.get_file": (
        keras_of(either(
            model(layer("get_file", {"origin": "http://x"}, module="keras.src.utils.file_utils")),
            model(layer("Dense", {"units": 1}, module="keras.src.layers.core.dense")),
        )), "critical", "import",
    ),
    "safe mode switched off": (
        keras_of(either(
            model(layer("enable_unsafe_deserialization", {}, module="keras.config")),
            model(layer("GlorotUniform", {}, module="keras.initializers")),
        )), "critical", "import",
    ),
    "a module of another package": (
        keras_of(either(model(layer("Layer1", {}, module="their_package.layers")),
                        model(layer("Dense", {}, module="keras.layers")))), "medium", "import",
    ),
    "a custom object": (
        keras_of(either(model(layer("Dense", {}, registered_name="Mine>Dense")),
                        model(layer("Dense", {}, registered_name="keras>Dense")))),
        "medium", "custom",
    ),
    "a class of nobody's": (
        h5_of(either(model(layer("Swish2", {})), model(dense()))), "low", "custom",
    ),
    "a function that reads": (
        h5_of(either(model(layer("TFOpLambda", {"function": "io.read_file"})),
                     model(layer("TFOpLambda", {"function": "math.add"})))), "high", "function",
    ),
    "a raw op that writes": (
        h5_of(either(model(layer("TFOpLambda", {"function": "raw_ops.WriteFile"})),
                     model(layer("TFOpLambda", {"function": "raw_ops.AddV2"})))), "high", "op",
    ),
    "a function of Python": (
        h5_of(either(model(layer("TFOpLambda", {"function": "numpy_function"})),
                     model(layer("TFOpLambda", {"function": "numpy.add"})))), "high", "function",
    ),
    "a node that reads": (
        h5_of(either(
            model(layer("TensorFlowOpLayer", {"node_def": {**ADD_NODE, "op": "ReadFile"}})),
            model(layer("TensorFlowOpLayer", {"node_def": ADD_NODE})),
        )), "high", "op",
    ),
    "a vocabulary anywhere": (
        keras_of(either(model(layer("StringLookup", {"vocabulary": "/etc/passwd"})),
                        model(layer("StringLookup", {"vocabulary": ["a", "b"]})))), "high", "file",
    ),
    "a vocabulary of another machine": (
        keras_of(either(model(layer("TextVectorization", {"vocabulary": "gs://bucket/words"})),
                        model(layer("TextVectorization", {"vocabulary": None})))), "high", "file",
    ),
    "a vocabulary beside the model": (
        keras_of(either(model(layer("IntegerLookup", {"vocabulary": "words.txt"})),
                        model(layer("IntegerLookup", {"vocabulary": [1, 2]})))), "medium", "file",
    ),
    "another model as a layer": (
        keras_of(either(model(layer("TFSMLayer", {"filepath": "other"})), model(dense()))),
        "high", "file",
    ),
    "a module of PyTorch": (
        keras_of(either(model(layer("TorchModuleWrapper", {"module": PICKLE64})), model(dense()))),
        "critical", "file",
    ),
    "PyFunc": (pbtxt_of(either(node("PyFunc"), node("NoOp"))), "high", "op"),
    "ReadFile": (
        pbtxt_of(either(text_const("f", "x") + node("ReadFile", "n", ("f",)),
                        text_const("f", "x") + node("Identity", "n", ("f",)))), "high", "op",
    ),
    "MatchingFiles within a function": (
        pbtxt_of(either(in_function("MatchingFiles"), in_function("StringLower"))), "high", "op",
    ),
    "a custom op": (pbtxt_of(either(node("Their>Op"), node("NoOp"))), "medium", "op"),
    "a table of a file": (
        pbtxt_of(lambda evil: node("HashTableV2", "t") + text_const(
            "f", "/etc/passwd" if evil else "vocabulary.txt"
        ) + node("InitializeTableFromTextFileV2", "n", ("t", "f"))), "high", "file",
    ),
    "a saver of one place": (
        pbtxt_of(lambda evil: text_const("f", "/root/.ssh/x" if evil else "model") + node(
            "SaveV2", "n", ("f", "f", "f")
        )), "high", "file",
    ),
    "PrintV2 into a file": (
        pbtxt_of(lambda evil: text_const("f", "x") + node("PrintV2", "n", ("f",), (
            "attr { key: 'output_stream' value { s: '"
            + ("file:///etc/x" if evil else "stderr") + "' } }"
        ))), "high", "op",
    ),
    "a debugger elsewhere": (
        pbtxt_of(lambda evil: text_const("f", "x") + node("DebugIdentity", "n", ("f",), strings(
            "debug_urls", *(["grpc://evil:1"] if evil else [])
        ))), "high", "op",
    ),
    "a constant of 256 GiB": (pbtxt_of(const_bomb), "high", "bomb"),
    "a file written at loading": (run_at_loading, "high", "op"),
    "an asset outside": (asset, "high", "file"),
    "a link out of the folder": (linked_folder, "high", "file"),
    "a library in the folder": (library_in_folder, "medium", "file"),
    "an external link": (external_link, "high", "hdf5"),
    "external data": (external_data, "high", "hdf5"),
    "virtual data": (virtual_data, "high", "hdf5"),
    "a dataset of 4 TiB": (declared, "high", "bomb"),
    "a slipping member": (slip, "high", "unsafe"),
    "two members of a name": (twice, "high", "unsafe"),
    "a program in the archive": (program, "medium", "archive"),
    "a link in the archive": (zip_link, "high", "archive"),
    "a zip bomb": (zip_bomb, "high", "bomb"),
    "a JSON bomb": (json_bomb, "high", "bomb"),
    "a pickled array": (pickled, "critical", "code"),
    "a YAML that calls": (yaml, "critical", "code"),
    "a state that leads elsewhere": (state, "low", "file"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_is_found(name: str, tmp_path: Path) -> None:
    make, severity, rule = PLANTS[name]
    risks = examine(str(make(tmp_path, True)))
    assert (severity, rule) in {(risk.severity, risk.rule) for risk in risks}
    assert all(str(risk).startswith(str(tmp_path)) and risk.what and risk.why for risk in risks)


@pytest.mark.parametrize("name", PLANTS)
def test_its_benign_twin_is_silent(name: str, tmp_path: Path) -> None:
    assert examine(str(PLANTS[name][0](tmp_path, False))) == []


def test_what_runs_at_loading_says_so(tmp_path: Path) -> None:
    (risk,) = modelfmt.audit(run_at_loading(tmp_path, True))
    assert risk.place == 'node "init"' and risk.why.endswith("when the model is loaded")


def test_the_worst_comes_first(tmp_path: Path) -> None:
    config = model(layer("Swish2", {}), layer("TFSMLayer", {"filepath": "x"}), LAMBDA)
    risks = modelfmt.audit(h5_of(lambda _: config)(tmp_path, True))
    assert [risk.severity for risk in risks] == ["critical", "high", "low"]
    assert risks[0].place == "model_config.config.layers[2].config.function"


def test_goldens_have_no_false_alarm() -> None:
    """Genuine files: their Lambda layers and custom classes, and nothing else."""
    golden = Path(__file__).parents[2] / "golden"
    for folder in sorted(golden.glob("*/*/")):
        for path in folder.iterdir():
            if path.suffix in (".txt", ".npz", ".toml", ".py") or not path.name.startswith("model"):
                continue
            if path.suffix in (".h5", ".keras", ".pb", ".pbtxt", ".meta"):
                rules = {(risk.severity, risk.rule) for risk in examine(str(path))}
                assert rules <= {("low", "custom")}, path


def test_nothing_of_a_lambda_runs(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    code = marshal.dumps(compile(f"open({str(target)!r}, 'w')", "x", "exec"))
    evil = layer("Lambda", {"function": [base64.b64encode(code).decode(), None, None]})
    assert modelfmt.audit(h5_of(lambda _: model(evil))(tmp_path, True))
    assert not target.exists()
