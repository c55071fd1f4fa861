"""Configs walked: code in texts, places named by their JSON keys, layers of known classes."""

from __future__ import annotations

import base64
import marshal
import pickle

import pytest

from modelfmt.layers import codecs
from modelfmt.surgery.audit_configs import code_in, config_risks

CODE = marshal.dumps((lambda: 0).__code__)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (base64.b64encode(CODE).decode(), "marshalled code"),
        (base64.encodebytes(CODE).decode(), "marshalled code"),
        (CODE.decode("latin-1"), "marshalled code"),
        # as Pythons 2.7 and 3.6 began: TYPE_CODE without the reference flag
        (base64.b64encode(b"c\x01\0\0\0" + CODE[5:]).decode(), "marshalled code"),
        (base64.b64encode(pickle.dumps({"a": 1} | dict.fromkeys(range(9)))).decode(), "a pickle"),
        ("a name of some length that is no code", None),
        ("convolution_of_many_channels_more", None),
        ("c", None),
        (base64.b64encode(b"any bytes at all, but no code").decode(), None),
        ("\u4e2d\u6587" * 20, None),
    ],
)
def test_code_in_texts(text: str, kind: str | None) -> None:
    assert code_in(text) == kind


def test_places_are_json_paths() -> None:
    config = {"config": {"layers": [{"class_name": "Dense", "config": {}}, {"class_name": "Nope"}]}}
    (risk,) = config_risks(config, "config.json")
    assert risk.place == "config.json.config.layers[1]" and "Nope" in risk.what


def test_no_layer_of_ours_is_unknown() -> None:
    names = {codec.class_name for codec in codecs() if codec.class_name != "Lambda"}
    layers = [{"class_name": name, "config": {"name": "x"}} for name in sorted(names)]
    assert list(config_risks({"config": {"layers": layers}}, "c")) == []


def test_what_is_no_config_at_all() -> None:
    for value in (None, 1, [], {}, "text", [[{}]], {"class_name": 3, "config": 4, "layers": 5}):
        assert list(config_risks(value, "c")) == []


def test_a_deep_config_needs_no_stack() -> None:
    value: object = base64.b64encode(CODE).decode()
    for _ in range(20_000):
        value = [value]
    (risk,) = config_risks(value, "c")
    assert risk.rule == "code"
