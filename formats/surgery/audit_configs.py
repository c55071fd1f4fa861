"""What a Keras config would make its reader do: run code, import modules, open files.

The JSON is walked as it stands, at any depth, whatever its entries call themselves: an object with
a renamed class, or code in a place where Keras expects none, is seen as well. Nothing is imported,
decoded further than its first bytes, or run.

Source: Keras, saving/serialization_lib.py, legacy/saving, layers/core/lambda_layer.py; the
advisories CVE-2024-3660, CVE-2025-1550, -8747, -9905, -9906, -12058.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelfmt.layers import codecs
from modelfmt.surgery.audit_ops import function_risk, op_risk
from modelfmt.surgery.risks import CRITICAL, HIGH, LOW, MEDIUM, Risk, leads_out

#: Objects of Keras that read or run something when they are made from a config.
_READERS = {
    "TFSMLayer": ("filepath", HIGH, "loads another SavedModel, with all its ops"),
    "TorchModuleWrapper": ("module", CRITICAL, "unpickles a PyTorch module"),
    "JaxLayer": ("call_fn", HIGH, "calls a function of the caller's own"),
    "FlaxLayer": ("module", HIGH, "calls a module of the caller's own"),
    "HubLayer": ("handle", HIGH, "downloads or opens another model"),
    "KerasLayer": ("handle", HIGH, "downloads or opens another model"),
}
_KERAS = {"keras", "tf_keras", "keras_core"}
_TENSORFLOW_KERAS = ("tensorflow.keras", "tensorflow.python.keras", "tensorflow_core.python.keras")
#: Parts of Keras that hold functions with effects, and what of them is only data.
_EFFECTS = re.compile(r"\.(utils|config|saving|models|applications|datasets|export)(\.|$)")
_HARMLESS = {"Functional", "Sequential", "Model", "FeatureSpace", "Feature", "Cross"}
#: Modules of Python that a config has no reason to name.
_BUILTINS = {"builtins", "__builtin__"}
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{24,}")
#: Where the codes of a marshalled function begin: TYPE_CODE with and without a reference flag.
_MARSHALLED = (0x63, 0xE3)
_MODELS = {"Sequential", "Functional", "Model", "InputLayer"}


def config_risks(value: Any, place: str) -> Iterator[Risk]:
    """The risks of a config.

    Args:
        value: parsed JSON.
        place: what it is called in its file: ``config.json``.
    """
    todo: list[tuple[Any, str, bool]] = [(value, place, False)]
    while todo:
        found, where, in_layers = todo.pop()
        if isinstance(found, dict):
            told = set[str]()
            for rule in _RULES:
                for risk, keys in rule(found, where):
                    told |= keys
                    yield risk
            if in_layers and not told:
                yield from _unknown_class(found, where)
            todo += [
                (each, f"{where}.{key}", False)
                for key, each in reversed(found.items()) if key not in told and key != "layers"
            ]  # fmt: skip
            layers = found.get("layers")
            if isinstance(layers, list):
                numbered = reversed([*enumerate(layers)])
                todo += [(e, f"{where}.layers[{k}]", True) for k, e in numbered]
        elif isinstance(found, list):
            todo += [(e, f"{where}[{k}]", False) for k, e in reversed([*enumerate(found)])]
        elif isinstance(found, str) and (kind := code_in(found)):
            yield _code(where, kind, "a text")


def code_in(text: str) -> str | None:
    """``marshalled code`` or ``a pickle``, where a text holds that, as such or as base64."""
    if len(text) < 24:
        return None
    raw = _latin(text)
    if _BASE64.fullmatch(text):
        try:
            raw = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
    return _kind_of(raw)


def _latin(text: str) -> bytes:
    """The first bytes of a text that Keras 1 made of bytes, one character each."""
    try:
        return text[:64].encode("latin-1")
    except UnicodeEncodeError:
        return b""


def _kind_of(raw: bytes) -> str | None:
    # TYPE_CODE, then the number of arguments, of which none has 65,536.
    if raw[:1] and raw[0] in _MARSHALLED and raw[3:5] == b"\0\0" and raw[1:2] < b"\x20":
        return "marshalled code"
    if raw[:1] == b"\x80" and raw[1:2] in b"\x02\x03\x04\x05" and raw[-1:] == b".":
        return "a pickle"
    return None


def _code(where: str, kind: str, what: str) -> Risk:
    return Risk(
        CRITICAL, "code", where, f"{what} with {kind}",
        "it is unmarshalled or unpickled, and runs when the model is loaded or called",
    )


# -- rules: each yields risks, and the keys that they account for ---------------------------------

_Found = Iterator[tuple[Risk, set[str]]]


def _lambda(entry: Mapping[str, Any], where: str) -> _Found:
    name, config = entry.get("class_name"), entry.get("config")
    if name == "__lambda__":
        yield _code(where, "marshalled code", "a __lambda__"), {"config", "class_name"}
    elif name == "Lambda" and isinstance(config, dict):
        function = config.get("function")
        by_name = isinstance(function, str) and code_in(function) is None
        if by_name or (
            isinstance(function, dict) and function.get("class_name") != "__lambda__"
        ):
            said = function.get("config") if isinstance(function, dict) else function
            yield Risk(
                HIGH, "function", f"{where}.config.function", f"a Lambda of the function {said!r}",
                "whatever is registered under that name is called",
            ), {"config"}
        else:
            yield _code(f"{where}.config.function", "marshalled code", "a Lambda"), {"config"}
    elif entry.get("function_type") == "lambda" and "function" in entry:
        yield _code(f"{where}.function", "marshalled code", "a lambda"), {"function"}


def _module(entry: Mapping[str, Any], where: str) -> _Found:
    module, name = entry.get("module"), entry.get("class_name")
    if not isinstance(module, str) or not module or name in _READERS or name == "__lambda__":
        return
    root = module.split(".")[0]
    keys = {"module", "registered_name", "class_name"}
    if root in _BUILTINS and name == "function":
        yield Risk(
            MEDIUM, "function", where, f"the function {entry.get('config')!r}",
            "whatever is registered under that name is called",
        ), keys  # fmt: skip
    elif root in _BUILTINS or root in sys.stdlib_module_names:
        yield Risk(
            CRITICAL, "import", where, f"{module}.{name}",
            "an object of Python's own library is made, with arguments from the file",
        ), keys  # fmt: skip
    elif root in _KERAS or module.startswith(_TENSORFLOW_KERAS):
        if _EFFECTS.search(module) and name not in _HARMLESS:
            yield Risk(
                CRITICAL, "import", where, f"{module}.{name}",
                "a function of Keras with effects (files, network, safe mode) is called",
            ), keys  # fmt: skip
        elif (risk := function_risk(str(name))) is not None:
            yield risk.at(where), keys
    else:
        yield Risk(
            MEDIUM, "import", where, f"{module}.{name}",
            "a module that is no part of Keras is imported",
        ), keys  # fmt: skip


def _registered(entry: Mapping[str, Any], where: str) -> _Found:
    name = entry.get("registered_name")
    if isinstance(entry.get("module"), str) or not isinstance(name, str) or ">" not in name:
        return
    if name.split(">")[0].lower() not in ("keras", "builtins"):
        yield Risk(
            MEDIUM, "custom", where, f"the custom object {name}",
            "needs code that is not in the file",
        ), {"registered_name", "class_name"}


def _operation(entry: Mapping[str, Any], where: str) -> _Found:
    name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(config, dict):
        return
    if name in ("TFOpLambda", "SlicingOpLambda", "ClassMethod"):
        risk = function_risk(str(config.get("function") or config.get("cls_ref")))
        if risk is not None:
            yield risk.at(f"{where}.config.function"), set()
    elif name == "TensorFlowOpLayer":
        node = config.get("node_def")
        op = node.get("op") if isinstance(node, dict) else _text_op(node)
        risk = op_risk(str(op)) if op else None
        if risk is not None:
            yield risk.at(f"{where}.config.node_def"), set()


def _text_op(node: Any) -> str | None:
    found = re.search(r'op:\s*"([^"]*)"', node) if isinstance(node, str) else None
    return found[1] if found else None


def _reading(entry: Mapping[str, Any], where: str) -> _Found:
    name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(config, dict):
        return
    if isinstance(name, str) and name in _READERS:
        key, severity, why = _READERS[name]
        said = config.get(key)
        yield Risk(
            severity, "file", f"{where}.config.{key}", f"a {name} of {said!r:.80}", why
        ), {"config", "module"}
    for key in ("vocabulary", "vocabulary_file", "idf_weights"):
        said = config.get(key)
        if isinstance(said, str) and said:
            outside = leads_out(said)
            yield Risk(
                HIGH if outside else MEDIUM, "file", f"{where}.config.{key}",
                f"a vocabulary in the file {said!r}",
                "it is opened when the model is loaded"
                + (", wherever that is" if outside else ""),
            ), set()  # fmt: skip


def _unknown_class(entry: Mapping[str, Any], where: str) -> Iterator[Risk]:
    name = entry.get("class_name")
    if not isinstance(name, str) or entry.get("module") or name in _MODELS:
        return
    config = entry.get("config")
    if isinstance(config, dict) and "layers" in config:
        return  # a model of a class of its own: its layers are looked at
    if name not in {codec.class_name for codec in codecs()} | _OTHER_CLASSES:
        yield Risk(
            LOW, "custom", where, f"a layer of class {name}", "needs code that is not in the file"
        )


#: Layer classes that Keras has and no codec: read into others, or refused by name.
_OTHER_CLASSES = {
    "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod",
    "InstanceProperty", "CuDNNLSTM", "CuDNNGRU", "BatchNormalizationV1", "BatchNormalizationV2",
    "Convolution1D", "Convolution2D", "Convolution3D", "Deconvolution2D", "AtrousConvolution1D",
    "AtrousConvolution2D", "SeparableConvolution2D", "TimeDistributedDense", "Wrapper", "Layer",
    "DenseFeatures", "SequenceFeatures", "TFSMLayer",
}  # fmt: skip

_RULES: tuple[Callable[[Mapping[str, Any], str], _Found], ...] = (
    _lambda, _module, _registered, _operation, _reading,
)  # fmt: skip
