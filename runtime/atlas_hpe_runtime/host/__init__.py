"""Running an .onnx on the host: ONNX Runtime and its session."""

from __future__ import annotations

from typing import Tuple

__all__: Tuple[str, ...] = ()
