"""Random models, from a seed, for either framework; imported by frameworks.py in a child.

Whatever is drawn here was in nobody's mind when a codec was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

ACTIVATIONS = [
    "relu", "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign",
    "hard_sigmoid", "gelu", "swish", "linear", "linear", "linear", None,
]
ACTIVATIONS_3 = ["silu", "relu6", "leaky_relu"]
UNKNOWN_TO_2 = ["log_softmax", "hard_silu"]


def models(
    keras: Any, seed: int, first: int, count: int
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names and builders of the models first to first + count - 1 of a seed."""
    for index in range(first, first + count):
        yield f"random{index}", lambda index=index: Drawing(keras, [seed, index]).model()


class Drawing:
    """One random model being drawn."""

    def __init__(self, keras: Any, seed: list[int]) -> None:
        self.keras, self.layers = keras, keras.layers
        self.random = np.random.default_rng(seed)
        self.major = int(keras.__version__.split(".")[0])
        self.functions = [*ACTIVATIONS, "mish"]
        if self.major == 3 and self.chance(0.7):
            self.functions += ACTIVATIONS_3
        if self.major == 3 and self.chance(0.2):
            self.functions += UNKNOWN_TO_2
        self.taken: set[str] = set()
        self.style = self.pick(["default", "custom", "mixed", "mixed"])

    # -- drawing ------------------------------------------------------------------------------

    def pick(self, choices: list[Any]) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def name(self, kind: str) -> str | None:
        """None for Keras' own name, or one of the kinds that people give."""
        if self.style == "default" or (self.style == "mixed" and self.chance(0.4)):
            return None
        while True:
            a, b = self.number(1, 5), self.number(1, 3)
            found = str(self.pick([
                f"{kind}{a}", f"{kind}{a}_{b}", f"block{a}_{kind}{b}", f"{kind}.{a}.{b}",
                f"res{a}a_branch{b}b", f"Mixed_{a}{'abc'[b - 1]}", f"{kind.upper()}-{a}{b}",
                f"my_{kind}_{a}", f"stage{a}.unit{b}.{kind}", f"{a}{kind}{b}", f"{kind}{a}_{b}_{a}",
                f"{kind}__{a}", f"model_{a}.{kind}_{b}.", f"Conv2D_{a}", f"BiasAdd{a}",
                f"Relu_{a}{b}", f"batchnorm{a}_{b}",
                f"scope{a}/{kind}{b}" if self.major == 2 else f"scope{a}.{kind}{b}",
            ]))
            if found not in self.taken:
                self.taken.add(found)
                return found

    def layer(self, class_name: str, kind: str, **config: Any) -> Any:
        return getattr(self.layers, class_name)(name=self.name(kind), **config)

    # -- one layer, to fit a tensor -------------------------------------------------------------

    def any_rank(self, shape: tuple[Any, ...]) -> Any:
        """An activation, normalization or layer of training."""
        slope = "negative_slope" if self.major == 3 else "alpha"
        kind = self.number(0, 8)
        if kind <= 2:
            axis = self.pick([-1, -1, -1, len(shape) - 1, 1])
            axis = -1 if shape[axis] is None else axis
            return self.layer("BatchNormalization", "bn", scale=self.chance(0.8),
                              center=self.chance(0.8), epsilon=self.pick([1e-3, 1e-5]), axis=axis)
        if kind == 3:
            return self.layer("Activation", "act", activation=self.pick(self.functions) or "relu")
        if kind == 4:
            return self.layer("Dropout", "drop", rate=0.3)
        if kind == 5:
            return self.layer("LeakyReLU", "lrelu", **{slope: self.pick([0.1, 0.3])})
        if kind == 6:
            return self.layer("ReLU", "relu", max_value=self.pick([None, None, 6.0, 2.0]),
                              negative_slope=self.pick([0.0, 0.0, 0.1]),
                              threshold=self.pick([0.0, 0.0, 0.0, 0.2]))
        if kind == 7:
            return self.layer("ELU", "elu", alpha=self.pick([1.0, 0.5]))
        shared = list(range(1, len(shape) - 1)) if self.chance(0.5) else None
        if any(size is None for size in shape[1:]):
            shared = list(range(1, len(shape) - 1))
        return self.layer("PReLU", "prelu", shared_axes=shared)

    def of_image(self, shape: tuple[Any, ...]) -> Any:
        small = min(shape[1] or 4, shape[2] or 4)
        kind = self.number(0, 9)
        if kind <= 4 or small < 2:
            size = self.pick([1, 3, (2, 3), 2]) if small >= 3 else 1
            strides, rate = self.pick([(1, 1), (1, 1), (2, 1), (1, 2), ((2, 1), 1)])
            valid = small > 5 and self.chance(0.5)
            return self.layer(
                "Conv2D", "conv", filters=self.number(1, 6), kernel_size=size, strides=strides,
                dilation_rate=rate, padding="valid" if valid else "same",
                activation=self.pick(self.functions), use_bias=self.chance(0.7),
            )
        if kind <= 6:
            pool = self.pick(["MaxPooling2D", "AveragePooling2D"])
            padding = "same" if None in shape[1:] else self.pick(["same", "valid"])
            return self.layer(pool, "pool", pool_size=2, strides=self.pick([None, 1, 2]),
                              padding=padding)
        if kind == 7:
            return self.layer("ZeroPadding2D", "pad", padding=self.pick([1, (1, 0),
                                                                         ((0, 1), (2, 1))]))
        if kind == 8:
            return self.pick([
                lambda: self.layer("SpatialDropout2D", "drop", rate=0.2),
                lambda: self.layer("Softmax", "softmax", axis=self.pick([1, 2, 3, -1])),
                self.dense,
                lambda: self.layer("GlobalAveragePooling2D", "gap", keepdims=True),
                lambda: self.layer("ZeroPadding2D", "pad", data_format="channels_first"),
            ])()
        if self.chance(0.3) and None not in shape[1:]:
            return self.layer("Permute", "permute", dims=self.pick([(2, 1, 3), (3, 1, 2)]))
        if self.chance(0.3):
            rows = shape[1] if shape[1] and shape[1] % 2 == 0 else 1
            return self.layer("Reshape", "reshape", target_shape=(-1, rows, shape[3]))
        return self.layer("Rescaling", "scale", scale=0.5, offset=self.pick([0.0, -0.25]))

    def of_rows(self, shape: tuple[Any, ...]) -> Any:
        kind = self.number(0, 4)
        if kind <= 2:
            return self.dense()
        if kind == 3 and None not in shape[1:]:
            return self.layer("Permute", "permute", dims=(2, 1))
        return self.layer("Softmax", "softmax", axis=self.pick([-1, 1]))

    def dense(self, units: int | None = None) -> Any:
        return self.layer("Dense", "dense", units=units or self.number(1, 7),
                          activation=self.pick(self.functions), use_bias=self.chance(0.8))

    def step(self, shape: tuple[Any, ...]) -> Any:
        """A layer that a tensor of this shape can go through."""
        if self.chance(0.4):
            return self.any_rank(shape)
        return {4: self.of_image, 3: self.of_rows}.get(len(shape), lambda _: self.dense())(shape)

    def narrow(self, shape: tuple[Any, ...]) -> Any:
        """A layer that leads to a matrix."""
        if len(shape) == 4 and (None in shape[1:] or self.chance(0.5)):
            pool = self.pick(["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
            return self.layer(pool, "gap")
        return self.layer("Flatten", "flatten")

    # -- whole models ---------------------------------------------------------------------------

    def input_shape(self) -> tuple[Any, ...]:
        kind = self.number(0, 5)
        if kind <= 2:
            return (self.number(7, 12), self.number(7, 12), self.number(1, 4))
        if kind == 3:
            return (None, None, self.number(1, 4))
        return (self.number(2, 5), self.number(2, 6)) if kind == 4 else (self.number(3, 9),)

    def stack(self, x: Any, depth: int) -> Any:
        for _ in range(depth):
            x = self.part(x)
        return x

    def part(self, x: Any) -> Any:
        """One more layer, a residual block, branches, or a nested model."""
        shape = tuple(x.shape)
        if self.chance(0.08):
            return self.nested(x)
        if self.chance(0.1) and len(shape) == 4:
            return self.branches(x)
        if self.chance(0.1):
            y = self.dense(shape[-1])(x)
            y = self.any_rank(shape)(y) if self.chance(0.5) else y
            merge = self.pick(["Add", "Multiply", "Maximum", "Minimum", "Average", "Subtract"])
            merged = self.pick([[x, y], [x, y], [y, x], [x, x], [x, y, x], [y, x, y, y]])
            return self.layer(merge, merge.lower())(merged[:2] if merge == "Subtract" else merged)
        if self.chance(0.05) and len(shape) == 2:
            return self.layer("Reshape", "reshape", target_shape=(shape[1], 1))(x)
        return self.step(shape)(x)

    def branches(self, x: Any) -> Any:
        joined = [
            self.layer("Conv2D", "conv", filters=self.number(1, 4), kernel_size=self.pick([1, 3]),
                       padding="same", activation=self.pick(self.functions))(x)
            for _ in range(self.number(2, 4))
        ]
        if self.chance(0.3):
            joined.append(x)
        if self.chance(0.3) and len({y.shape[-1] for y in joined}) == 1:
            return self.layer("Concatenate", "concat", axis=self.pick([1, 2]))(joined)
        return self.layer("Concatenate", "concat")(joined)

    def nested(self, x: Any) -> Any:
        """A model inside the model, called once or twice on the same tensor's like."""
        outer, self.taken = self.taken, set()
        shape = tuple(x.shape[1:])
        if self.chance(0.25):
            return self.nested_pair(x, outer)
        if self.chance(0.5):
            i = self.keras.Input(shape)
            inner = self.keras.Model(i, self.stack(i, self.number(1, 3)), name=self.name_of(outer))
        else:
            inner = self.sequential(shape, self.number(1, 3), self.name_of(outer))
        self.taken = outer
        y = inner(x)
        if self.chance(0.3) and tuple(y.shape) == tuple(x.shape):
            y = inner(y)
        return y

    def name_of(self, outer: set[str]) -> str | None:
        kept, self.taken = self.taken, outer
        found = self.name("tower")
        self.taken = kept
        return found

    def nested_pair(self, x: Any, outer: set[str]) -> Any:
        """A nested model of two inputs and two outputs, one of them an inner tensor."""
        shape = tuple(x.shape[1:])
        a, b = self.keras.Input(shape), self.keras.Input(shape, name=self.name("input"))
        both = self.layer(self.pick(["Add", "Subtract", "Maximum"]), "merge")([b, a])
        y = self.step(tuple(x.shape))(both)
        inner = self.keras.Model([a, b], [y, both], name=self.name_of(outer))
        self.taken = outer
        first, second = inner([x, self.any_rank(tuple(x.shape))(x)])
        if self.chance(0.5):
            return first
        return self.layer("Average", "mean")([second, inner([second, x])[1]])

    def sequential(self, shape: tuple[Any, ...], depth: int, name: str | None) -> Any:
        model = self.keras.Sequential(name=name)
        model.add(self.keras.Input(shape, name=self.name("input")))
        for _ in range(depth):
            model.add(self.step(tuple(model.outputs[0].shape) if model.layers else (None, *shape)))
        return model

    def model(self) -> Any:
        if self.chance(0.25):
            model = self.sequential(self.input_shape(), self.number(2, 8), self.name("net"))
            while len(model.outputs[0].shape) > 2:
                model.add(self.narrow(tuple(model.outputs[0].shape)))
            model.add(self.dense())
            return model
        return self.functional()

    def functional(self) -> Any:
        inputs, ends, extra = [], [], []
        repeated = self.input_shape() if self.chance(0.4) else None
        for _ in range(self.pick([1, 1, 1, 2, 2, 3])):
            i = self.keras.Input(repeated or self.input_shape(), name=self.name("input"))
            inputs.append(i)
        shared = None
        if repeated and len(inputs) > 1:
            shared = self.step((None, *repeated))
        for i in inputs:
            x = shared(i) if shared is not None else i
            x = self.stack(x, self.number(1, 5))
            if self.chance(0.15):
                extra.append(x)
            while len(x.shape) > 2:
                x = self.narrow(tuple(x.shape))(x)
            ends.append(x)
        x = ends[0]
        if len(ends) > 1 and self.chance(0.5):
            x = self.layer("Concatenate", "concat")(ends)
        elif len(ends) > 1:
            units = self.number(1, 6)
            ends = [self.dense(units)(end) for end in ends]
            merge = self.pick(["Add", "Multiply", "Maximum", "Minimum", "Average"])
            x = self.layer(merge, merge.lower())(ends)
        x = self.stack(x, self.number(0, 3))
        outputs = [self.dense()(x)]
        if self.chance(0.3):
            outputs.append(self.dense()(x))
        if self.chance(0.1):
            twice = self.dense(int(outputs[0].shape[-1]))
            outputs[0] = twice(twice(twice(outputs[0])))
        if self.chance(0.1):
            outputs.append(outputs[0])
        if self.chance(0.05):
            outputs.append(inputs[-1])
        if self.chance(0.1):
            outputs.append(self.nested(x))
        outputs += extra
        if self.chance(0.1):
            outputs.append(x)
        if self.chance(0.5):
            outputs = outputs[::-1]
        return self.keras.Model(inputs if len(inputs) > 1 else inputs[0],
                                outputs if len(outputs) > 1 else outputs[0], name=self.name("net"))
