"""Did a change of the graph change what it says? Found out by running it."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import numpy as np
import onnx
import onnx_ir as ir

from atlas_hpe.errors import DeviceError, ModelFileError
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.graph.model import as_proto
from atlas_hpe_export.runners import run_model

__all__ = ["Guard"]

_HALF_STEPS = 8
Outputs = List[Dict[str, np.ndarray]]


class Guard:
    """Holds what a graph said before it was changed.

    Args:
        model: The graph before any change.
        feeds: Inputs to compare on.

    Raises:
        ModelFileError: The graph does not run as it is.
    """

    def __init__(self, model: onnx.ModelProto, feeds: Sequence[Feeds]) -> None:
        self._feeds = list(feeds)
        self._reference: Outputs = run_model(model, self._feeds)

    def find_change(self, model: ir.Model, share: float) -> Optional[str]:
        """Run the changed graph and tell where its values depart, None if nowhere.

        Args:
            model: The graph after a change.
            share: Largest allowed difference, as a share of the output's largest magnitude or of 1.
                An output in half precision is allowed eight of its own rounding steps (2^-10 each).
        """
        try:
            outputs = run_model(as_proto(model), self._feeds)
        except (ModelFileError, DeviceError) as error:
            return f"the changed graph does not run: {error.why or error.what}"
        for want, have in zip(self._reference, outputs):
            for name, expected in want.items():
                change = _difference(expected, have.get(name), share)
                if change:
                    return f"output '{name}' {change}"
        return None


def _difference(expected: np.ndarray, found: Optional[np.ndarray], share: float) -> Optional[str]:
    if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
        return "is not what it was"
    if expected.dtype.kind != "f":
        moved = int((expected != found).sum())
        return f"has {moved} other values" if moved else None
    if expected.dtype == np.float16:
        share = max(share, _HALF_STEPS * float(np.finfo(np.float16).eps))
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    known = np.isfinite(expected)
    limit = share * max(1.0, float(np.abs(expected[known]).max(initial=0.0)))
    if np.allclose(found, expected, rtol=0, atol=limit, equal_nan=True):
        return None
    if not np.isfinite(found[known]).all() or not np.allclose(
        found[~known], expected[~known], equal_nan=True
    ):
        return "is infinite or not a number at other places"
    worst = float(np.abs(found[known] - expected[known]).max())
    return f"moved by up to {worst:.3g}, {limit:.3g} is allowed"
