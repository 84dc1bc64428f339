"""Will the board's compiler take this graph, and will the board compute what it says?

Every node is looked up in a table of facts (``operators.py``), and rules look for known traps
(``rules/``). Needs the onnx package, not torch; onnxruntime only to measure ranges.
"""

from __future__ import annotations

from atlas_hpe_export.check.check import check_onnx
from atlas_hpe_export.check.finding import Finding
from atlas_hpe_export.check.report import CheckReport, check_to_dict, describe_check

__all__ = ["CheckReport", "Finding", "check_onnx", "check_to_dict", "describe_check"]
