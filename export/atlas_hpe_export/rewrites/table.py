"""The rules, in the order in which they run."""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.rewrites import (
    batch_free_reshape,
    batch_norm,
    cast_chains,
    clip_bounds,
    determinant,
    drop_identity,
    float64,
    fold_constants,
    gather_elements,
    gather_nd,
    gather_to_slice,
    index_division,
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
    resize_scales,
    scatter_elements,
    scatter_nd,
    slice_of_concat,
    softmax_last_axis,
    static_opset,
    transpose_pairs,
)
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["REWRITES"]

REWRITES: Tuple[RewriteRule, ...] = (
    drop_identity.RULE,
    fold_constants.RULE,
    # Element types first: rules behind match plainer graphs.
    float64.RULE,
    int64_arithmetic.RULE,
    cast_chains.RULE,
    index_division.RULE,
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
    resize_scales.RULE,
    large_average_pool.RULE,
    pad_reflect.RULE,
    clip_bounds.RULE,
    is_nan.RULE,
    # Last of those that write shapes: the others write that of the example.
    batch_free_reshape.RULE,
    static_opset.RULE,
)
