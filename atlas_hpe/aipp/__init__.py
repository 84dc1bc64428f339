"""AIPP, the picture unit in front of a compiled model, as exact arithmetic in NumPy.

The one place that knows this arithmetic: the AIPP configuration, the simulator and the parity
ladder all come from here. Facts are from ascend.md section 4.
"""

from __future__ import annotations

from atlas_hpe.aipp.arithmetic import apply_aipp
from atlas_hpe.aipp.choice import (
    aipp_input_shape,
    aipp_spec,
    card_with_aipp,
    check_aipp_card,
    choose_aipp_input,
    normalisation_error,
)
from atlas_hpe.aipp.config import AippSettings, aipp_config, aipp_entries
from atlas_hpe.aipp.config_reader import read_aipp_config
from atlas_hpe.aipp.graph_normalisation import find_normalisation
from atlas_hpe.aipp.pictures import aipp_buffer, aipp_feeds, bgr_to_nv12
from atlas_hpe.aipp.settings import (
    AIPP_FORMATS,
    CSC_MATRICES,
    AippSpec,
    CscMatrix,
    DynamicAipp,
)

__all__ = [
    "AIPP_FORMATS",
    "CSC_MATRICES",
    "AippSettings",
    "AippSpec",
    "CscMatrix",
    "DynamicAipp",
    "aipp_buffer",
    "aipp_config",
    "aipp_entries",
    "aipp_feeds",
    "aipp_input_shape",
    "aipp_spec",
    "apply_aipp",
    "bgr_to_nv12",
    "card_with_aipp",
    "check_aipp_card",
    "choose_aipp_input",
    "find_normalisation",
    "normalisation_error",
    "read_aipp_config",
]
