"""Reasons that several expansions share."""

from __future__ import annotations

from atlas_hpe_export.graph import Refusal

__all__ = ["NOT_CONSTANT", "UNKNOWN_SHAPE", "UNKNOWN_TYPE"]

UNKNOWN_SHAPE = Refusal("the shape of its input is not known before the graph runs")
UNKNOWN_TYPE = Refusal("the element type of its input is not known")
NOT_CONSTANT = Refusal("an input that sets its size or shape is computed by the graph")
