"""The bridge between layers and graphs: its table of contents is its registry.

Both directions of a layer stand together: ``write`` emits its nodes, ``recognise`` finds them.
Importing this package registers every built-in codec.
"""

from modelfmt.layers import (  # noqa: I001  the order settles which of two equal claims wins
    activations,
    rectifiers,
    softmax,
    core,
    einsum,
    embedding,
    convolutional,
    transposed,
    separable,
    local,
    pooling,
    adaptive,
    padding,
    upsampling,
    normalization,
    sample_normalization,
    merging,
    dot,
    attention,
    dense_attention,
    reshaping,
    regularization,
    recurrent,
    wrappers,
    spectral,
    operations,
    preprocessing,
    hashing,
    lookup,
    text,
    image,
    augmentation,
    contrast,
    audio,
    pipeline,
    applications,
    keras1,
)
from modelfmt.layers.binding import bind
from modelfmt.layers.codec import Claim, Derived, LayerCodec
from modelfmt.layers.recogniser import recognise
from modelfmt.layers.recurrent.cells import CellCodec
from modelfmt.layers.registry import codec_for, codecs, register_layer
from modelfmt.layers.template import Field, Input, Template, Weight, X, one_of, only, op
from modelfmt.layers.writer import infer_specs, write_network

__all__ = [
    "audio", "augmentation", "contrast", "hashing", "image", "lookup", "pipeline",
    "preprocessing", "text",
    "CellCodec", "Claim", "Derived", "Field", "Input", "LayerCodec", "Template", "Weight", "X",
    "bind", "codec_for", "codecs", "infer_specs", "one_of", "only", "op", "recognise",
    "register_layer", "write_network",
    "attention", "dense_attention", "dot", "einsum", "embedding",
    "keras1", "sample_normalization", "spectral",
    "activations", "adaptive", "applications", "convolutional", "core", "local", "padding",
    "separable",
    "transposed", "upsampling", "merging", "normalization", "pooling",
    "operations", "rectifiers", "recurrent", "regularization", "reshaping",
    "softmax",
    "wrappers",
]  # fmt: skip
