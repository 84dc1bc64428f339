"""The graph rewrites, one file each, in the order in which they run.

To add a rewrite: write ``passes/<name>.py`` with a ``PASS`` (copy ``resize_half_pixel.py``) and add
it to ``PASSES``. Each is run and compared before and after, and undone when a value changes.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.passes import (
    drop_identity,
    resize_half_pixel,
    static_opset,
)
from atlas_hpe_export.passes.rewrite_pass import RewritePass

__all__ = ["PASSES", "RewritePass"]

PASSES: Tuple[RewritePass, ...] = (
    static_opset.PASS,
    drop_identity.PASS,
    resize_half_pixel.PASS,
)
