"""Operators that PyTorch's exporters can't write, or write in many nodes that the board lacks.

Both front ends put a placeholder in the operator's place, and the ``Fill`` of the operator replaces
that in the graph, so both come to the same nodes.
"""

from __future__ import annotations

from atlas_hpe_export.frontends.gaps.placeholder import (
    fill_gaps,
    registered_symbolics,
    translation_table,
)
from atlas_hpe_export.frontends.gaps.table import GAPS

__all__ = ["GAPS", "fill_gaps", "registered_symbolics", "translation_table"]
