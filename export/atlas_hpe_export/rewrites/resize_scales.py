"""Resize by factors in place of sizes, which hold the batch of the example.

    Resize(x, sizes = [1, c, h, w]) = Resize(x, scales = [1, c / C, h / H, w / W])

ONNX computes the factor of an axis as its size after over its size before, and the size after as
the whole part of factor times size (operator Resize, opset 11). Where that whole part is the size
again, both say the same; with n pictures only the factors do. A factor that single precision
rounds too low is taken one step higher for a linear Resize, where that moves a weight by as little;
a nearest one could choose another pixel, and is left.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, constant_of, shape_of
from atlas_hpe_export.rewrites.resize_weights import is_understood, says
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not is_understood(node) or len(node.inputs) < 4 or node.inputs[3] is None:
        return None
    sizes, before = constant_of(node.inputs[3]), shape_of(node.inputs[0])
    if sizes is None or before is None or 0 in before:
        return None
    scales = _find_scales(np.array(before), sizes, may_round_up=says(node)[0] == "linear")
    if scales is None:
        return None
    inputs = [*node.inputs[:2], builder.constant(scales)]
    return [builder.op("Resize", *inputs, attributes=node.attributes)]


def _find_scales(
    before: np.ndarray, after: np.ndarray, *, may_round_up: bool
) -> Optional[np.ndarray]:
    """float32 factors that give exactly these sizes, None where there are none."""
    scales = (after / before).astype(np.float32)
    if may_round_up:
        above = np.nextafter(scales, np.float32(np.inf))
        scales = np.where(_reach(before, scales, after), scales, above)
    return scales if _reach(before, scales, after).all() else None


def _reach(before: np.ndarray, scales: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Whether a reader gets the size, whether it multiplies in single or in double precision."""
    single, double = before.astype(np.float32) * scales, before * scales.astype(np.float64)
    return np.asarray((np.floor(single) == after) & (np.floor(double) == after))


RULE = RewriteRule(
    name="resize_scales",
    reason="sizes hold the batch of the example; by factors the same file compiles for several",
    example="Resize to sizes (1, 64, 32, 32) -> by scales (1, 1, 2, 2)",
    source="ascend.md section 3.1 (dynamic_batch_size) and section 3.7 (Resize)",
    replacement=_replace,
    tolerance="rewrite-algebra",
)
