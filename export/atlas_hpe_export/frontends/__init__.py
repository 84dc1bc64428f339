"""PyTorch -> ONNX: two of PyTorch's own exporters as front ends with one result.

``capture`` picks the front end, fills the gaps that both leave, names every node after its module,
and leaves network, loggers and registries as they were.
"""

from __future__ import annotations

from atlas_hpe_export.frontends.captured import CAPTURE_OPSET, Captured, Frontend, Request
from atlas_hpe_export.frontends.choice import FRONTENDS, Verify, capture

__all__ = ["CAPTURE_OPSET", "FRONTENDS", "Captured", "Frontend", "Request", "Verify", "capture"]
