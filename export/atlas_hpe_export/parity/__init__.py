"""The parity ladder: PyTorch, ONNX, ONNX as the board computes it, with AIPP in front.

The comparison itself, its tolerances and recorded bundles are in ``atlas_hpe.parity``, where a
board can use them. Its public names are those of ``atlas_hpe_export``.
"""

from __future__ import annotations

__all__ = ()
