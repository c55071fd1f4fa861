"""A convolution or a pool as graphs spell it: the op in the middle, and what stands around it.

    outside   BiasAdd or AddV2 with the bias, Squeeze, Transpose, BatchToSpaceND, StridedSlice that
              leaves positions out, a Conv2D of window 1 after a depthwise op
    middle    Conv2D, Conv3D, DepthwiseConv2dNative, Conv2DBackpropInput, Conv3DBackpropInputV2; or
              several between Split and ConcatV2
    inside    ExpandDims, Transpose, SpaceToBatchND, Pad
    middle of a pool: MaxPool, AvgPool, MaxPool3D, AvgPool3D

They come in several orders, so each layer that is peeled only says what it does to the axes of the
middle: an axis that goes outside and comes inside is no axis of the layer, and what was one in two
dimensions is one in one. All is told of tensors channels last or first.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re

from modelfmt.graph import Node
from modelfmt.graphs.arrangement import ARRANGING, Arrangement, arrangement, composed, identity
from modelfmt.graphs.supposing import same_scope
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View
from modelfmt.layers.blocks import padding_of, padding_of_transposed, rate_of
from modelfmt.layers.codec import shaped
from modelfmt.layers.middle import Middle, middle_of, unstrided
from modelfmt.layers.pads import zeros_told
from modelfmt.tensor import Tensor

#: So many layers outside, and so many inside.
_MOST = 8
#: Scopes that TensorFlow opens inside of a layer.
_INNER = ("conv1d", "convolution")
_CALLS = ("StatefulPartitionedCall", "PartitionedCall")


@dataclasses.dataclass(frozen=True)
class Peeled:
    """A convolution with everything that is known of it.

    Attributes:
        op: of the middle.
        x: the tensor that the layer is applied to.
        kernel, pointwise: constants, by the tensors that hold them; a pool has none.
        bias: of shape (filters,).
        strides, dilation, window: for each axis of the layer.
        padding: "valid", "same" or "causal".
        explicit: zeros before and after along each axis, of an op that says so itself.
        sizes: of a transposed one that is not in blocks, the operand that says how large y is;
            ``places`` are the elements that tell of the layer's axes.
        after: how y's axes follow from the layer's output: the dims of a Permute.
        together: whether the two ops of a mixed one stand in one scope.
        scope: in which the layer stands.
    """

    op: str
    rank: int
    x: str
    kernel: str | None
    pointwise: str | None
    bias: Tensor | None
    window: list[int]
    strides: list[int]
    dilation: list[int]
    padding: str
    explicit: list[list[int]] | None
    data_format: str
    groups: int
    sizes: str | None
    places: list[int]
    after: list[int] | None
    nodes: tuple[str, ...]
    together: bool
    scope: str


def peeled(view: View, tensor: str, mixed: bool = False) -> Peeled | None:
    """The convolution that ends in ``tensor``, or None.

    Args:
        mixed: whether a convolution of window 1 after a depthwise one belongs to it.
    """
    key = "peeled", view.resolve(tensor), mixed
    if key not in view.memo:
        view.memo[key] = _Peeling(view, view.resolve(tensor), mixed).done()
    found = view.memo[key]
    return found if isinstance(found, Peeled) else None


class _Peeling:
    def __init__(self, view: View, tensor: str, mixed: bool) -> None:
        self.view, self.tensor, self.mixed = view, tensor, mixed
        self.nodes: list[str] = []
        self.bias: Tensor | None = None
        self.crop: Node | None = None
        self.pointwise: Node | None = None
        self.sliced = False
        self.pad: tuple[Node, dict[int, int | None]] | None = None

    def done(self) -> Peeled | None:
        outside = self._outside()
        if outside is None:
            return None
        layers, middle = outside
        self.middle, self.channel = middle, middle.channel
        self.strides, self.dilation = dict(middle.strides), dict(middle.dilation)
        axes = self._outwards(layers)
        if axes is None or (self.mixed and self.pointwise is None):
            return None
        spare = [axis for axis in middle.spatial if axis not in axes]
        if set(axes) != {0, self.channel, *middle.spatial} - {*spare} or None in axes:
            return None
        self.nodes += middle.nodes
        inside = self._inwards(spare)
        if inside is None:
            return None
        x, placed = inside
        order = sorted((a for a in placed if placed[a] is not None), key=lambda a: placed[a] or 0)
        shape = self.view.shape(x)
        if len(order) != len(axes) or (shape is not None and len(shape) != len(order)):
            return None
        sizes = [axis for axis in middle.spatial if axis not in spare]
        return self._told(layers, x, sizes, order, [a for a in axes if a is not None])

    # -- outside ------------------------------------------------------------------------------

    def _outside(self) -> tuple[list[tuple[str, Node]], Middle] | None:
        """What is peeled off from the outside, outermost first, and the middle."""
        view, tensor, layers = self.view, self.tensor, list[tuple[str, Node]]()
        seen: set[str] = set()
        for _ in range(_MOST):
            node = view.producer(tensor)
            if node is None or not node.inputs or view.constant(tensor) is not None:
                return None
            kind = self._kind(node)
            if kind is None or (kind in seen and kind != "arranged"):
                middle = None if kind else middle_of(node, view)
                return None if middle is None else (layers, middle)
            seen.add(kind)
            layers.append((kind, node))
            constant = view.constant(node.inputs[0])
            tensor = view.resolve(node.inputs[1 if constant is not None else 0])
        return None

    def _kind(self, node: Node) -> str | None:
        view = self.view
        if node.op == "BiasAdd" or (node.op == "AddV2" and any(
            view.constant(i) is not None for i in node.inputs
        )):  # fmt: skip
            return "bias"
        if node.op == "Conv2D" and self.mixed and self._mixes(node):
            return "mixed"
        if node.op == "BatchToSpaceND":
            return "blocks"
        if node.op == "StridedSlice" and unstrided(node, view) is not None:
            return "sliced"
        return "arranged" if node.op in ARRANGING else None

    def _mixes(self, node: Node) -> bool:
        kernel = turned(self.view, node.inputs[1])
        ones = [*as_ints(self.view.attr(node, "strides"))]
        flat = kernel is not None and kernel.shape[:-2] == (1, 1)
        return flat and set(ones) == {1} and self.view.attr(node, "data_format") == "NHWC"

    def _outwards(self, layers: list[tuple[str, Node]]) -> Arrangement | None:
        """The axes of y in terms of the middle's; the layers told on the way."""
        axes: Arrangement = identity(self.middle.rank + 2)
        for kind, node in reversed(layers):
            self.nodes.append(node.name)
            if kind == "arranged":
                step = arrangement(node, self.view)
                if step is None or any(a is not None and a >= len(axes) for a in step):
                    return None
                axes = composed(step, axes)
            elif kind == "bias":
                self.bias = self._bias(node, axes)
                if self.bias is None:
                    return None
            elif kind == "mixed":
                self.pointwise = node
                if self.middle.op != "DepthwiseConv2dNative" or axes[-1] != self.channel:
                    return None
            elif not (self._blocks if kind == "blocks" else self._slices)(node, axes):
                return None
        return axes

    def _bias(self, node: Node, axes: Arrangement) -> Tensor | None:
        """A bias that stands along the channels."""
        view = self.view
        constants = [c for c in map(view.constant, node.inputs) if c is not None]
        if len(constants) != 1 or not constants[0].root.dtype.is_floating:
            return None
        shape, root = constants[0].shape, constants[0].root
        long = [k for k, size in enumerate(shape) if size != 1]
        if not shape or len(long) > 1:
            return None
        if node.op == "BiasAdd":
            first = view.attr(node, "data_format") == "NCHW"
            place = 1 if first else len(axes) - 1
        else:
            place = len(axes) - len(shape) + (long[0] if long else len(shape) - 1)
        if not long and self.channel in axes and node.op != "BiasAdd" and len(shape) > 1:
            place = axes.index(self.channel)
        if not 0 <= place < len(axes) or axes[place] != self.channel:
            return None
        return shaped(root, (root.size,), view)

    def _blocks(self, node: Node, axes: Arrangement) -> bool:
        rate = rate_of(node, self.view)
        plain = {*self.strides.values(), *self.dilation.values()} == {1}
        if rate is None or not plain or (self.middle.padding == "SAME" and self._wide()):
            return False
        for axis, step in zip(axes[1:], rate, strict=False):
            if axis in self.dilation:
                self.dilation[axis] = step
            elif step != 1:
                return False
        self.crop = node
        return True

    def _wide(self) -> bool:
        return any(size > 1 for size in self.middle.window.values())

    def _slices(self, node: Node, axes: Arrangement) -> bool:
        steps = unstrided(node, self.view) or []
        self.sliced = True
        if len(steps) != len(axes) or set(self.strides.values()) != {1}:
            return False
        for axis, step in zip(axes, steps, strict=True):
            if axis in self.strides:
                self.strides[axis] = step
            elif step != 1:
                return False
        return self.middle.padding == "VALID"

    # -- inside -------------------------------------------------------------------------------

    def _inwards(self, spare: list[int]) -> tuple[str, dict[int, int | None]] | None:
        """The layer's input, and where the middle's axes are in it."""
        view, x = self.view, self.view.resolve(self.middle.x)
        placed: dict[int, int | None] = {a: a for a in range(self.middle.rank + 2)}
        self.padding = self.middle.padding.lower()
        blocks = self.crop
        for _ in range(_MOST):
            node = view.producer(x)
            wanted = any(placed[axis] is not None for axis in spare)
            if node is None or not node.inputs or view.constant(x) is not None:
                break
            if blocks is not None and node.op == "SpaceToBatchND":
                padding = self._unblocked(node, blocks, placed)
                if padding is None:
                    return None
                self.padding, blocks = padding, None
            elif wanted and node.op in ARRANGING:
                step = arrangement(node, view)
                if step is None:
                    return None
                placed = {
                    axis: None if place is None else step[place]
                    for axis, place in placed.items()
                }
            elif wanted and node.op == "Pad" and self.sliced and self.pad is None:
                self.pad = node, dict(placed)
            else:
                break
            self.nodes.append(node.name)
            x = view.resolve(node.inputs[0])
        if blocks is not None or any(placed[axis] is not None for axis in spare):
            return None
        return x, placed

    def _unblocked(
        self, into: Node, back: Node, placed: dict[int, int | None]
    ) -> str | None:
        """The padding between blocks, if they are those of the axes that were cropped."""
        rate = rate_of(into, self.view) or []
        window = [1] * len(rate)
        for axis in self.middle.spatial:
            place = placed[axis]
            step = rate[place - 1] if place is not None and 0 < place <= len(rate) else 1
            if step != self.dilation[axis]:
                return None
            if place is not None and 0 < place <= len(rate):
                window[place - 1] = self.middle.window[axis]
        told = padding_of if self.middle.sizes is None else padding_of_transposed
        return told(into, back, window, self.view)

    # -- together -----------------------------------------------------------------------------

    def _told(
        self, layers: list[tuple[str, Node]], x: str, sizes: list[int], order: list[int],
        axes: list[int],
    ) -> Peeled | None:  # fmt: skip
        middle, view = self.middle, self.view
        last, first = [0, *sizes, self.channel], [0, self.channel, *sizes]
        if order not in (last, first):
            return None
        after = [order.index(axis) for axis in axes]
        moved = after != sorted(after)
        outermost = layers[0][1].op if layers else ""
        narrow = len(sizes) < middle.rank
        # What is arranged last belongs to the layer only where it takes back what was done to x.
        if after[0] != 0 or (outermost in ARRANGING and (moved or not narrow)):
            return None
        kernel = turned(view, middle.kernel) if middle.kernel is not None else None
        x_shape = view.shape(x)
        if middle.kernel is not None and (kernel is None or not kernel.root.dtype.is_floating):
            return None
        window, spare = [middle.window[a] for a in sizes], {*middle.spatial} - {*sizes}
        strides = [self.strides[axis] for axis in sizes]
        dilation = [self.dilation[axis] for axis in sizes]
        if any(middle.window[axis] != 1 for axis in spare):
            return None
        channels = None if x_shape is None else x_shape[order.index(self.channel)]
        groups = middle.groups
        mixes = kernel is not None and middle.op in ("Conv2D", "Conv3D")
        if kernel is not None and mixes and groups == 1 and channels is not None:
            groups, rest = divmod(channels, kernel.shape[-2])
            if rest or groups < 1 or kernel.shape[-1] % groups:
                return None
        scope = self._scope(layers)
        padding = self.padding
        if self.pad is not None:
            node, placed = self.pad
            told = {axis: self._extent(axis) for axis in middle.spatial}
            if padding != "valid" or zeros_told(node, placed, told, view) != "same":
                return None
            padding = "same"
        before = view.producer(x)
        if padding == "valid" and before is not None and before.op == "Pad" and (
            scope and before.name.rpartition("/")[0] == scope
        ):  # fmt: skip
            placed = {axis: order.index(axis) for axis in sizes}
            told = {axis: self._extent(axis) for axis in sizes}
            made = zeros_told(before, placed, told, view)
            if (made == "causal" and len(sizes) == 1) or (made == "same" and self.sliced):
                padding, x = str(made), view.resolve(before.inputs[0])
                self.nodes.append(before.name)
        explicit = [middle.explicit[axis] for axis in sizes] if middle.explicit else None
        return Peeled(
            middle.op, len(sizes), x, middle.kernel,
            self.pointwise.inputs[1] if self.pointwise is not None else None, self.bias, window,
            strides, dilation, padding, explicit,
            "channels_first" if order == first and order != last else "channels_last", groups,
            None if self.crop else middle.sizes, sizes, after[1:] if moved else None,
            tuple(dict.fromkeys(self.nodes)), self._together(), scope,
        )  # fmt: skip

    def _extent(self, axis: int) -> tuple[int, int]:
        """How far the window reaches beyond one place along an axis, and its stride."""
        return (self.middle.window[axis] - 1) * self.dilation[axis], self.strides[axis]

    def _together(self) -> bool:
        """Whether the depthwise op and the one that mixes are of one layer, as scopes tell."""
        if self.pointwise is None:
            return True
        each, mixing = self.middle.nodes[0], self.pointwise.name
        return same_scope(each, mixing) or each.startswith(f"{mixing}/")

    def _scope(self, layers: list[tuple[str, Node]]) -> str:
        """The scope of the layer: that of its nodes, without those that TensorFlow opened."""
        folders = [name.rpartition("/")[0] for name in self.nodes]
        parts = posixpath.commonpath(folders).split("/")
        while len(parts) > 1 and _numberless(parts[-1]) in _CALLS:
            parts = parts[:-1]
        inner = _numberless(self.middle.nodes[0].rpartition("/")[2]) == "Conv2D"
        biased = any(kind == "bias" for kind, _ in layers)
        if len(parts) > 1 and inner and _numberless(parts[-1]) in _INNER and not biased:
            parts = parts[:-1]
        return "/".join(parts)


def _numberless(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def as_ints(value: object) -> list[int]:
    """An attr that is a list of integers; any other is an empty one."""
    return [v for v in value if isinstance(v, int)] if isinstance(value, list) else []
