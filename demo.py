"""The road, both ways, on genuine files: a Keras .h5 to a frozen .pb, a frozen .pb to Keras.

Run by ``make demo``. No TensorFlow is imported, or needs to be installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter

import modelfmt

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "golden", "keras-h5", "tfkeras-tf2.3.4-cnn", "model.h5")
FROZEN = os.path.join(HERE, "golden", "graphdef", "keras3.15.1-tf2.21.0-cnn", "model.pb")


def weights(path: str) -> Counter[tuple[str, str]]:
    """The weights in a file as (dtype and shape, sha256): names differ from format to format."""
    rows = modelfmt.dump(path, digest=True)["tensors"]
    return Counter(
        (f"{row['dtype']}{row['shape']}", row["sha256"])
        for row in rows
        if row["dtype"] == "float32" and row["shape"] and "optimizer_weights" not in row["path"]
    )


def step(source: str, destination: str) -> None:
    """Convert, and say what was done."""
    start = time.perf_counter()
    done = modelfmt.convert(source, destination)
    seconds = time.perf_counter() - start
    names = os.path.basename(source), os.path.basename(destination)
    sizes = os.path.getsize(source), os.path.getsize(destination)
    print(f"  fmt convert {names[0]} {names[1]}")
    print(
        f"    {done.layers} layers, {done.weights} weights; {done.source_kind} of {sizes[0]:,} B"
        f" -> {done.kind} of {sizes[1]:,} B in {seconds:.3f} s"
    )


def prove(source: str, result: str) -> bool:
    """Whether every weight of ``result`` has the bytes it had in ``source``."""
    before, after = weights(source), weights(result)
    missing = sum((after - before).values()) + sum((before - after).values())
    total = sum(after.values())
    verdict = "bit-equal" if not missing else f"DIFFERENT: {missing}"
    print(f"    {total} weights, by sha256: {verdict}")
    return not missing


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as folder:
        pb, h5, keras = (os.path.join(folder, name) for name in ("cnn.pb", "back.h5", "cnn.keras"))
        print(f"A genuine tf.keras 2.3 file ({os.path.relpath(MODEL, HERE)}) to a frozen graph:")
        step(MODEL, pb)
        print("... and that graph back to Keras, its layers recognised from the nodes:")
        step(pb, h5)
        good &= prove(MODEL, h5)
        print(f"A genuine frozen graph of TensorFlow 2.21 ({os.path.relpath(FROZEN, HERE)}):")
        step(FROZEN, keras)
        good &= prove(FROZEN, keras)
        for row in modelfmt.dump(keras)["layers"]:
            print(f"      {row['name']:<12} {row['class_name']:<20} {row['parameters']:>7,}")
    print("TensorFlow was never imported." if "tensorflow" not in sys.modules else "Oh no.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
