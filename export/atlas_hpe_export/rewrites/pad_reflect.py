"""Pad in mode reflect as a constant choice of pixels along every padded axis.

    y[i] = x[r(i)],   r = n-1..1 mirrored at both ends without the edge itself

with one Gather per axis: the choice of an axis does not depend on the others.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import (
    GraphBuilder,
    Outcome,
    Refusal,
    attribute_of,
    constant_of,
    shape_of,
)
from atlas_hpe_export.rewrites.along_axis import select_along
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if node.op_type != "Pad" or node.domain or attribute_of(node, "mode", "constant") != "reflect":
        return None
    x, shape = node.inputs[0], shape_of(node.inputs[0])
    pads = constant_of(node.inputs[1]) if len(node.inputs) > 1 else None
    if x is None or not shape or pads is None or pads.size != 2 * len(shape):
        return Refusal("the shape of its input or its pads are not known")
    if (pads < 0).any():
        return Refusal("it cuts off pixels and mirrors others at once")
    for axis, (start, end) in enumerate(pads.reshape(2, -1).T.tolist()):
        indices = np.pad(np.arange(shape[axis]), (start, end), mode="reflect")
        x = select_along(builder, x, axis, indices.tolist())
    return [x]


RULE = RewriteRule(
    name="pad_reflect",
    reason="mirrored padding has not been seen to work on this chip",
    example="Pad reflect -> Gather with constant indices per axis",
    source="ascend.md section 3.7 (Pad) and section 11, item 6; the rules of msit "
    "(modify_reflection_pad)",
    replacement=_replace,
)
