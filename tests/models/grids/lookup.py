"""Lookups of strings and integers, and text made of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from grid import Model

REFUSED = {
    "the file does not hold the layer's vocabulary": "an .h5 file of Keras 3 has no place for it",
    "a vocabulary in a file outside of the model": "no file that a config names is opened",
    "rows of different lengths": "ragged",
    "yields ragged": "ragged",
    "a function of the user's": "code is never executed",
}
RANDOM = np.random.default_rng(0)
WORDS = ["a", "b", "é", "long word", "c"]
TEXTS = [
    b"The cat sat, the dog ran!", "Größe  zählt\tnicht".encode(), b"", b"a",
    b"b-b b_b  [a] (c) `x` ~y~ 1.5%", b"  padded   ", "日本語 a".encode(), b"THE THE the \\ ^",
]  # fmt: skip
VOCABULARY = ["the", "cat", "a", "größe", "b", "dog", "y"]


def models(keras: Any, major: int) -> Iterator[Model]:
    yield from lookups(keras, major)
    yield from texts(keras, major)
    if major == 3:
        yield from learnt(keras)


def lookups(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    numbers = [12, -3, 7, 400, 5]
    kinds: list[tuple[str, Callable[..., Any], list[Any], Any, Any]] = [
        ("String", layers.StringLookup, WORDS, "<m>", words),
        ("Integer", layers.IntegerLookup, numbers, 99, integers),
    ]
    for name, make, known, mask, feed in kinds:
        variants = [
            {}, {"mask_token": mask}, {"num_oov_indices": 3},
            {"num_oov_indices": 2, "mask_token": mask},
            {"num_oov_indices": 0}, {"num_oov_indices": 0, "mask_token": mask},
        ]  # fmt: skip
        if major == 3:
            variants += [{"num_oov_indices": 3, "oov_method": "farmhash"},
                         {"num_oov_indices": 3, "oov_method": "farmhash", "salt": [4, 5]}]
        for k, config in enumerate(variants):
            sure = config.get("num_oov_indices") == 0
            for mode in ("int", "one_hot", "multi_hot", "count"):
                for shape in [(1,), (4,), (None,)] + [(2, 3)] * (mode == "int"):
                    if mode == "one_hot" and major == 2 and shape != (1,):
                        continue
                    yield f"{name}_{k}_{mode}_{len(shape)}_{shape[0]}", (
                        lambda m=make, v=known, c=config, o=mode, s=shape, f=feed, u=sure: fed(
                            keras, m(vocabulary=v, output_mode=o, **c), f(v, s, u)
                        )
                    )
        for config in ({}, {"mask_token": mask}, {"num_oov_indices": 2}):
            yield f"{name}_inverted_{len(config)}_{'mask_token' in config}", (
                lambda m=make, v=known, c=config: fed(
                    keras, m(vocabulary=v, invert=True, **c), RANDOM.integers(0, 8, (3, 4))
                )
            )
        for config in ({}, {"max_tokens": 9, "pad_to_max_tokens": True}, {"num_oov_indices": 2}):
            for mode in ("tf_idf", "count"):
                weights = {"idf_weights": [0.1, 0.4, 0.3, 0.25, 2.0]} if mode == "tf_idf" else {}
                yield f"{name}_{mode}_{len(config)}_{'max_tokens' in config}", (
                    lambda m=make, v=known, c=config, w=weights, o=mode, f=feed: fed(
                        keras, m(vocabulary=v, output_mode=o, **w, **c), f(v, (4,), False)
                    )
                )
    whole = ["[UNK]", *WORDS]
    yield "String_whole", lambda: fed(
        keras, layers.StringLookup(vocabulary=whole), words(WORDS, (4,), False)
    )
    yield "String_whole_tf_idf", lambda: fed(
        keras, layers.StringLookup(
            vocabulary=whole, output_mode="tf_idf", idf_weights=[0.5, 0.1, 0.2, 0.3, 0.4, 0.6]
        ), words(WORDS, (4,), False),
    )  # fmt: skip
    many = [f"token {k}" for k in range(3000)]
    yield "String_many", lambda: fed(
        keras, layers.StringLookup(vocabulary=many), words(many, (50,), False)
    )
    yield "String_embedded", lambda: embedded(keras)


def texts(keras: Any, major: int) -> Iterator[Model]:
    make = keras.layers.TextVectorization
    k = 0
    for standardize in ("lower_and_strip_punctuation", "lower", "strip_punctuation", None):
        for split in ("whitespace", "character", None):
            for ngrams in (None, 2, (1, 3)):
                if (split is None or standardize == "lower") and ngrams is not None:
                    continue
                for length in (None, 4):
                    k += 1
                    yield f"Text_{k}_{split}", (
                        lambda a=standardize, b=split, c=ngrams, d=length: text(
                            keras, make(standardize=a, split=b, ngrams=c, output_sequence_length=d,
                                        vocabulary=[*VOCABULARY, "the cat"])
                        )
                    )
    for mode in ("multi_hot", "count", "tf_idf"):
        for padded in (False, True):
            for split in ("whitespace", None):
                yield f"Text_{mode}_{padded}_{split}", lambda m=mode, p=padded, s=split: text(
                    keras, make(
                        output_mode=m, pad_to_max_tokens=p, max_tokens=20 if p else None, split=s,
                        vocabulary=VOCABULARY,
                        idf_weights=[0.1 * k for k in range(7)] if m == "tf_idf" else None,
                    )
                )  # fmt: skip
    yield "Text_of_a_vector", lambda: text(keras, make(vocabulary=VOCABULARY), ())
    yield "Text_wide", lambda: text(
        keras, make(vocabulary=VOCABULARY, split=None, output_sequence_length=2), (4,)
    )
    yield "Text_wide_ngrams", lambda: text(
        keras, make(vocabulary=[*VOCABULARY, "a a"], split=None, ngrams=2), (4,)
    )
    yield "Text_wide_longer", lambda: text(
        keras, make(vocabulary=VOCABULARY, split=None, output_sequence_length=6), (4,)
    )
    yield "Text_then_Dense", lambda: classified(keras, make)


def learnt(keras: Any) -> Iterator[Model]:
    layers = keras.layers
    for mode in ("int", "multi_hot", "tf_idf"):
        for most in (None, 4):
            yield f"learnt_String_{mode}_{most}", lambda m=mode, n=most: adapted(
                keras, layers.StringLookup(output_mode=m, max_tokens=n),
                words(WORDS, (4,), True), words(WORDS, (4,), False),
            )
            yield f"learnt_Text_{mode}_{most}", lambda m=mode, n=most: adapted(
                keras, layers.TextVectorization(output_mode=m, max_tokens=n),
                np.array(TEXTS).reshape(-1, 1), np.array(TEXTS).reshape(-1, 1),
            )
    yield "learnt_Integer", lambda: adapted(
        keras, layers.IntegerLookup(), RANDOM.integers(0, 5, (20, 1)), RANDOM.integers(0, 9, (3, 1))
    )
    yield "learnt_padded", lambda: adapted(
        keras, layers.StringLookup(output_mode="tf_idf", max_tokens=12, pad_to_max_tokens=True),
        words(WORDS, (4,), True), words(WORDS, (4,), False),
    )


def words(known: list[str], shape: Any, sure: bool) -> Any:
    size = [3, *(6 if n is None else n for n in shape)]
    more = [] if sure else ["", "<m>", "unknown", "x"] * max(1, len(known) // 8)
    return RANDOM.choice(np.array([w.encode() for w in [*known, *more]]), size)


def integers(known: list[int], shape: Any, sure: bool) -> Any:
    size = [3, *(6 if n is None else n for n in shape)]
    return RANDOM.choice(np.array([*known, *([] if sure else [99, 0, -8, 13])], "int64"), size)


def fed(keras: Any, layer: Any, array: Any) -> Any:
    kind = "string" if array.dtype.kind == "S" else str(array.dtype)
    x = keras.Input(array.shape[1:], name="x", dtype=kind)
    model = keras.Model(x, layer(x))
    model.arrays, model.trained = [array], True
    return model


def adapted(keras: Any, layer: Any, seen: Any, array: Any) -> Any:
    layer.adapt(seen)
    return fed(keras, layer, array)


def text(keras: Any, layer: Any, shape: Any = (1,)) -> Any:
    count = int(np.prod(shape))
    array = np.array([TEXTS[k % len(TEXTS)] for k in range(len(TEXTS) * count)])
    return fed(keras, layer, array.reshape(len(TEXTS), *shape))


def embedded(keras: Any) -> Any:
    x = keras.Input((4,), name="x", dtype="string")
    y = keras.layers.StringLookup(vocabulary=WORDS, mask_token="")(x)
    y = keras.layers.Embedding(7, 3, mask_zero=True)(y)
    model = keras.Model(x, keras.layers.LSTM(3)(y))
    model.arrays = [words(WORDS, (4,), False)]
    return model


def classified(keras: Any, make: Callable[..., Any]) -> Any:
    x = keras.Input((1,), name="x", dtype="string")
    y = make(vocabulary=VOCABULARY, output_sequence_length=5)(x)
    y = keras.layers.Embedding(12, 3)(y)
    y = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(y))
    model = keras.Model(x, y)
    model.arrays = [np.array(TEXTS).reshape(-1, 1)]
    return model
