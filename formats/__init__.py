"""modelfmt: low-level format surgery for TensorFlow and Keras model files, without TensorFlow.

    import modelfmt
    modelfmt.convert("model.h5", "model.pb")
    with modelfmt.open("frozen.pb") as f:
        f.graph["dense/MatMul"].attrs["transpose_b"] = True
        f.save("edited.pb")

This is the facade: the public names, each imported when it is first touched (PEP 562).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelfmt.container import Container as Container
    from modelfmt.errors import ModelFormatError as ModelFormatError
    from modelfmt.graph import Graph as Graph
    from modelfmt.graph import Node as Node
    from modelfmt.layers.codec import LayerCodec as LayerCodec
    from modelfmt.layers.registry import register_layer as register_layer
    from modelfmt.network import Layer as Layer
    from modelfmt.network import Network as Network
    from modelfmt.surgery.assemble import assemble as assemble
    from modelfmt.surgery.audit import audit as audit
    from modelfmt.surgery.check import check as check
    from modelfmt.surgery.convert import convert as convert
    from modelfmt.surgery.custom import load_custom as load_custom
    from modelfmt.surgery.diff import diff as diff
    from modelfmt.surgery.dump import dump as dump
    from modelfmt.surgery.dump_text import dump_text as dump_text
    from modelfmt.surgery.edit import edit as edit
    from modelfmt.surgery.extract import extract as extract
    from modelfmt.surgery.opening import open as open
    from modelfmt.surgery.transplant import transplant as transplant
    from modelfmt.surgery.transplant_map import write_map as write_map
    from modelfmt.surgery.verify import verify as verify
    from modelfmt.surgery.view import view as view
    from modelfmt.tensor import Tensor as Tensor

__version__ = "0.1.0"

_HOMES = {
    "Container": "modelfmt.container",
    "Graph": "modelfmt.graph",
    "Layer": "modelfmt.network",
    "LayerCodec": "modelfmt.layers",
    "ModelFormatError": "modelfmt.errors",
    "Network": "modelfmt.network",
    "Node": "modelfmt.graph",
    "Tensor": "modelfmt.tensor",
    "assemble": "modelfmt.surgery.assemble",
    "audit": "modelfmt.surgery.audit",
    "check": "modelfmt.surgery.check",
    "convert": "modelfmt.surgery.convert",
    "diff": "modelfmt.surgery.diff",
    "dump": "modelfmt.surgery.dump",
    "dump_text": "modelfmt.surgery.dump_text",
    "edit": "modelfmt.surgery.edit",
    "extract": "modelfmt.surgery.extract",
    "load_custom": "modelfmt.surgery.custom",
    "open": "modelfmt.surgery.opening",
    "register_layer": "modelfmt.layers",
    "transplant": "modelfmt.surgery.transplant",
    "verify": "modelfmt.surgery.verify",
    "view": "modelfmt.surgery.view",
    "write_map": "modelfmt.surgery.transplant_map",
}
__all__ = sorted(_HOMES)


if not TYPE_CHECKING:  # else mypy would take every submodule for an object

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
