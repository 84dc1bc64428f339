"""What a program, or the page, may know about the run at any time."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from time import monotonic
from typing import Dict

from atlas_hpe_pipelines.run_report import RunReport
from atlas_hpe_pipelines.serve.live_view import LiveView
from atlas_hpe_pipelines.serve.runner import Runner
from atlas_hpe_runtime.session import BASIS_SIMULATED

__all__ = ["RunState"]

#: Viewers that ask at about the same time get the same answer.
_FRESH_S = 0.25


class RunState:
    """The state of the run as JSON, made at most a few times a second.

    Args:
        runner: What runs.
        view: What has come of it.
    """

    def __init__(self, runner: Runner, view: LiveView) -> None:
        self._runner = runner
        self._view = view
        self._lock = threading.Lock()
        self._text = ""
        self._made_s = 0.0
        self._made_for = ""

    def as_json(self) -> str:
        """One object; docs/serve.md describes it."""
        with self._lock:
            now_s = monotonic()
            state = self._runner.state
            if now_s - self._made_s > _FRESH_S or state != self._made_for:
                self._text = json.dumps(self._make(state), allow_nan=False)
                self._made_s, self._made_for = now_s, state
            return self._text

    def _make(self, state: str) -> Dict[str, object]:
        report = self._runner.report()
        values: Dict[str, object] = {
            "state": state,
            "error": self._runner.error,
            "frames_per_s": round(self._view.frames_per_s(), 2),
        }
        if report is not None:
            told = asdict(report)
            for name in ("total_s", "frames_per_s", "outputs"):
                del told[name]  # those of a whole run
            values.update(told, basis_text=_describe_basis(report))
        return values


def _describe_basis(report: RunReport) -> str:
    """What the times are, in words."""
    if report.basis == BASIS_SIMULATED:
        return f"simulated device ({report.backend}) on this machine: no time is one of a board"
    return f"{report.basis}, {report.backend}"
