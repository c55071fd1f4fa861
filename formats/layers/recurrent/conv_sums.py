"""Sums of convolutions with constants: what the gates of a convolutional LSTM are computed from.

    [SpaceToBatchND] -> [ExpandDims] -> Conv2D or Conv3D -> [Squeeze] -> [BatchToSpaceND]

A kernel (*window, in, out) is a matrix of its last axis' columns, so that gates are windows on it
as they are on that of a plain LSTM. How a convolution is done (strides, padding, dilation) is in
``forms``, by what it is done to.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from modelfmt.graph import Node
from modelfmt.graphs.view import View
from modelfmt.layers.blocks import padding_of, rate_of
from modelfmt.layers.recurrent.blocks import Block, blocks_of, joined, width
from modelfmt.layers.recurrent.gates import Gate
from modelfmt.layers.recurrent.sums import Affine, Sums
from modelfmt.network import Config
from modelfmt.tensor import Tensor

_OPS = {"Conv2D": 2, "Conv3D": 3}
_RESHAPING = {"ExpandDims", "Squeeze", "Reshape"}
#: Sums within sums, of which no cell has more than a few.
_MAX_DEPTH = 60


@dataclasses.dataclass(frozen=True)
class Form:
    """How a convolution is done, along each axis."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str


class ConvSums(Sums):
    """Finds the sums of convolutions over ``rank`` axes below the tensors of a loop's body."""

    def __init__(
        self, view: View, outside: Callable[[str], tuple[str, str] | None], rank: int
    ) -> None:
        super().__init__(view, outside, lambda _: None)
        self.rank = rank
        self.forms: dict[str, set[Form]] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}

    def block(self, tensor: str, depth: int = 0) -> Block | None:
        """The window on the columns of a constant's last axis that a tensor is."""
        constant = self.view.constant(tensor)
        if constant is not None:
            shape = constant.shape
            if not constant.root.dtype.is_floating or not shape:
                return None
            rows, columns = math.prod(shape[:-1]), shape[-1]
            return Block(constant.root, (rows, columns), (0, rows), (0, columns), len(shape))
        node = self.view.producer(tensor)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op in _RESHAPING:
            inner = self.block(node.inputs[0], depth + 1)
            shape_now = self.view.shape(tensor)
            same = inner is not None and shape_now and shape_now[-1] == inner.width
            return dataclasses.replace(inner, rank=len(shape_now or ())) if inner and same else None
        operand = {"Split": 1, "SplitV": 0}.get(node.op)
        inner = self.block(node.inputs[operand], depth + 1) if operand is not None else None
        if inner is None:
            return None
        part = self._part(node, tensor, inner.rank, (-1, inner.width))
        if part is None or part[0] != inner.rank - 1:
            return None
        return inner.window(1, part[1], part[2])

    def sum(self, tensor: str, depth: int = 0) -> Affine | None:
        """The sum that a tensor is; what is no convolution with a weight stands in ``rest``."""
        tensor = self.view.resolve(tensor)
        row = self.block(tensor)
        if row is not None:
            return Affine(biases=((row,),)) if row.height == 1 else None
        node = self.view.producer(tensor)
        if node is not None and node.op in ("AddV2", "BiasAdd") and depth < _MAX_DEPTH:
            parts = [self.sum(i, depth + 1) for i in node.inputs]
            return parts[0] + parts[1] if parts[0] and parts[1] else None
        if node is not None and node.op in ("Split", "SplitV") and depth < _MAX_DEPTH:
            whole = self.sum(node.inputs[node.op == "Split"], depth + 1)
            size = whole.width if whole is not None else None
            part = self._part(node, tensor, self.rank + 2, (-1, size)) if size else None
            if whole is not None and part is not None and part[0] == self.rank + 1:
                return whole.sliced(part[1], part[2])
        found = self._convolution(tensor)
        if found is None:
            return Affine(rest=(tensor,))
        source, kernel, form = found
        self.forms.setdefault(source, set()).add(form)
        return Affine({source: (kernel,)})

    def _convolution(self, tensor: str) -> tuple[str, Block, Form] | None:
        """The source, the kernel and the form of the convolution that a tensor is."""
        view = self.view
        outer, tensor = self._through("BatchToSpaceND", tensor)
        if self.rank == 1:
            _, tensor = self._through("Squeeze", tensor)
        node = view.producer(tensor)
        if node is None or _OPS.get(node.op) != max(self.rank, 2):
            return None
        kernel, shape = self.block(node.inputs[1]), view.shape(node.inputs[1])
        strides = view.attr(node, "strides")
        if kernel is None or shape is None or None in shape or not isinstance(strides, list):
            return None
        if str(view.attr(node, "data_format")).startswith("NC"):
            return None
        source = node.inputs[0]
        if self.rank == 1:
            _, source = self._through("ExpandDims", source)
        inner, source = self._through("SpaceToBatchND", source)
        window = tuple(size or 0 for size in shape[:-2])[-self.rank :]
        steps = tuple(int(str(step)) for step in strides[1:-1])[-self.rank :]
        padding = str(view.attr(node, "padding")).lower()
        dilation = self._dilation(node)
        if outer is not None and inner is not None:
            rate = rate_of(inner, view)
            blocked = padding_of(inner, outer, window, view)
            if rate is None or blocked is None or padding != "valid":
                return None
            dilation, padding = tuple(rate), blocked
        elif (outer is None) != (inner is None) or padding not in ("valid", "same"):
            return None
        lead = tuple(size or 0 for size in shape)[-self.rank - 2 :]
        self.shapes[id(kernel.root)] = lead[:-1]
        return self.plain(source), kernel, Form(window, steps, dilation, padding)

    def _dilation(self, node: Node) -> tuple[int, ...]:
        stated = self.view.attr(node, "dilations")
        if not isinstance(stated, list) or len(stated) < 4:
            return (1,) * self.rank
        return tuple(int(str(step)) for step in stated[1:-1])[-self.rank :]

    def _through(self, op: str, tensor: str) -> tuple[Node | None, str]:
        """The node of an op that makes a tensor, and what it is made of; the tensor if none is."""
        node = self.view.producer(tensor)
        if node is None or node.op != op:
            return None, tensor
        return node, self.view.resolve(node.inputs[0])

    # -- the weights of the gates -------------------------------------------------------------

    def gate_weights(
        self, gates: Sequence[Gate], x: str, state: str
    ) -> tuple[Config, dict[str, Tensor]] | None:
        """The config and weights of gates in their order beside each other."""
        forms, kept = self.forms.get(x, set()), self.forms.get(state, set())
        filters = width(gates[0].kernel)
        if len(forms) != 1 or len(kept) != 1 or any(gate.offset for gate in gates):
            return None
        (form,), (again,) = forms, kept
        ones = (1,) * self.rank
        if again != Form(form.window, ones, ones, "same"):
            return None
        if any(width(row) != filters for g in gates for row in (g.kernel, g.recurrent, *g.biases)):
            return None
        counts = {len(gate.biases) for gate in gates}
        if counts not in ({0}, {1}):
            return None
        weights = {
            name: self._kernel([getattr(gate, field) for gate in gates], name)
            for name, field in (("kernel", "kernel"), ("recurrent_kernel", "recurrent"))
        }
        if counts == {1}:
            weights["bias"] = joined(blocks_of([g.biases[0] for g in gates]), "bias", rank=1)
        config: Config = {
            "filters": filters, "kernel_size": list(form.window), "strides": list(form.strides),
            "dilation_rate": list(form.dilation), "padding": form.padding,
            "data_format": "channels_last", "use_bias": counts == {1},
        }  # fmt: skip
        return config, weights

    def _kernel(self, rows: Sequence[tuple[Block, ...]], name: str) -> Tensor:
        whole = blocks_of(rows)
        root = whole[0].root
        shape = (*self.shapes[id(root)], width(whole))
        found = joined(whole, name)
        if found is root or (root.shape == shape and _is_all(whole, root)):
            return root
        return found.reshaped(shape)


def _is_all(row: Sequence[Block], root: Tensor) -> bool:
    """Whether blocks are all the columns of a tensor, in their order."""
    stop = 0
    for block in row:
        if block.root is not root or block.columns[0] != stop:
            return False
        stop = block.columns[1]
    return stop == root.shape[-1]
