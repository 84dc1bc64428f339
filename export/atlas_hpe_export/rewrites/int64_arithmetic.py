"""Arithmetic on int64 that depends on the data, in int32.

    f(a, b) -> Cast64(f(Cast32(a), Cast32(b)))

and ``cast_chains`` drops the casts between two such nodes, and those before a cast to float.
The same as long as all numbers are below 2^31, which is so for every index into a tensor that fits
into memory; a constant beyond that is refused. Arithmetic on shapes is left to the compiler, which
folds it. Graph outputs keep their type.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.rewrites.narrower import in_narrower_type
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]

#: Operators with int32 kernels in ONNX Runtime, on which the guard runs, and on the board.
_OPERATORS = frozenset(
    {
        "Abs",
        "Add",
        "Concat",
        "Div",
        "Equal",
        "Expand",
        "Gather",
        "Greater",
        "Less",
        "Mod",
        "Mul",
        "Neg",
        "ReduceMax",
        "ReduceMin",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)

RULE = RewriteRule(
    name="int64_arithmetic",
    reason="arithmetic on int64 runs on the AI CPU, which is slow and can fail",
    example="ArgMax, Div, Mod on int64 -> on int32",
    source="ascend.md section 3.7 (int64 arithmetic, Cast) and section 10, row 11",
    replacement=in_narrower_type(
        ir.DataType.INT64, ir.DataType.INT32, _OPERATORS, frozenset({("Gather", "Tind")})
    ),
)
