"""What the Ascend 310 needs said differently, one rule per file.

To add a rule: write ``rewrites/<name>.py`` with a ``RULE`` (copy ``is_nan.py``) and add it to
``REWRITES`` in ``table.py``. Each is run and compared before and after, and undone when a value
changes.
"""

from __future__ import annotations

from atlas_hpe_export.rewrites.apply import rewrite
from atlas_hpe_export.rewrites.listing import describe_rewrites, rewrites_to_dict
from atlas_hpe_export.rewrites.rule import RewriteRule
from atlas_hpe_export.rewrites.table import REWRITES

__all__ = ["REWRITES", "RewriteRule", "describe_rewrites", "rewrite", "rewrites_to_dict"]
