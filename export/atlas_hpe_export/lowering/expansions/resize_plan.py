"""What a Resize of opset 18 or 19 does to each axis, from its attributes and constant inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import attribute_of, constant_of

__all__ = ["ResizePlan", "read_resize", "scales_that_floor_to"]


@dataclass(frozen=True)
class ResizePlan:
    """All axes of the input, those that stay as they are included.

    Attributes:
        in_sizes: Sizes of the input.
        out_sizes: Sizes of the output.
        scales: Factors that the coordinates are computed with.
        by_sizes: Whether the factors are ``out / in`` of given sizes.
    """

    in_sizes: Tuple[int, ...]
    out_sizes: Tuple[int, ...]
    scales: Tuple[float, ...]
    by_sizes: bool

    @property
    def resized(self) -> Tuple[int, ...]:
        """Axes that change."""
        return tuple(at for at, scale in enumerate(self.scales) if scale != 1)


def read_resize(node: ir.Node, in_sizes: Tuple[int, ...]) -> Optional[ResizePlan]:
    """Read a node whose scales or sizes are constant; None where they are not.

    The rules for ``axes`` and ``keep_aspect_ratio_policy`` are those of the operator's page.
    """
    inputs = [*node.inputs, None, None, None]
    rank = len(in_sizes)
    axes = attribute_of(node, "axes", list(range(rank)))
    given_scales, given_sizes = constant_of(inputs[2]), constant_of(inputs[3])
    scales, out_sizes = [1.0] * rank, list(in_sizes)
    if given_sizes is not None and given_sizes.size:
        policy = attribute_of(node, "keep_aspect_ratio_policy", "stretch")
        ratios = [int(size) / in_sizes[axis] for axis, size in zip(axes, given_sizes)]
        if policy != "stretch":
            common = min(ratios) if policy == "not_larger" else max(ratios)
            ratios = [common] * len(axes)
        for axis, ratio in zip(axes, ratios):
            scales[axis] = ratio
            out_sizes[axis] = math.floor(ratio * in_sizes[axis] + 0.5)
        return ResizePlan(in_sizes, tuple(out_sizes), tuple(scales), policy == "stretch")
    if given_scales is None or not given_scales.size:
        return None
    for axis, scale in zip(axes, given_scales.astype(np.float32)):
        scales[axis] = float(scale)
        out_sizes[axis] = int(np.floor(np.float32(in_sizes[axis]) * scale))
    return ResizePlan(in_sizes, tuple(out_sizes), tuple(scales), False)


def scales_that_floor_to(plan: ResizePlan) -> Optional[List[float]]:
    """The factors, moved by a last bit where ``floor(in * scale)`` would miss the output size.

    Returns:
        None where no neighbouring float32 hits the size.
    """
    found = []
    for size, wanted, scale in zip(plan.in_sizes, plan.out_sizes, plan.scales):
        near = np.float32(scale)
        for candidate in (near, np.nextafter(near, np.float32(np.inf))):
            if int(np.floor(np.float32(size) * candidate)) == wanted:
                found.append(float(candidate))
                break
        else:
            return None
    return found
