"""Any graph at opset 21 or below -> opset 11, one file per opset.

``from_18.py`` says how a graph of opset 18 is said at opset 17, and so on down. What takes more
than a few lines (GridSample, Einsum, ...) has its algebra and its code in ``expansions/``. To lower
another operator: write a function that keeps ``Adapter`` and add its line to the step at which the
operator changed.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.lowering import (
    from_12,
    from_13,
    from_14,
    from_15,
    from_16,
    from_17,
    from_18,
    from_19,
    from_20,
    from_21,
)
from atlas_hpe_export.lowering.ladder import lower
from atlas_hpe_export.lowering.step import Adapter, OpsetStep

__all__ = ["LADDER", "Adapter", "OpsetStep", "lower"]

#: One step per opset, the highest first.
LADDER: Tuple[OpsetStep, ...] = (
    from_21.STEP,
    from_20.STEP,
    from_19.STEP,
    from_18.STEP,
    from_17.STEP,
    from_16.STEP,
    from_15.STEP,
    from_14.STEP,
    from_13.STEP,
    from_12.STEP,
)
