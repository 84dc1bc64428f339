"""AIPP, the picture unit in front of a compiled model, as exact arithmetic in NumPy.

The one place that knows this arithmetic: the AIPP configuration, the simulator and the parity
ladder all come from here. Facts are from ascend.md section 4.
"""

from __future__ import annotations

from atlas_hpe.aipp.arithmetic import apply_aipp, normalisation_error
from atlas_hpe.aipp.pictures import aipp_buffer, aipp_feeds, bgr_to_nv12
from atlas_hpe.aipp.settings import (
    AIPP_FORMATS,
    CSC_MATRICES,
    AippSpec,
    CscMatrix,
    aipp_spec,
)

__all__ = [
    "AIPP_FORMATS",
    "CSC_MATRICES",
    "AippSpec",
    "CscMatrix",
    "aipp_buffer",
    "aipp_feeds",
    "aipp_spec",
    "apply_aipp",
    "bgr_to_nv12",
    "normalisation_error",
]
