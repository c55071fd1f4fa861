"""Model configs of Keras 1 -> the dialect of Keras 2, as one JSON-like value to another.

    Sequential     its config is a list; the first layer says ``batch_input_shape`` and
                   ``input_dtype``; it may be a Merge that holds whole models as ``layers``
    layers         other class names and keys: a row of _TABLE each, ``old>new``, ``-old`` is gone
    dim_ordering   "th" channels first, "tf" channels last; paddings, croppings and up-samplings
                   do not state theirs, and have that of the layer before
    regularizers   {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1}
    Merge          its ``mode`` tells which of the merging layers of Keras 2 it is

What has no layer in Keras 2 keeps its class name: MaxoutDense, Highway, ParametricSoftplus, SReLU,
a Merge by cosine or by a function. Batch normalization that always uses statistics of what it is
applied to (mode 1 and 2) becomes BatchNormalizationOfKeras1. Keys of no row are carried.
Source: get_config of every class in Keras 1.0.8 and 1.2.2; models.py, Sequential.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.network import Config

_GROUPS = {
    "+weights": "init>kernel_initializer W_regularizer>kernel_regularizer "
    "b_regularizer>bias_regularizer W_constraint>kernel_constraint "
    "b_constraint>bias_constraint bias>use_bias",
    "+window": "nb_filter>filters border_mode>padding subsample>strides dim_ordering>data_format",
    "+window1": "nb_filter>filters border_mode>padding subsample_length>strides "
    "filter_length>kernel_size -input_dim -input_length",
    "+pool1": "pool_length>pool_size stride>strides border_mode>padding",
    "+pool": "border_mode>padding dim_ordering>data_format",
    "+loop": "inner_init>recurrent_initializer inner_activation>recurrent_activation "
    "U_regularizer>recurrent_regularizer U_constraint>recurrent_constraint dropout_W>dropout "
    "dropout_U>recurrent_dropout forget_bias_init>unit_forget_bias -consume_less -input_dim "
    "-input_length",
}
_TABLE = """
AtrousConvolution1D=Conv1D +weights +window1 atrous_rate>dilation_rate
AtrousConvolution2D=Conv2D +weights +window atrous_rate>dilation_rate
AveragePooling1D +pool1
AveragePooling2D +pool
AveragePooling3D +pool
BatchNormalization beta_init>beta_initializer gamma_init>gamma_initializer
Bidirectional -input_dim -input_length
Convolution1D=Conv1D +weights +window1
Convolution2D=Conv2D +weights +window
Convolution3D=Conv3D +weights +window
ConvLSTM2D +weights +window +loop
Cropping1D
Cropping2D dim_ordering>data_format
Cropping3D dim_ordering>data_format
Deconvolution2D=Conv2DTranspose +weights +window
Dense +weights output_dim>units -input_dim
Dropout p>rate
Embedding init>embeddings_initializer W_regularizer>embeddings_regularizer
  W_constraint>embeddings_constraint -dropout
GRU +weights +loop output_dim>units
GaussianDropout p>rate
GaussianNoise sigma>stddev
GlobalAveragePooling2D dim_ordering>data_format
GlobalAveragePooling3D dim_ordering>data_format
GlobalMaxPooling2D dim_ordering>data_format
GlobalMaxPooling3D dim_ordering>data_format
Highway +weights -input_dim
LSTM +weights +loop output_dim>units
LocallyConnected1D +weights +window1
LocallyConnected2D +weights +window
MaxPooling1D +pool1
MaxPooling2D +pool
MaxPooling3D +pool
MaxoutDense +weights output_dim>units -input_dim
PReLU init>alpha_initializer
SeparableConvolution2D=SeparableConv2D +weights +window init>depthwise_initializer
SimpleRNN +weights +loop output_dim>units
SpatialDropout1D p>rate
SpatialDropout2D p>rate dim_ordering>data_format
SpatialDropout3D p>rate dim_ordering>data_format
TimeDistributedDense=Dense +weights output_dim>units -input_dim -input_length
UpSampling1D length>size
UpSampling2D dim_ordering>data_format
UpSampling3D dim_ordering>data_format
ZeroPadding1D
ZeroPadding2D dim_ordering>data_format
ZeroPadding3D dim_ordering>data_format
"""
#: Classes that have two sizes for each axis, and do not say which axes they are.
_UNORDERED = tuple(
    f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (2, 3)
)
_WINDOWS = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}
_INITIALIZERS = {
    "zero": "zeros", "one": "ones", "uniform": "random_uniform", "normal": "random_normal",
}  # fmt: skip
_HELPERS = {"WeightRegularizer": "L1L2", "ActivityRegularizer": "L1L2", "L1L2Regularizer": "L1L2"}
_MODES = {
    "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate",
    "dot": "Dot",
}  # fmt: skip
_PADS = {
    "ZeroPadding1D": ("left_pad", "right_pad"),
    "ZeroPadding2D": ("top_pad", "bottom_pad", "left_pad", "right_pad"),
}
_NETWORKS = ("Model", "Sequential")


def _rows() -> dict[str, tuple[str, dict[str, str]]]:
    """Class -> its class in Keras 2, and old key -> new key, "" where there is none."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    keys: dict[str, str] = {}
    for line in _TABLE.splitlines():
        words = line.split()
        if words and not line.startswith(" "):
            name, _, renamed = words.pop(0).partition("=")
            keys = {}
            found[name] = renamed or name, keys
        for word in " ".join(_GROUPS.get(each, each) for each in words).split():
            old, _, new = word.removeprefix("-").partition(">")
            keys[old] = new
    return found


_ROWS = _rows()


def modern(config: Config) -> Config:
    """The config of a whole model of Keras 1 in the dialect of Keras 2; ``config`` is left alone.

    Raises:
        CorruptFileError: a Merge that merges nothing.
        ConversionError: a model that Keras 2 has no spelling for.
    """
    orderings = [v for k, v in _entries(config) if k == "dim_ordering" and v in _ORDERINGS]
    return _Reader(orderings[0] if orderings else "tf").model(config)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


class _Reader:
    """Walks a config; knows the dim_ordering that was stated last."""

    def __init__(self, ordering: str) -> None:
        self.ordering = ordering

    def model(self, row: Config) -> Config:
        """A model's row, its layers modern."""
        body = row["config"]
        if isinstance(body, dict) and isinstance(body.get("layers"), list):
            return {**row, "config": {**body, "layers": [self.row(r) for r in body["layers"]]}}
        if not isinstance(body, list) or not body:
            return row
        for each in body:
            _check(each)
        named = row if row.get("name") else {**row, "nameless": True}
        if body[0].get("class_name") == "Merge":
            return {**named, "class_name": "Model", "config": self._merged(row, body)}
        rows = [self.row(r) for r in body]
        inputs = _inputs_of(rows[0])
        if len(inputs) > 1:
            return {**named, "class_name": "Model", "config": _chained(row, [], inputs, rows)}
        first = body[0]["config"]
        if isinstance(first, dict) and isinstance(first.get("batch_input_shape"), list):
            rows.insert(0, _input_before(body[0]))
        return {**row, "config": rows}

    def row(self, row: Any) -> Any:
        """A layer's row, or a nested model's."""
        if not isinstance(row, dict) or not isinstance(row.get("class_name"), str):
            return row
        if row["class_name"] in _NETWORKS and isinstance(row.get("config"), dict | list):
            return self.model(row)
        if not isinstance(row.get("config"), dict):
            return row
        class_name, config = self.layer(row["class_name"], row["config"])
        return {**row, "class_name": class_name, "config": config}

    def layer(self, class_name: str, config: Config) -> tuple[str, Config]:
        """A layer's class name and config."""
        if class_name == "Merge":
            return _merge(config)
        if config.get("dim_ordering") in _ORDERINGS:
            self.ordering = config["dim_ordering"]
        elif class_name in _UNORDERED:
            config = {**config, "dim_ordering": self.ordering}
        renamed, keys = _ROWS.get(class_name, (class_name, {}))
        result: Config = {}
        for key, value in config.items():
            if isinstance(value, dict) and "class_name" in value and "config" in value:
                value = self.row(value)
            new = keys.get(key, key)
            if key in ("input_dtype", "batch_input_shape") and class_name != "InputLayer":
                continue  # the InputLayer before it says so
            if new and not any(key in window for window in _WINDOWS):
                result[new] = _value(new, value)
        for window in _WINDOWS:
            if window[0] in config:
                result["kernel_size"] = [config.get(key) for key in window]
        return _adapted(class_name, renamed, result)

    def _merged(self, row: Config, body: list[Any]) -> Config:
        """The config of a Sequential that begins with a Merge of models, as a Model's."""
        config = body[0]["config"]
        branches = config.get("layers") if isinstance(config, dict) else None
        if not isinstance(branches, list) or not branches:
            raise CorruptFileError("a Merge at the start of a model, and it merges nothing")
        rows: list[Config] = []
        inputs: list[Any] = []
        ends: list[Any] = []
        for branch in branches:
            _check(branch)
            if branch.get("class_name") not in _NETWORKS:
                raise ConversionError(
                    "a Merge of layers that are no models", found=branch.get("class_name")
                )
            whole = _functional(self.model(branch))
            for found, key in ((rows, "layers"), (inputs, "input_layers"), (ends, "output_layers")):
                if not isinstance(whole.get(key), list):
                    raise CorruptFileError(f"a model without {key}", found=f"{whole!r:.80}")
                found += whole[key]
        own = {k: v for k, v in config.items() if k != "layers"}
        merge = self.row({**body[0], "config": own})
        merge = {**merge, "name": own.get("name") or "merge", "inbound_nodes": [ends]}
        return _chained(row, [*rows, merge], inputs, [self.row(r) for r in body[1:]])


def _merge(config: Config) -> tuple[str, Config]:
    mode, name = config.get("mode"), config.get("name")
    if config.get("mode_type", "raw") != "raw" or mode not in _MODES:
        return "Merge", config
    if mode == "concat":
        return "Concatenate", {"name": name, "axis": config.get("concat_axis", -1)}
    if mode == "dot":
        return "Dot", {"name": name, "axes": config.get("dot_axes", -1)}
    return _MODES[mode], {"name": name}


def _value(key: str, value: Any) -> Any:
    if key == "data_format":
        return _ORDERINGS.get(value, value)
    if key == "unit_forget_bias":
        return value == "one"
    if key.endswith("_initializer") and isinstance(value, str):
        return _INITIALIZERS.get(value, value)
    helper = key.endswith(("_regularizer", "_constraint")) and isinstance(value, dict)
    if helper and isinstance(value.get("name"), str):
        rest = {"max_value" if k == "m" else k: v for k, v in value.items() if k != "name"}
        return {"class_name": _HELPERS.get(value["name"], value["name"]), "config": rest}
    return value


def _adapted(class_name: str, renamed: str, config: Config) -> tuple[str, Config]:
    """What takes more than other names."""
    if class_name == "BatchNormalization" and not config.get("mode"):
        config.pop("mode", None)
    elif class_name == "BatchNormalization":
        return "BatchNormalizationOfKeras1", config
    if class_name == "InputLayer" and "input_dtype" in config:
        config["dtype"] = config.pop("input_dtype")
    if class_name == "Deconvolution2D" and isinstance(config.get("output_shape"), list):
        whole = config.pop("output_shape")
        first = config.get("data_format") == "channels_first"
        config["output_size"] = whole[2:] if first else whole[1:-1]
    if class_name in _PADS:
        config["padding"] = _sides(config.get("padding"), _PADS[class_name])
    return renamed, config


def _sides(padding: Any, names: tuple[str, ...]) -> Any:
    """The padding of each side as Keras 2 has it: one pair, or a pair for each axis."""
    if isinstance(padding, dict):
        padding = [padding.get(name, 0) for name in names]
    if isinstance(padding, list) and len(padding) == 4:
        return [padding[:2], padding[2:]]
    return padding


# -- rows of a Model ----------------------------------------------------------------------------


def _input_before(row: Config) -> Config:
    """The InputLayer's row that Keras puts before a Sequential's first layer."""
    first = row["config"]
    return {
        "class_name": "InputLayer",
        "config": {
            "name": f"{first.get('name')}_input",
            "batch_input_shape": first["batch_input_shape"],
            "dtype": first.get("input_dtype") or "float32",
        },
    }


def _check(row: Any) -> None:
    if not isinstance(row, dict) or not isinstance(row.get("class_name"), str) or not isinstance(
        row.get("config"), dict | list
    ):
        raise CorruptFileError(
            "no serialised layer", expected="class_name and config", found=f"{row!r:.80}"
        )


def _inputs_of(row: Config) -> list[Any]:
    """The references to a nested model's inputs; none where it is no Model."""
    body = row.get("config")
    found = body.get("input_layers") if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _functional(row: Config) -> Config:
    """The config of a modern model's row as a Model's, whatever it is."""
    if isinstance(row["config"], dict):
        return row["config"]
    rows = row["config"]
    if not rows or rows[0].get("class_name") != "InputLayer":
        raise ConversionError("a model within a Merge that does not say what it is applied to")
    name = rows[0]["config"]["name"]
    start = {**rows[0], "name": name, "inbound_nodes": []}
    return _chained(row, [start], [[name, 0, 0]], rows[1:])


def _chained(row: Config, before: list[Config], inputs: list[Any], rows: list[Any]) -> Config:
    """A Model's config: ``before``, and ``rows`` one after the other upon the last of it."""
    layers = list(before)
    if not layers:  # the first of ``rows`` is a model with several inputs
        inner = {r.get("name"): r for r in rows[0]["config"]["layers"] if isinstance(r, dict)}
        names = [ref[0] if isinstance(ref, list) and ref else None for ref in inputs]
        if any(name is None or name not in inner for name in names):
            raise CorruptFileError("a model of inputs that it has not", found=f"{inputs!r:.80}")
        layers += [inner[name] for name in names]
        inputs = [[name, 0, 0] for name in names]
        node: list[Any] = inputs
    else:
        node = [[layers[-1]["name"], 0, 0]]
    for count, each in enumerate(rows):
        body = each["config"]
        nested = isinstance(body, list) or "layers" in body
        name = each.get("name") or (None if isinstance(body, list) else body.get("name"))
        if not name or each.get("nameless"):
            name, each = f"{each['class_name'].lower()}_{count}", {**each, "nameless": True}
        layers.append({**each, "name": name, "inbound_nodes": [node]})
        node = [[name, int(nested), 0]]
    name = row.get("name") or "model"
    return {"name": name, "layers": layers, "input_layers": inputs, "output_layers": node}
