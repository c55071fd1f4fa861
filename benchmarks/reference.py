"""The other side of the comparison, and the judge; every task runs in a process of its own.

    python reference.py build FOLDER          VGG16 and MobileNetV2, random weights: vgg16.h5,
                                              vgg16.keras, mobilenetv2.h5
    python reference.py chain PB BLOCKS UNITS a frozen graph: Dense layers, five nodes each
    python reference.py freeze MODEL PB       Keras loads, TensorFlow freezes and writes
    python reference.py parse PB              TensorFlow parses a GraphDef and counts
    python reference.py walk H5               h5py names every dataset
    python reference.py same A B              every weight of A stands, bit for bit, in B
"""

from __future__ import annotations

import os
import sys


def build(folder: str) -> None:
    """What the conversions start from: 138 million float32 weights in 22 layers, 3.5 in 156."""
    import keras

    keras.utils.set_random_seed(7)
    model = keras.applications.VGG16(weights=None)
    for name in ("vgg16.h5", "vgg16.keras"):
        model.save(os.path.join(folder, f"new.{name}"))
        os.replace(os.path.join(folder, f"new.{name}"), os.path.join(folder, name))
    small = os.path.join(folder, "new.mobilenetv2.h5")
    keras.applications.MobileNetV2(weights=None).save(small)
    os.replace(small, os.path.join(folder, "mobilenetv2.h5"))


def chain(destination: str, blocks: str, units: str) -> None:
    """A GraphDef of so many Dense layers, of so many units each, with random weights."""
    import numpy as np

    from modelfmt import proto

    size = int(units)
    generator = np.random.default_rng(7)
    with open(f"{destination}.new", "wb") as out:

        def write(name: str, op: str, inputs: list[str], **attrs: object) -> None:
            graph = proto.GraphDef()
            node = graph.node.add(name=name, op=op, input=inputs)
            for key, value in attrs.items():
                if isinstance(value, np.ndarray):
                    held = node.attr[key].tensor
                    held.dtype, held.tensor_content = 1, value.tobytes()
                    for extent in value.shape:
                        held.tensor_shape.dim.add(size=extent)
                elif isinstance(value, bool):
                    node.attr[key].b = value
                else:
                    node.attr[key].type = value
            out.write(graph.SerializeToString())  # messages one after the other are one message

        write("x", "Placeholder", [], dtype=1)
        last = "x"
        for number in range(int(blocks)):
            scope = f"dense_{number}"
            for name, shape in (("kernel", (size, size)), ("bias", (size,))):
                value = generator.standard_normal(shape, np.float32)
                write(f"{scope}/{name}", "Const", [], dtype=1, value=value)
            write(f"{scope}/MatMul", "MatMul", [last, f"{scope}/kernel"],
                  T=1, transpose_a=False, transpose_b=False)  # fmt: skip
            write(f"{scope}/BiasAdd", "BiasAdd", [f"{scope}/MatMul", f"{scope}/bias"], T=1)
            write(f"{scope}/Relu", "Relu", [f"{scope}/BiasAdd"], T=1)
            last = f"{scope}/Relu"
    os.replace(f"{destination}.new", destination)


def freeze(source: str, destination: str) -> None:
    """The usual way from a Keras model to a frozen graph, with the frameworks."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    model = keras.models.load_model(source, compile=False)
    call = tf.function(lambda x: model(x, training=False))
    spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(spec))
    with open(destination, "wb") as out:
        out.write(frozen.graph.as_graph_def().SerializeToString())


def parse(path: str) -> None:
    """TensorFlow's own look at a .pb, as much as ``fmt dump`` tells of it."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    for node in graph.node:
        if node.op == "Const":
            value = node.attr["value"].tensor
            print(node.name, value.dtype, [dim.size for dim in value.tensor_shape.dim])


def walk(path: str) -> None:
    """The least that any program must do to list the datasets of a .h5."""
    import h5py

    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, found: (
                print(name, found.dtype, found.shape) if isinstance(found, h5py.Dataset) else None
            )
        )


def same(a: str, b: str) -> None:
    """Compare shapes, dtypes and sha256 of the weights (tensors above 16 bytes of A) with B's."""
    import modelfmt

    def weights(path: str) -> list[tuple[object, ...]]:
        rows = modelfmt.dump(path, digest=True)["tensors"]
        rows = [row for row in rows if row["nbytes"] > 16]
        return sorted((row["sha256"], row["dtype"], tuple(row["shape"])) for row in rows)

    if weights(a) != weights(b):
        sys.exit(f"{a} and {b} hold other weights")


if __name__ == "__main__":
    tasks = {task.__name__: task for task in (build, chain, freeze, parse, walk, same)}
    tasks[sys.argv[1]](*sys.argv[2:])
