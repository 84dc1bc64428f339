"""What the Ascend 310 needs said differently, one rule per file, in the order in which they run.

To add a rule: write ``rewrites/<name>.py`` with a ``RULE`` (copy ``resize_half_pixel.py``) and add
it to ``REWRITES``. Each is run and compared before and after, and undone when a value changes.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.rewrites.apply import rewrite
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["REWRITES", "RewriteRule", "rewrite"]

REWRITES: Tuple[RewriteRule, ...] = ()
