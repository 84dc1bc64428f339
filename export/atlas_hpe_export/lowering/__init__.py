"""Any graph at opset 21 or below -> opset 11, one file per opset.

``from_18.py`` says how a graph of opset 18 is said at opset 17, and so on down. What takes more than
a few lines (GridSample, Einsum, ...) has its algebra and its code in ``expansions/``. To lower
another operator: write a function that keeps ``Adapter`` and add its line to the step at which the
operator changed.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.lowering.ladder import lower
from atlas_hpe_export.lowering.step import Adapter, OpsetStep

__all__ = ["LADDER", "Adapter", "OpsetStep", "lower"]

LADDER: Tuple[OpsetStep, ...] = ()
