"""How long recognition takes, and how it grows: python benchmarks/recognition.py [NODES...]

Graphs of residual blocks (convolution, normalization, addition, an operation now and then), looked
at and recognised. Processor time, so that a busy machine tells the same. The targets: 5,000 nodes
in less than 3 s, and about linear growth.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.tensor import Tensor

TARGET = {5_000: 3.0}


def graph(nodes: int) -> tuple[GraphBuilder, str]:
    """A graph of about so many nodes, and its output."""
    made = GraphBuilder()
    y = made.placeholder("x", float32, (None, 8, 8, 4))
    block = 0

    def weight(name: str, *shape: int) -> Tensor:
        return Tensor.from_numpy(f"{name}_{block}", np.ones(shape, "float32"))

    while len(made) < nodes:
        block += 1
        with made.scope(f"block_{block}/conv"):
            c = made.op("Conv2D", y, weight("k", 3, 3, 4, 4), strides=[1] * 4, padding="SAME")
            c = made.op("Relu", made.op("BiasAdd", c, weight("b", 4)))
        with made.scope(f"block_{block}/bn"):
            moments = [weight(name, 4) for name in "gbmv"]
            c = made.ops("FusedBatchNormV3", c, *moments, is_training=False)[0]
        with made.scope(f"block_{block}/add"):
            y = made.op("AddV2", c, y)
        if block % 3 == 0:
            with made.scope(f"block_{block}/operation"):
                y = made.op("Atan2", made.op("Floor", y), 2.5)
    return made, y


def main(sizes: list[int]) -> int:
    missed = 0
    print(f"{'nodes':>8}{'layers':>8}{'view, s':>10}{'whole, s':>10}{'ms/node':>10}")
    for size in sizes:
        made, output = graph(size)
        start = time.process_time()
        view = View(made, outputs=[output])
        seen = time.process_time() - start
        network = recognise(view)
        whole = time.process_time() - start
        late = whole > TARGET.get(size, whole)
        missed += late
        print(
            f"{len(made):8}{len(network.layers):8}{seen:10.2f}{whole:10.2f}"
            f"{1000 * whole / len(made):10.3f}{'  too slow' if late else ''}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or [1_000, 5_000, 20_000]))
