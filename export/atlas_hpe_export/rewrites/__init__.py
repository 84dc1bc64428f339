"""What the Ascend 310 needs said differently, one rule per file, in the order in which they run.

To add a rule: write ``rewrites/<name>.py`` with a ``RULE`` (copy ``is_nan.py``) and add it to
``REWRITES``. Each is run and compared before and after, and undone when a value changes.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.rewrites import (
    batch_norm,
    cast_chains,
    clip_bounds,
    determinant,
    drop_identity,
    float64,
    gather_elements,
    gather_nd,
    gather_to_slice,
    int64_arithmetic,
    inverse,
    is_nan,
    large_average_pool,
    layer_norm_fp16,
    negative_step,
    pad_reflect,
    resize_cubic,
    resize_half_pixel,
    resize_nearest,
    scatter_elements,
    scatter_nd,
    slice_of_concat,
    softmax_last_axis,
    static_opset,
    transpose_pairs,
)
from atlas_hpe_export.rewrites.apply import rewrite
from atlas_hpe_export.rewrites.listing import describe_rewrites, rewrites_to_dict
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["REWRITES", "RewriteRule", "describe_rewrites", "rewrite", "rewrites_to_dict"]

REWRITES: Tuple[RewriteRule, ...] = (
    drop_identity.RULE,
    # Element types first: rules behind match plainer graphs.
    float64.RULE,
    int64_arithmetic.RULE,
    cast_chains.RULE,
    # Indexing before inverse: camera matrices are put together by writing into slices.
    scatter_nd.RULE,
    scatter_elements.RULE,
    gather_nd.RULE,
    gather_elements.RULE,
    gather_to_slice.RULE,
    negative_step.RULE,
    transpose_pairs.RULE,
    slice_of_concat.RULE,
    inverse.RULE,
    determinant.RULE,
    batch_norm.RULE,
    layer_norm_fp16.RULE,
    softmax_last_axis.RULE,
    resize_half_pixel.RULE,
    resize_cubic.RULE,
    resize_nearest.RULE,
    large_average_pool.RULE,
    pad_reflect.RULE,
    clip_bounds.RULE,
    is_nan.RULE,
    static_opset.RULE,
)
