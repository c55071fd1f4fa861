"""Object graphs: ways to variables, aliases, cycles, slots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MissingError, Where
from modelfmt.tensor import Tensor
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.objects import KEY, ObjectGraph, parse_objects, read_objects

END = "/.ATTRIBUTES/VARIABLE_VALUE"


def graph() -> Any:
    """A root with ``shared.w`` and a ``list`` that holds it too and leads back to the root."""
    message = proto.TrackableObjectGraph()
    for children in ([("shared/x", 1), ("list", 2), ("opt", 4)], [("w", 3)],
                     [("0", 1), ("root", 0)], [], [], []):  # fmt: skip
        node = message.nodes.add()
        for name, number in children:
            node.children.add(local_name=name, node_id=number)
    message.nodes[3].attributes.add(
        name="VARIABLE_VALUE", full_name="w", checkpoint_key=f"shared.Sx/w{END}"
    )
    message.nodes[5].attributes.add(name="VARIABLE_VALUE", checkpoint_key="slot")
    message.nodes[4].slot_variables.add(
        original_variable_node_id=3, slot_name="m", slot_variable_node_id=5
    )
    return message


def parsed(message: Any) -> ObjectGraph:
    return parse_objects(message.SerializeToString(), Where("x"))


def test_ways() -> None:
    objects = parsed(graph())
    assert objects.paths == {0: "", 1: "shared.Sx", 2: "list", 4: "opt", 3: "shared.Sx/w"}
    assert objects.keys == {
        f"shared.Sx/w{END}": f"shared.Sx/w{END}",
        f"shared.Sx/w/.OPTIMIZER_SLOT/opt/m{END}": "slot",
    }
    assert objects.variables["shared.Sx/w"] == f"shared.Sx/w{END}"
    assert objects.find("list/0/w") == objects.find("list/root/list/root/shared.Sx/w") == 3
    assert objects.find("") == 0
    assert objects.nodes[3].full_name == "w"
    with pytest.raises(MissingError, match="no attribute 'v'"):
        objects.find("list/0/v")


def test_an_alias_of_the_last_step() -> None:
    message = graph()
    message.nodes[2].children.add(local_name="w", node_id=3)
    variables = parsed(message).variables
    assert variables["list/w"] == variables["shared.Sx/w"]


@pytest.mark.parametrize("change", ["child", "slot", "empty", "garbage"])
def test_damaged(change: str) -> None:
    message = graph()
    data = b"\x0a\xff"
    if change == "child":
        message.nodes[1].children.add(local_name="x", node_id=99)
    elif change == "slot":
        message.nodes[4].slot_variables.add(slot_variable_node_id=-1)
    elif change == "empty":
        message.Clear()
    if change != "garbage":
        data = message.SerializeToString()
    with pytest.raises(CorruptFileError, match=r"^x: "):
        parse_objects(data, Where("x"))


def test_in_tensors() -> None:
    assert read_objects({}) is None
    data = graph().SerializeToString()
    tensors = {KEY: Tensor.from_numpy(KEY, np.array(data, object))}
    objects = read_objects(tensors)
    assert objects is not None and len(objects.nodes) == 6
    for wrong in (np.zeros(3), np.array([data, data], object)):
        with pytest.raises(CorruptFileError, match="not one string"):
            read_objects({KEY: Tensor.from_numpy(KEY, wrong)})


@pytest.mark.oracle
def test_tensorflows_objects(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: Any = pytest.importorskip("tensorflow")
    module = tf.Module()
    module.shared = tf.Module()
    module.shared.w = tf.Variable([1.0, 2.0])
    module.stack = [module.shared, tf.Variable(3)]
    prefix = tf.train.Checkpoint(model=module).save(str(tmp_path / "c"))
    with Checkpoint(prefix) as checkpoint:
        objects = read_objects(checkpoint.tensors)
        assert objects is not None
        stored = {key for key in checkpoint.tensors if key != KEY}
        assert set(objects.variables.values()) == stored
        number = objects.find("model/stack/0/w")
        key = objects.nodes[number].keys["VARIABLE_VALUE"]
        assert checkpoint.tensors[key].numpy().tolist() == [1.0, 2.0]
        assert objects.variables["model/stack/1"] in stored
