"""What atc's messages mean: its log as causes, nodes, PyTorch modules and fixes."""

from __future__ import annotations

from atlas_hpe_export.convert.faults.decode import (
    AtcFault,
    decode_log,
    decode_log_file,
    fault_error,
)

__all__ = ["AtcFault", "decode_log", "decode_log_file", "fault_error"]
