"""How a model is compiled, and how far its optimizer has come: one meaning, each Keras' spelling.

    .h5      training_config: loss, metrics, weighted_metrics, loss_weights, optimizer_config;
             optimizer_weights: iteration, then the slots
    .keras   compile_config: the same with ``optimizer``; optimizer/vars/<n>

The order of an optimizer's variables. Slots go with the weights that training changes, in the order
of ``model.trainable_weights``; "grouped" is all of the first slot, then all of the second.

    Keras 1, 2 up to 2.10     [iterations,] slots grouped
    Keras 2 from 2.11         iteration, slots of each weight in turn
    Keras 3                   iteration, learning_rate, slots of each weight in turn

Written for Keras 2 it is the older optimizers, which 2.11 and later take for a plain class name:
so every tf.keras 2 continues. Keras 3 builds an optimizer in vain when it finds state in an .h5,
and cannot train on then; so it gets none there.

Source: keras and tf_keras optimizers, saving/legacy/saving_utils.py, and files of all writers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from modelfmt.keras.accepted import words
from modelfmt.network import Config, Layer, Network, model_order
from modelfmt.tensor import Tensor

#: The key of a network's extras that holds a Training.
TRAINING = "training"
#: Where a weight is: the names of the models and of the layer, and its own.
Place = tuple[str, ...]

#: Optimizers: the config entries that mean the same in every Keras, and Keras 3's names of slots.
_COMMON = "learning_rate clipnorm clipvalue global_clipnorm weight_decay"
_OPTIMIZERS: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    name: (words(f"{_COMMON} {keys}"), tuple(slots.split()))
    for name, keys, slots in (
        ("SGD", "momentum nesterov", "momentum"),
        ("Adam", "beta_1 beta_2 epsilon amsgrad", "momentum velocity"),
        ("AdamW", "beta_1 beta_2 epsilon amsgrad", "momentum velocity"),
        ("RMSprop", "rho momentum epsilon centered", "velocity"),
        ("Adagrad", "initial_accumulator_value epsilon", "accumulator"),
        ("Adadelta", "rho epsilon", "accumulated_grad accumulated_delta_var"),
        ("Adamax", "beta_1 beta_2 epsilon", "momentum norm"),
        ("Nadam", "beta_1 beta_2 epsilon", "momentum velocity"),
        ("Ftrl", "learning_rate_power initial_accumulator_value l1_regularization_strength "
         "l2_regularization_strength l2_shrinkage_regularization_strength beta",
         "accumulator linear"),
        ("Lion", "beta_1 beta_2", "momentum"),
    )
}  # fmt: skip
#: Optimizers with other variables besides: their state is not carried.
_MORE = words("Nadam")
#: Optimizers that Keras 2 has in its newer form only.
_NEW = words("AdamW Lion")
_FUNCTIONS = {
    "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error", "kld": "kl_divergence", "KLD": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh",
    "cosine": "cosine_similarity", "cosine_proximity": "cosine_similarity", "acc": "accuracy",
}  # fmt: skip
_KNOWN = frozenset(_FUNCTIONS.values()) | words(
    "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy hinge "
    "squared_hinge categorical_hinge poisson huber binary_accuracy categorical_accuracy "
    "sparse_categorical_accuracy top_k_categorical_accuracy crossentropy ce "
    "sparse_top_k_categorical_accuracy binary_focal_crossentropy categorical_focal_crossentropy"
)
_LOSSES = words(
    "BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy "
    "CategoricalFocalCrossentropy CategoricalHinge CosineSimilarity Hinge Huber KLDivergence "
    "LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError "
    "MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge"
)
_METRICS = _LOSSES | words(
    "AUC Accuracy BinaryAccuracy BinaryIoU CategoricalAccuracy F1Score FBetaScore FalseNegatives "
    "FalsePositives IoU Mean MeanIoU MeanRelativeError OneHotIoU OneHotMeanIoU Precision "
    "PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError "
    "SensitivityAtSpecificity SparseCategoricalAccuracy SparseTopKCategoricalAccuracy "
    "SpecificityAtSensitivity Sum TopKCategoricalAccuracy TrueNegatives TruePositives"
)
_REDUCTIONS = {"auto": "sum_over_batch_size"}


class UnknownTrainingError(Exception):
    """A part of it has no spelling elsewhere; the text says which. Caught here."""


@dataclasses.dataclass
class Training:
    """What ``model.compile`` was told, and the optimizer's state.

    Attributes:
        optimizer, config: its class and the entries that mean the same everywhere.
        loss, metrics, weighted_metrics: names, or objects as (class, config), in lists or dicts.
        loss_weights: as stated.
        iterations: how often weights were changed; None where no state is carried.
        slots: of each weight, its slot variables in order.
    """

    optimizer: str
    config: Config
    loss: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    loss_weights: Any = None
    iterations: Tensor | None = None
    slots: dict[Place, list[Tensor]] = dataclasses.field(default_factory=dict)


def trained_weights(network: Network, scope: Place = (), frozen: bool = False) -> Iterator[
    tuple[Place, Tensor]
]:
    """``model.trainable_weights`` of a bound network, with their places."""
    for layer in model_order(network):
        yield from _trained(layer, (*scope, layer.name), frozen)


def _trained(layer: Layer, scope: Place, frozen: bool) -> Iterator[tuple[Place, Tensor]]:
    if frozen or layer.config.get("trainable", True) is False:
        return
    for name, tensor in layer.weights.items():
        if name not in layer.non_trainable:
            yield (*scope, name), tensor
    if layer.network is not None:
        yield from trained_weights(layer.network, scope)


# -- reading ------------------------------------------------------------------------------------


def read_training(
    stated: Config, state: Mapping[str, Tensor], network: Network, version: str | None
) -> tuple[Training | None, list[str]]:
    """What a file states of training.

    Args:
        stated: training_config or compile_config.
        state: the optimizer's tensors, in order.
        network: bound.
        version: of the Keras that wrote it.

    Returns:
        None where none of it can be carried; and sentences that say what is not.
    """
    if stated.get("optimizer_config", stated.get("optimizer")) is None:
        return None, []  # never compiled
    try:
        optimizer, config = _read_optimizer(stated.get("optimizer_config", stated.get("optimizer")))
        found = Training(optimizer, config, loss_weights=stated.get("loss_weights"))
        found.loss = _read_objects(stated.get("loss"), _LOSSES)
        found.metrics = _read_objects(stated.get("metrics"), _METRICS)
        found.weighted_metrics = _read_objects(stated.get("weighted_metrics"), _METRICS)
    except UnknownTrainingError as what:
        return None, [f"how the model is compiled is left out: {what}"]
    notes: list[str] = []
    decay = (_body(stated.get("optimizer_config")) or {}).get("decay")
    if decay:
        notes.append(f"the optimizer's decay={decay} is left out: newer ones have schedules")
    if state:
        why = _read_state(found, list(state.values()), network, version)
        if why:
            found.iterations, found.slots = None, {}
            notes.append(f"the state of the optimizer is left out: {why}")
    return found, notes


def _body(value: Any) -> Config | None:
    body = value.get("config") if isinstance(value, dict) else None
    return body if isinstance(body, dict) else None


def _read_optimizer(value: Any) -> tuple[str, Config]:
    body = _body(value)
    name = value if isinstance(value, str) else str((value or {}).get("class_name", ""))
    name = name.rpartition(">")[2]
    by_lower = {one.lower(): one for one in _OPTIMIZERS}
    optimizer = by_lower.get(name.lower())
    if optimizer is None:
        raise UnknownTrainingError(f"no optimizer {name or value!r}")
    config = dict(body or {})
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    keys = _OPTIMIZERS[optimizer][0]
    kept = {k: v for k, v in config.items() if k in keys and v is not None}
    rate = kept.get("learning_rate")
    if isinstance(rate, dict):
        inner = _body(rate)
        if inner is None or rate.get("module") not in (
            None, "keras.optimizers.schedules", "keras.optimizers",
        ):  # fmt: skip
            raise UnknownTrainingError("a learning rate by code")
        kept["learning_rate"] = {"class_name": rate.get("class_name"), "config": inner}
    return optimizer, kept


def _read_objects(value: Any, known: frozenset[str]) -> Any:
    """Losses or metrics: names in full, objects as {"class_name", "config"}."""
    if isinstance(value, str):
        name = _FUNCTIONS.get(value, value)
        if name in _KNOWN:
            return name
        if name in known:
            return {"class_name": name, "config": {}}
        raise UnknownTrainingError(f"no loss or metric {value!r}")
    if isinstance(value, list | tuple):
        return [_read_objects(inner, known) for inner in value]
    if not isinstance(value, dict):
        if value is None:
            return None
        raise UnknownTrainingError(f"{value!r:.60} among losses and metrics")
    if "class_name" not in value:
        return {key: _read_objects(inner, known) for key, inner in value.items()}
    body, name = value.get("config"), str(value["class_name"]).rpartition(">")[2]
    if name == "function":
        return _read_objects(body, known)
    if not isinstance(body, dict):
        raise UnknownTrainingError(f"{name} without a config")
    function = body.get("fn")
    if name in ("MeanMetricWrapper", "LossFunctionWrapper", "SumOverBatchSizeMetricWrapper"):
        stated = body.get("name")
        if stated in ("accuracy", "acc"):
            return "accuracy"
        return _read_objects(_body_or_text(function), known)
    if name not in known:
        raise UnknownTrainingError(f"no loss or metric {name}")
    kept = {k: v for k, v in body.items() if k not in ("fn", "dtype") and v is not None}
    if "reduction" in kept:
        kept["reduction"] = _REDUCTIONS.get(kept["reduction"], kept["reduction"])
    return {"class_name": name, "config": kept}


def _body_or_text(function: Any) -> Any:
    return function.get("config") if isinstance(function, dict) else function


def _read_state(
    training: Training, state: list[Tensor], network: Network, version: str | None
) -> str:
    """Fill in iterations and slots; why not, or ""."""
    import numpy as np

    if training.optimizer in _MORE or training.config.get("amsgrad") or training.config.get(
        "centered"
    ) or (training.optimizer == "RMSprop" and training.config.get("momentum")):
        return f"a {training.optimizer} of this kind has other variables in other Keras"
    weights = list(trained_weights(network))
    names = _slots(training)
    scalars = [t for t in state if t.shape == () and t.dtype.name != "string"]
    rest = state[len(scalars) :]
    if len(rest) == 3 * len(weights) and training.optimizer == "Adam" and _grouped(version):
        rest = rest[: 2 * len(weights)]  # places for what amsgrad would keep
    if not names:
        rest = []  # Keras 1 has momentum where there is none
    if state[: len(scalars)] != scalars or len(rest) != len(weights) * len(names):
        return f"{len(state)} variables, and {len(weights)} weights with {len(names)} slots each"
    count = len(names)
    if _grouped(version):
        columns = [rest[k * len(weights) : (k + 1) * len(weights)] for k in range(count)]
        rows = [list(row) for row in zip(*columns, strict=True)] if columns else []
    else:
        rows = [rest[k * count : (k + 1) * count] for k in range(len(weights))] if count else []
    for (place, weight), row in zip(weights, rows, strict=bool(count)):
        if any(slot.shape != weight.shape for slot in row):
            return f"the slots of {'/'.join(place)} have another shape than the weight"
        training.slots[place] = row
    steps = scalars[0] if scalars else Tensor.from_numpy("iteration", np.zeros((), np.int64))
    training.iterations = steps if steps.dtype.name == "int64" else Tensor.from_numpy(
        "iteration", steps.numpy().astype(np.int64)
    )
    return ""


def _slots(training: Training) -> tuple[str, ...]:
    if training.optimizer == "SGD" and not training.config.get("momentum"):
        return ()
    return _OPTIMIZERS[training.optimizer][1]


def _grouped(version: str | None) -> bool:
    """Whether a Keras lists all of the first slot before all of the second."""
    parts = (version or "").split("-")[0].split(".")
    numbers = [int(part) for part in parts if part.isdecimal()]
    return numbers[:2] < [2, 11]


# -- writing ------------------------------------------------------------------------------------


def training_config(training: Training, major: int) -> Config:
    """The training_config of an .h5 for Keras ``major``."""
    return {**_compiled(training, major), "optimizer_config": _optimizer(training, major)}


def compile_config(training: Training) -> Config:
    """The compile_config of a .keras archive."""
    return {
        "optimizer": _optimizer(training, 3), **_compiled(training, 3),
        "run_eagerly": False, "steps_per_execution": 1, "jit_compile": False,
    }  # fmt: skip


def _compiled(training: Training, major: int) -> Config:
    return {
        "loss": _write_objects(training.loss, "keras.losses", major),
        "loss_weights": training.loss_weights,
        "metrics": _write_objects(_flat(training.metrics), "keras.metrics", major),
        "weighted_metrics": _write_objects(
            _flat(training.weighted_metrics), "keras.metrics", major
        ),
    }


def _flat(metrics: Any) -> Any:
    """[[a, b]], as tf.keras writes the metrics of a lone output, is [a, b]."""
    if isinstance(metrics, list) and len(metrics) == 1 and isinstance(metrics[0], list):
        return metrics[0]
    return metrics


def _write_objects(value: Any, module: str, major: int) -> Any:
    if isinstance(value, list):
        return [_write_objects(inner, module, major) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"class_name", "config"}:
        return {key: _write_objects(inner, module, major) for key, inner in value.items()}
    return _object(value["class_name"], value["config"], module, major)


def _object(class_name: str, config: Config, module: str, major: int) -> Config:
    if major == 2:
        return {"class_name": class_name, "config": config}
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def _optimizer(training: Training, major: int) -> Config:
    config = dict(training.config)
    if major == 2 and training.optimizer not in _NEW:
        config.pop("weight_decay", None)
    rate = config.get("learning_rate")
    if isinstance(rate, dict):
        config["learning_rate"] = _object(
            rate["class_name"], rate["config"], "keras.optimizers.schedules", major
        )
    config = {"name": training.optimizer.lower() if major == 3 else training.optimizer, **config}
    return _object(training.optimizer, config, "keras.optimizers", major)


def optimizer_state(training: Training, network: Network, major: int) -> list[tuple[str, Tensor]]:
    """The optimizer's variables as Keras ``major`` lists them, by names; none without state.

    A weight whose slots are not known, or are of another shape, makes that none as well.
    """
    weights = list(trained_weights(network))
    names = _slots(training)
    if training.iterations is None or any(
        [slot.shape for slot in training.slots.get(place, [])] != [weight.shape] * len(names)
        for place, weight in weights
    ):
        return []
    write = _state_3 if major == 3 else _state_2
    slots = [(place, dict(zip(names, training.slots.get(place, []), strict=True)))
             for place, _ in weights]  # fmt: skip
    return [*write(training, training.iterations, slots)]


_Slots = list[tuple[Place, dict[str, Tensor]]]


def _state_2(training: Training, steps: Tensor, slots: _Slots) -> Iterator[tuple[str, Tensor]]:
    scope = training.optimizer
    yield f"{scope}/iter:0", steps
    if scope in _NEW:
        for place, row in slots:
            yield from ((f"{scope}/{n}/{'/'.join(place)}:0", slot) for n, slot in row.items())
        return
    for name in _slots(training):
        yield from ((f"{scope}/{'/'.join(place)}/{name}:0", row[name]) for place, row in slots)


def _state_3(training: Training, steps: Tensor, slots: _Slots) -> Iterator[tuple[str, Tensor]]:
    import numpy as np

    yield "iteration", steps
    rate = training.config.get("learning_rate", 0.001)
    if isinstance(rate, int | float):
        yield "learning_rate", Tensor.from_numpy("learning_rate", np.array(rate, np.float32))
    for place, row in slots:
        yield from ((f"{'_'.join(place)}_{name}", slot) for name, slot in row.items())
