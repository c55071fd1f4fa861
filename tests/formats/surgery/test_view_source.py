"""What of a file becomes a box, and what an edge."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.surgery.view_boxes import Picture
from modelfmt.surgery.view_source import picture_of

GOLDEN = Path(__file__).parents[3] / "golden"


def drawn(path: str | Path) -> Picture:
    with modelfmt.open(GOLDEN / path) as container:
        return picture_of(container)


def edges(picture: Picture) -> set[tuple[str, str]]:
    return {(picture.boxes[e.source].name, picture.boxes[e.target].name) for e in picture.edges}


def test_layers_have_classes_weights_and_configs() -> None:
    picture = drawn("keras-h5/tfkeras-tf2.3.4-cnn/model.h5")
    box = next(b for b in picture.boxes if b.name == "conv_same")
    assert box.kind == "Conv2D" and box.lines[0] == "kernel float32 [3, 3, 3, 8]"
    assert ("filters", "8") in box.details
    assert ("conv_same_input", "conv_same") in edges(picture)
    assert len(picture.boxes) - 1 <= len(picture.edges)


def test_weights_have_their_canonical_names_in_any_file() -> None:
    """A .keras numbers them, and an .h5 lists those of a nested model with the model."""
    picture = drawn("keras/keras3.0.5-tf2.16.2-multi_output/model.keras")
    box = next(b for b in picture.boxes if b.name == "trunk")
    assert box.lines == ["kernel float32 [9, 14]", "bias float32 [14]"]
    picture = drawn("keras-h5/tfkeras-tf2.15.1-nested/model.h5")
    box = next(b for b in picture.boxes if b.name == "middle/inner_seq/inner_bn")
    assert [line.split()[0] for line in box.lines] == [
        "gamma", "beta", "moving_mean", "moving_variance"
    ]  # fmt: skip


def test_a_nested_model_is_a_scope() -> None:
    picture = drawn("keras-h5/tfkeras-tf2.15.1-nested/model.h5")
    scopes = [b for b in picture.boxes if b.children]
    assert scopes and all(b.kind in ("Functional", "Sequential", "Model", "") for b in scopes)
    held = {child.id for scope in scopes for child in scope.children}
    assert any((e.source in held) != (e.target in held) for e in picture.edges)
    assert not any(picture.boxes[e.source].children for e in picture.edges)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "g.pbtxt"
    path.write_text(
        'node { name: "x" op: "Placeholder" }\n'
        'node { name: "d/kernel" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT'
        " tensor_shape { dim { size: 2 } dim { size: 3 } } float_val: 0 } } } }\n"
        'node { name: "d/kernel/read" op: "Identity" input: "d/kernel" }\n'
        'node { name: "d/MatMul" op: "MatMul" input: "x" input: "d/kernel/read" }\n'
        'node { name: "d/out" op: "Identity" input: "d/MatMul" input: "^x" }\n'
        'node { name: "lost" op: "Const" attr { key: "value" value { tensor { dtype: DT_INT32'
        " tensor_shape { } int_val: 1 } } } }\n"
    )
    return path


def test_weights_stand_in_their_readers(graph: Path) -> None:
    picture = drawn(graph)
    assert [b.name for b in picture.boxes] == ["x", "d", "d/MatMul", "d/out", "lost"]
    assert picture.boxes[2].lines == ["kernel float32 [2, 3]"]
    assert [(e.source, e.target, e.control) for e in picture.edges] == [
        (0, 2, False), (0, 3, True), (2, 3, False)
    ]  # fmt: skip


def test_functions_that_call_each_other_without_end(tmp_path: Path) -> None:
    path = tmp_path / "g.pbtxt"
    body = "".join(
        f'function {{ signature {{ name: "f{i}" }} node_def {{ name: "n" op: "f{i + 1}" }} }}\n'
        for i in range(2000)
    )
    path.write_text(f'node {{ name: "x" op: "f0" }}\nlibrary {{\n{body}}}\n')
    assert 10 < len(drawn(path).boxes) < 100


def test_functions_stand_in_the_node_that_calls_them() -> None:
    picture = drawn("graphdef/rawtf2.21.0-module_control_v2cf/model.pb")
    bodies = [b for b in picture.boxes if b.kind == "function"]
    assert bodies
    for body in bodies:
        call = picture.boxes[body.parent]
        assert call.kind and call.children and body.name.startswith(call.name)
        assert {"argument", "result"} & {child.kind for child in body.children}


def test_tensors_where_there_is_nothing_else() -> None:
    picture = drawn("checkpoint/rawtf1.15.5-raw_convnet_v1")
    assert picture.edges == []
    with modelfmt.open(GOLDEN / "checkpoint/rawtf1.15.5-raw_convnet_v1") as container:
        assert {b.name for b in picture.boxes if b.kind} == set(container.tensors)


def test_a_savedmodel_that_states_layers() -> None:
    picture = drawn("savedmodel/tfkeras-tf2.15.1-linear_regression/saved_model")
    assert "Dense" in {b.kind for b in picture.boxes}
