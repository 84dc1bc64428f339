"""The board's side: run a graph. ``open_session`` is the whole face of it."""

from __future__ import annotations

from atlas_hpe.card import TensorSpec
from atlas_hpe_runtime.backends import BACKENDS
from atlas_hpe_runtime.open import open_session
from atlas_hpe_runtime.session import Session

__all__ = ["BACKENDS", "Session", "TensorSpec", "open_session"]
