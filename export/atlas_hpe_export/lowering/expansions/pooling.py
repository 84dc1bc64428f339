"""AveragePool (opset 19) and LpPool (opset 18) with what they lack below: dilations, ceil_mode.

Both are a sum over a window, which is a convolution of each channel with a kernel of ones, and a
convolution has dilations. With n, the number of elements that count at each place of the output:

    AveragePool:  y = Conv(x, ones) * (1 / n)
    LpPool:       y = Conv(|x|^p, ones)^(1 / p)

n is constant: along an axis it counts the window's elements inside the picture, or inside the
padded picture with count_include_pad, and over all axes it is the product. ceil_mode adds a last
place whose window hangs over the end; it gets zeros there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Dict, List, Sequence, Union

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, Refusal, attribute_of, shape_of
from atlas_hpe_export.graph.builder import Attribute
from atlas_hpe_export.lowering.expansions.refusals import UNKNOWN_SHAPE
from atlas_hpe_export.lowering.restate import restate

__all__ = ["expand_average_pool", "expand_lp_pool"]


@dataclass(frozen=True)
class _Window:
    """A pooling window along one axis; sizes in elements."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    ceil: bool

    @property
    def places(self) -> int:
        """Number of outputs."""
        room = self.size + self.before + self.after - self.dilation * (self.kernel - 1) - 1
        count = -(-room // self.stride) if self.ceil else room // self.stride
        if self.ceil and count * self.stride >= self.size + self.before:
            count -= 1  # a window must start inside the picture or the padding before it
        return count + 1

    @property
    def overhang(self) -> int:
        """Zeros after the picture with which a convolution has as many places."""
        span = (self.places - 1) * self.stride + self.dilation * (self.kernel - 1) + 1
        return max(0, span - self.size - self.before)

    def counted(self, with_padding: bool) -> np.ndarray:
        """Elements that count at each place, (places,)."""
        starts = np.arange(self.places) * self.stride - self.before
        at = starts[:, None] + np.arange(self.kernel) * self.dilation
        low, high = (-self.before, self.size + self.after) if with_padding else (0, self.size)
        return np.asarray(((at >= low) & (at < high)).sum(axis=1))


def expand_average_pool(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """AveragePool-19 -> AveragePool-11 without dilations, else Conv and Mul."""
    if "dilations" not in node.attributes:
        return None
    if set(attribute_of(node, "dilations", [1])) == {1}:
        return restate(node, builder, node.inputs, without=["dilations"])
    x, windows = node.inputs[0], _read_windows(node)
    if x is None:
        return UNKNOWN_SHAPE
    if isinstance(windows, Refusal):
        return windows
    with_padding = bool(attribute_of(node, "count_include_pad", 0))
    counts = reduce(np.multiply.outer, [item.counted(with_padding) for item in windows])
    total = _sum_windows(x, windows, builder)
    return [builder.op("Mul", total, builder.like(total, 1 / np.maximum(counts, 1)))]


def expand_lp_pool(node: ir.Node, builder: GraphBuilder) -> Outcome:
    """LpPool-18 -> LpPool-11 without dilations and ceil_mode, else Abs, Pow, Conv, Pow."""
    news = [name for name in ("dilations", "ceil_mode") if name in node.attributes]
    if not news:
        return None
    dilated = set(attribute_of(node, "dilations", [1])) != {1}
    if not dilated and not attribute_of(node, "ceil_mode", 0):
        return restate(node, builder, node.inputs, without=news)
    power, windows = attribute_of(node, "p", 2), _read_windows(node)
    if isinstance(windows, Refusal):
        return windows
    magnitude = builder.op("Abs", node.inputs[0])
    raised = builder.op("Pow", magnitude, builder.like(magnitude, power))
    total = _sum_windows(raised, windows, builder)
    return [builder.op("Pow", total, builder.like(total, 1 / power))]


def _read_windows(node: ir.Node) -> Union[List[_Window], Refusal]:
    """A window per spatial axis."""
    shape = shape_of(node.inputs[0])
    if shape is None:
        return UNKNOWN_SHAPE
    if attribute_of(node, "auto_pad", "NOTSET") != "NOTSET":
        return Refusal("it pads by auto_pad and has dilations or ceil_mode")
    rank = len(shape) - 2
    kernel = attribute_of(node, "kernel_shape", [1] * rank)
    strides = attribute_of(node, "strides", [1] * rank)
    dilations = attribute_of(node, "dilations", [1] * rank)
    pads = attribute_of(node, "pads", [0] * 2 * rank)
    ceil = bool(attribute_of(node, "ceil_mode", 0))
    return [
        _Window(
            shape[2 + at], kernel[at], strides[at], dilations[at], pads[at], pads[at + rank], ceil
        )
        for at in range(rank)
    ]


def _sum_windows(x: ir.Value, windows: Sequence[_Window], builder: GraphBuilder) -> ir.Value:
    channels = (shape_of(x) or (0, 0))[1]
    kernel = [item.kernel for item in windows]
    attributes: Dict[str, Attribute] = {
        "kernel_shape": kernel,
        "strides": [item.stride for item in windows],
        "dilations": [item.dilation for item in windows],
        "pads": [*[item.before for item in windows], *[item.overhang for item in windows]],
        "group": channels,
    }
    ones = builder.like(x, np.ones((channels, 1, *kernel)))
    return builder.op("Conv", x, ones, attributes=attributes)
