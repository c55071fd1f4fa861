"""Lookups: tokens of a vocabulary as numbers, and back.

    [mask_token]  [oov_token, num_oov_indices times]  token, token, ...
          0          1 ...                             from here on

The mask's place is there only with a mask_token and output_mode int. The vocabulary stands in the
config; where Keras keeps it in a file of the archive, reading the archive brought it there.
Source: Keras, layers/preprocessing/index_lookup.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MismatchError, UnsafeFileError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.table_builder import table
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.encoding import cast, encoded, output_mode
from modelfmt.layers.hashing import hashed
from modelfmt.layers.registry import register_layer
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_LARGEST = (1 << 63) - 1


class Vocabulary(NamedTuple):
    """The tokens of a lookup layer, and where they start.

    Attributes:
        tokens: without mask and out-of-vocabulary tokens.
        first: the number of the first.
        oov: the number of the first out-of-vocabulary token.
        named: how many special tokens stood before the tokens in the config.
    """

    tokens: list[Any]
    first: int
    oov: int
    named: int

    @property
    def size(self) -> int:
        """How many numbers there are, those of the special tokens among them."""
        return self.first + len(self.tokens)


def vocabulary(config: Config, kind: type[str] | type[int]) -> Vocabulary:
    """What the config says of its tokens.

    Args:
        config: of a StringLookup or IntegerLookup, completed.
        kind: of the tokens.

    Raises:
        UnsafeFileError: the vocabulary is the name of a file outside of the model.
        MismatchError: there is no vocabulary, or what stands there is none.
    """
    listed = config["vocabulary"]
    if isinstance(listed, str):
        raise UnsafeFileError(
            "a vocabulary in a file outside of the model, which is never opened", found=listed,
            hint="Save the model with the vocabulary in it (.keras, or set_vocabulary of a list).",
        )
    if not isinstance(listed, list):
        raise MismatchError(
            "the file does not hold the layer's vocabulary", expected="a list of tokens",
            found=f"{listed!r:.40}", hint="An .h5 file loses what a layer learnt with adapt(); "
            "a .keras file keeps it.",
        )  # fmt: skip
    if any(not isinstance(token, kind) or isinstance(token, bool) for token in listed):
        raise MismatchError(f"a vocabulary of something else than {kind.__name__}")
    mask, extra = config["mask_token"], config["num_oov_indices"]
    oov = 1 if mask is not None and config["output_mode"] == "int" else 0
    special = [mask] * oov + [config["oov_token"]] * extra
    named = len(special) if listed[: len(special)] == special else 0
    tokens = listed[named:]
    if len(set(tokens)) != len(tokens):
        raise MismatchError("a vocabulary with a token twice")
    return Vocabulary(tokens, len(special), oov, named)


def depth_of(config: Config, known: Vocabulary) -> int:
    """How long the vectors are: the vocabulary, or max_tokens where it is padded to that."""
    most = config["max_tokens"]
    return most if config["pad_to_max_tokens"] and isinstance(most, int) else known.size


class IndexLookup(LayerCodec):
    """Tokens as numbers, or as vectors; inverted, numbers as tokens.

    Shapes:  x (batch, ...), y as encoding.py tells; tf_idf is count times idf_weights
    Weights: idf_weights (depth,), float32, where output_mode is tf_idf
    Nodes:   a table (graphs/table_builder.py); a token that is in none of its rows has the number
             of the out-of-vocabulary token, or of one of several, by its hash
    Source:  Keras, IndexLookup.call
    """

    weights = ("idf_weights",)
    non_trainable = weights
    kind: type[str] | type[int] = str
    config = {
        "max_tokens": None, "num_oov_indices": 1, "mask_token": None, "oov_token": "[UNK]",
        "vocabulary": None, "idf_weights": None, "invert": False, "output_mode": "int",
        "sparse": False, "pad_to_max_tokens": False, "oov_method": "floormod", "salt": None,
        "encoding": "utf-8",
    }  # fmt: skip

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return self.weights if config["output_mode"] in ("tf_idf", "tf-idf") else ()

    def settle(self, layer: Layer) -> None:
        """State the idf_weights as a weight and in the config: a .h5 file of Keras 3 has them in
        the config alone, and a layer that learnt them has them beside it alone.
        """
        config = self.completed(layer.config, {})
        if not self.weight_names(config):
            return
        known = vocabulary(config, self.kind)
        if not layer.weights:
            layer.weights = {"idf_weights": _idf_weights(config, known)}
        elif config["idf_weights"] is None and len(layer.weights) == 1:
            (stored,) = layer.weights.values()
            skipped = 0 if known.named else known.first
            weights = stored.numpy()[skipped : known.size].tolist()
            layer.config["idf_weights"] = weights

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        mode = output_mode(layer, *_MODES)
        known = vocabulary(layer.config, self.kind)
        if layer.config["invert"]:
            return [self._inverted(layer.config, known, inputs[0], graph)]
        found = self.looked_up(layer.config, known, inputs[0], graph)
        depth = depth_of(layer.config, known)
        if mode == "int":
            return [found]
        whole = dtypes.int64 if graph.keras_major == 3 else dtypes.float32
        if mode != "tf_idf":
            return [encoded(found, mode, depth, whole, graph)]
        counts = cast(encoded(found, "count", depth, whole, graph), dtypes.float32, graph)
        return [graph.op("Mul", counts, self.weighed(layer, depth, graph))]

    def weighed(self, layer: Layer, depth: int, graph: GraphBuilder) -> str:
        """The tensor of idf_weights. Raises MismatchError where there are more or fewer."""
        stored = layer.weight("idf_weights")
        if stored.shape != (depth,):
            raise MismatchError(
                "another number of idf_weights than of tokens", expected=depth,
                found=list(stored.shape),
            )  # fmt: skip
        return graph.weight(stored, "idf_weights")

    def looked_up(self, config: Config, known: Vocabulary, x: str, graph: GraphBuilder) -> str:
        """The number of each token, int64."""
        x = self._of(x, _dtype(self.kind), graph)
        extra = config["num_oov_indices"]
        missing = known.oov if extra == 1 else -1
        numbers = range(known.first, known.size)
        kinds = f"{_dtype(self.kind)} int64"
        y = graph.lookup(table(_keys(known.tokens), list(numbers), kinds=kinds), x, missing)
        mask = config["mask_token"]
        if mask is not None:
            seen = 0 if config["output_mode"] == "int" else _LARGEST  # no vector has that place
            value = graph.const(seen, dtypes.int64, "mask")
            token = graph.const(_key(mask), graph.dtype(x), "mask_token")
            y = graph.op("SelectV2", graph.op("Equal", x, token), value, y)
        if extra > 1:
            place = graph.op("AddV2", self._spread(config, x, graph), known.oov)
            y = graph.op("SelectV2", graph.op("Equal", y, -1), place, y)
        return y

    def _spread(self, config: Config, x: str, graph: GraphBuilder) -> str:
        """Which of several out-of-vocabulary tokens each token is."""
        bins = config["num_oov_indices"]
        if self.kind is int and config["oov_method"] != "farmhash":
            return graph.op("FloorMod", x, bins)
        return hashed(x, bins, config["salt"], graph)

    def _inverted(self, config: Config, known: Vocabulary, x: str, graph: GraphBuilder) -> str:
        x = self._of(x, dtypes.int64, graph)
        numbers = list(range(known.first, known.size))
        kinds = f"int64 {_dtype(self.kind)}"
        tokens = table(numbers, _keys(known.tokens), kinds=kinds)
        y = graph.lookup(tokens, x, _key(config["oov_token"]))
        if config["mask_token"] is None:
            return y
        mask = graph.const(_key(config["mask_token"]), _dtype(self.kind), "mask")
        return graph.op("SelectV2", graph.op("Equal", x, 0), mask, y)

    def _of(self, x: str, dtype: DType, graph: GraphBuilder) -> str:
        strings = dtypes.string
        if graph.dtype(x) is not dtype and strings in (dtype, graph.dtype(x)):
            raise MismatchError(
                f"{self.class_name} cannot look this up", expected=dtype, found=graph.dtype(x)
            )
        return cast(x, dtype, graph)


def _dtype(kind: type[str] | type[int]) -> DType:
    return dtypes.string if kind is str else dtypes.int64


def _key(token: str | int) -> bytes | int:
    return token.encode() if isinstance(token, str) else token


def _keys(tokens: Sequence[str | int]) -> list[bytes | int]:
    return [_key(token) for token in tokens]


def _idf_weights(config: Config, known: Vocabulary) -> Tensor:
    """The weights of all tokens, of those that the config lists: the special ones weigh the
    average, padding nothing.
    """
    import numpy as np

    said = config["idf_weights"]
    if not isinstance(said, list) or len(said) != known.named + len(known.tokens):
        raise MismatchError(
            "output_mode tf_idf needs a weight for each token of the vocabulary",
            found=f"{said!r:.40}",
        )
    listed = np.asarray(said, np.float64)
    front = [listed.mean()] * (0 if known.named else known.first)
    whole = np.concatenate([front, listed])
    padding = depth_of(config, known) - len(whole)
    if padding < 0:
        raise ConversionError("a vocabulary of more than max_tokens", found=len(whole))
    return Tensor.from_numpy("idf_weights", np.pad(whole, (0, padding)).astype(np.float32))


@register_layer
class StringLookup(IndexLookup):
    """StringLookup: IndexLookup of strings."""

    class_name = "StringLookup"


@register_layer
class IntegerLookup(IndexLookup):
    """IntegerLookup: IndexLookup of integers."""

    class_name = "IntegerLookup"
    kind = int
    config = {**IndexLookup.config, "oov_token": -1, "vocabulary_dtype": "int64"}
