"""Images resized and cut: structure and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer

KNOWN, ANY = (None, 8, 10, 3), (None, None, None, 3)


def written(
    class_name: str, shape: Any = KNOWN, major: int = 3, dtype: str = "float32", **config: Any
) -> tuple[list[str], Any, str]:
    graph = GraphBuilder()
    graph.keras_major = major
    x = graph.placeholder("x", dtypes.from_name(dtype), shape)
    it = prepared(Layer(class_name, "it", {"height": 5, "width": 6, **config}))
    (y,) = codec_for(it).write(it, [x], graph)
    ops = [node.op for node in graph.values() if node.op not in ("Const", "Placeholder")]
    return ops, graph.shape(y), graph.dtype(y).name


@pytest.mark.parametrize("shape", [KNOWN, ANY])
@pytest.mark.parametrize(
    ("method", "op"),
    [
        ("nearest", "ResizeNearestNeighbor"),
        ("area", "ResizeArea"),
        ("lanczos3", "ScaleAndTranslate"),
    ],
)
def test_each_interpolation_has_its_op(method: str, op: str, shape: Any) -> None:
    ops, found, dtype = written("Resizing", shape, interpolation=method)
    assert op in ops and found == (None, 5, 6, 3) and dtype == "float32"


def test_antialias_takes_kernels_of_their_own() -> None:
    ops, _, _ = written("Resizing", interpolation="bilinear", antialias=True)
    assert "ScaleAndTranslate" in ops


def test_images_of_the_right_size_stay() -> None:
    assert written("Resizing", (None, 5, 6, 3)) == ([], (None, 5, 6, 3), "float32")


def test_integers_stay_integers_in_keras_3() -> None:
    assert written("Resizing", dtype="uint8")[2] == "uint8"
    assert written("Resizing", dtype="uint8", major=2)[2] == "float32"


def test_one_image_without_a_batch() -> None:
    assert written("Resizing", (8, 10, 3))[1] == (5, 6, 3)
    assert written("CenterCrop", (8, 10, 3))[1] == (5, 6, 3)


def test_known_sizes_tell_how_to_crop() -> None:
    assert written("CenterCrop")[0] == ["Slice"]
    assert written("CenterCrop", (None, 4, 10, 3))[0] == ["Slice", "ResizeBilinear"]
    for major in (2, 3):
        assert "ResizeBilinear" in written("CenterCrop", ANY, major)[0]


def test_a_random_crop_resizes_in_keras_2_only() -> None:
    assert "ResizeBilinear" in written("RandomCrop", major=2)[0]
    assert written("RandomCrop")[0] == []


def test_channels_first() -> None:
    _, shape, _ = written("Resizing", (None, 3, 8, 10), data_format="channels_first")
    assert shape == (None, 3, 5, 6)


@pytest.mark.parametrize(
    ("shape", "config", "said"),
    [
        (KNOWN, {"interpolation": "cubic"}, "unknown interpolation"),
        (KNOWN, {"height": 0}, "has no height"),
        ((None, 4), {}, "takes images; expected rank 3 or 4, found 2"),
        (None, {}, "known rank"),
        (KNOWN, {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "both crop and pad"),
        (KNOWN, {"pad_to_aspect_ratio": True, "fill_mode": "edge"}, "unknown fill_mode"),
    ],
)
def test_what_cannot_be_resized(shape: Any, config: dict[str, Any], said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        written("Resizing", shape, **config)
