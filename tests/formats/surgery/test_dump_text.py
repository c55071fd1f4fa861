"""--pbtxt: the message of a file as text, which protobuf reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfmt import dump_text, proto
from modelfmt.errors import UnsupportedError

GOLDEN = Path(__file__).parents[3] / "golden"


@pytest.mark.parametrize(
    ("place", "message", "file"),
    [
        ("graphdef/keras1.2.2-tf1.2.1-k1_mlp/model.pb", "GraphDef", ""),
        ("metagraph/keras1.2.2-tf1.2.1-k1_linear/model.ckpt.meta", "MetaGraphDef", ""),
        ("savedmodel/rawtf2.3.4-module_mlp/saved_model", "SavedModel", "saved_model.pb"),
        ("savedmodel/rawtf1.0.1-raw_strings_text/saved_model", "SavedModel", "saved_model.pbtxt"),
    ],
)
def test_the_text_is_the_message(place: str, message: str, file: str) -> None:
    path = GOLDEN / place
    text = dump_text(path)
    raw = (path / file if file else path).read_bytes()
    if file.endswith("txt"):
        assert text.encode() == raw
    else:
        kind = getattr(proto, message)
        assert proto.parse_text(text, kind) == kind.FromString(raw)


def test_other_kinds_are_refused_by_name() -> None:
    path = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    with pytest.raises(UnsupportedError, match="a keras-h5 file is no protobuf message"):
        dump_text(path)
