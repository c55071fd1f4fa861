"""The registry: which codec speaks for which layer class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from modelfmt.errors import UnknownLayerError, Where
from modelfmt.layers.codec import LayerCodec
from modelfmt.network import Layer

#: The name under which one codec speaks for all operations of Keras 3: their classes are not
#: layers, though many have a layer's name (Add, Concatenate, Softmax).
OPERATION = "keras.ops"

_CODECS: dict[str, LayerCodec] = {}
_Class = TypeVar("_Class", bound=type[LayerCodec])


def register_layer(codec: _Class) -> _Class:
    """Class decorator: make a codec known, for both directions. A later one replaces an earlier.

    Raises:
        TypeError: not a LayerCodec with a ``class_name``.
    """
    if not (isinstance(codec, type) and issubclass(codec, LayerCodec) and codec.class_name):
        raise TypeError("register_layer takes a LayerCodec subclass that sets class_name")
    _CODECS[codec.class_name] = codec()
    return codec


def codec_for(layer: Layer) -> LayerCodec:
    """The codec of a layer's class; of an operation, the one that speaks for all of them.

    Raises:
        UnknownLayerError: with the layer's name.
    """
    codec = _CODECS.get(OPERATION if layer.is_operation else layer.class_name)
    if codec is None:
        raise UnknownLayerError(
            f"no codec for a layer of class {layer.class_name}",
            where=Where(key=f'layer "{layer.name}"'),
            hint="Register one with modelfmt.register_layer, or pass --custom FILE.py.",
        )
    return codec


def is_ours(codec: LayerCodec) -> bool:
    """Whether a codec is this package's own, and no user's."""
    return type(codec).__module__.startswith("modelfmt.")


def codecs() -> Iterator[LayerCodec]:
    """All registered codecs, in order of registration."""
    yield from _CODECS.values()
