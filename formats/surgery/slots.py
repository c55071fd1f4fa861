"""Which variables are an optimizer's, told by their names.

    global_step, beta1_power, iterations       its own
    dense/kernel/Adam, dense/kernel/Adam_1     slots of TensorFlow 1's optimizers: weight, slot
    training/Adam/dense/kernel/m, Adam/m/dense/kernel     of Keras': the weight's name within

Source: tensorflow/python/training/{slot_creator,adam,training_util}.py, tf_keras optimizers.
"""

from __future__ import annotations

import re
from collections.abc import Container

_OWN = re.compile(
    r"(.*/)?(global_step|beta[12]_power|iterations)(_\d+)?"
    r"|[A-Za-z]+(_\d+)?/(lr|learning_rate|decay|momentum|rho|epsilon|beta_[12]|m_schedule)(_\d+)?"
)
_SLOTS = re.compile(
    r"(Adam|Adagrad|AdagradDA|Adadelta|Ftrl|Momentum|RMSProp|LazyAdam|Nadam|NadamOptimizer|AdaMax"
    r"|ProximalAdagrad|LARSOptimizer|LAMB|AdamWeightDecayOptimizer|adam_[mv])(_\d+)?"
)
_SCOPE = re.compile(
    r"(training|[Oo]ptimizer|_optimizer|optim|[a-z_]*_optimizer|OptimizeLoss)(_\d+)?"
    r"|(SGD|Adam|AdamW|Adagrad|Adadelta|Adamax|Nadam|RMSprop|Ftrl|Lion|LossScaleOptimizer)(_\d+)?"
    r"|(sgd|adam|adamw|adagrad|adadelta|adamax|nadam|rmsprop|ftrl|lion)(_\d+)?"
)


def is_scope(step: str) -> bool:
    """Whether an optimizer's variables stand under a name like this."""
    return _SCOPE.fullmatch(step) is not None


def is_slot(name: str, variables: Container[str]) -> bool:
    """Whether a variable is a slot of another one.

    Args:
        name: of the variable.
        variables: the names of all of them.
    """
    steps = name.split("/")
    if len(steps) < 2:
        return False
    if _SLOTS.fullmatch(steps[-1]) and any(
        "/".join(steps[start:-1]) in variables for start in range(len(steps) - 1)
    ):
        return True
    return is_scope(steps[0]) and any(
        "/".join(steps[start:end]) in variables
        for start in range(1, len(steps))
        for end in range(start + 1, len(steps) + 1)
    )


def is_optimizers(name: str, variables: Container[str]) -> bool:
    """Whether a variable is an optimizer's: a slot, or one of its own."""
    steps = name.split("/")
    return (
        _OWN.fullmatch(name) is not None or is_slot(name, variables)
        or (steps[0] == "training" and len(steps) > 2 and is_scope(steps[1]))
    )  # fmt: skip
