"""What is inside an .om file, read without CANN and without trust (ascend.md section 6)."""

from __future__ import annotations

from atlas_hpe.om_file.fit import Misfit, find_misfit
from atlas_hpe.om_file.read import looks_like_om, parse_om, read_om_summary
from atlas_hpe.om_file.report import describe_aipp, describe_om
from atlas_hpe.om_file.spec import (
    AippValue,
    OmAipp,
    OmHeader,
    OmModel,
    OmPartition,
    OmProfiles,
    OmSummary,
    OmTensor,
)

__all__ = [
    "AippValue",
    "Misfit",
    "OmAipp",
    "OmHeader",
    "OmModel",
    "OmPartition",
    "OmProfiles",
    "OmSummary",
    "OmTensor",
    "describe_aipp",
    "describe_om",
    "find_misfit",
    "looks_like_om",
    "parse_om",
    "read_om_summary",
]
