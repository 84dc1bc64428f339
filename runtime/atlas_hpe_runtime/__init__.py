"""The board's side: run a graph. ``open_session`` is the whole face of it."""

from __future__ import annotations

from atlas_hpe.card import TensorSpec
from atlas_hpe_runtime.acl.tensors import DeviceTensor, read_tensor
from atlas_hpe_runtime.backends import BACKENDS
from atlas_hpe_runtime.open import open_session
from atlas_hpe_runtime.session import RunTimes, Session

__all__ = [
    "BACKENDS",
    "DeviceTensor",
    "RunTimes",
    "Session",
    "TensorSpec",
    "open_session",
    "read_tensor",
]
