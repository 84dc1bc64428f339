"""Arithmetic on float64, in float32.

    f(a, b) -> Cast64(f(Cast32(a), Cast32(b)))

and ``cast_chains`` drops the casts between two such nodes. A float64 constant comes from a NumPy
array or a Python number in the network; the board has no kernels for the type, and by default
computes in float16 anyway. Inputs and outputs of the graph keep their type.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.rewrites.narrower import in_narrower_type
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

RULE = RewriteRule(
    name="float64",
    reason="the AI Core has no float64; it runs on the AI CPU or is refused",
    example="Cast to float64, Mul by a float64 constant -> Mul by a float32 constant",
    source="ascend.md section 3.7 (Cast: int64 and double pairs run on AI CPU)",
    replacement=in_narrower_type(ir.DataType.DOUBLE, ir.DataType.FLOAT),
    tolerance="rewrite-algebra",
)
