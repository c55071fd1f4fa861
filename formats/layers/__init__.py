"""The bridge between layers and graphs: its table of contents is its registry.

Both directions of a layer stand together: ``write`` emits its nodes, ``recognise`` finds them.
Importing this package registers every built-in codec.
"""

from modelfmt.layers import (  # noqa: I001  the order settles which of two equal claims wins
    activations,
    rectifiers,
    core,
    convolutional,
    pooling,
    normalization,
    merging,
    reshaping,
    regularization,
    cells,
    rnn,
    wrappers,
)
from modelfmt.layers.binding import bind
from modelfmt.layers.cells import CellCodec
from modelfmt.layers.codec import Claim, Derived, LayerCodec
from modelfmt.layers.recogniser import recognise
from modelfmt.layers.registry import codec_for, codecs, register_layer
from modelfmt.layers.template import Field, Input, Template, Weight, X, one_of, only, op
from modelfmt.layers.writer import infer_specs, write_network

__all__ = [
    "CellCodec", "Claim", "Derived", "Field", "Input", "LayerCodec", "Template", "Weight", "X",
    "bind", "codec_for", "codecs", "infer_specs", "one_of", "only", "op", "recognise",
    "register_layer", "write_network",
    "activations", "convolutional", "core", "merging", "normalization", "pooling",
    "cells", "rectifiers", "regularization", "reshaping", "rnn", "wrappers",
]  # fmt: skip
