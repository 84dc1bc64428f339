"""Operators that PyTorch's exporters can't write, or write in many nodes that the board lacks.

Both front ends put a placeholder in the operator's place, and the ``Fill`` of the operator replaces
that in the graph, so both come to the same nodes.
"""

from __future__ import annotations

from atlas_hpe_export.frontends.gaps.filling import fill_gaps
from atlas_hpe_export.frontends.gaps.symbolics import registered_symbolics
from atlas_hpe_export.frontends.gaps.table import GAPS
from atlas_hpe_export.frontends.gaps.translation import translation_table

__all__ = ["GAPS", "fill_gaps", "registered_symbolics", "translation_table"]
