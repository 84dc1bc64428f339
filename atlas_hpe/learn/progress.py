"""Figures of a run while it goes: means since the last report, and the line for the person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Dict, Mapping, TextIO

import torch
from torch import Tensor

__all__ = ["LiveLine", "Meter"]

_REFRESH_SECONDS = 1.0


@dataclass
class Meter:
    """Mean loss terms and speed since `began`."""

    began: float
    steps: int = 0
    finite: int = 0
    sums: Dict[str, Tensor] = field(default_factory=dict)

    def add(self, terms: Mapping[str, Tensor], finite: bool) -> None:
        """Count one step; the terms of a skipped one are left out."""
        self.steps += 1
        if not finite:
            return
        self.finite += 1
        for name, value in terms.items():
            # Kept as tensors: reading a number each step would make a GPU wait.
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value.detach()

    def means(self) -> Dict[str, float]:
        """Mean of each term, rounded for a table."""
        count = max(1, self.finite)
        return {name: round(float(total) / count, 6) for name, total in self.sums.items()}

    def pictures_per_s(self, batch_size: int, now: float) -> float:
        """Speed since `began`."""
        return round(self.steps * batch_size / max(1e-9, now - self.began), 1)


class LiveLine:
    """One line that rewrites itself on a terminal; one line per report in a log file.

    Args:
        stream: where it goes.
        clock: seconds that never run backwards.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream, self._clock = stream, clock
        self._tty = stream.isatty()
        self._shown, self._width = clock(), 0
        #: The last held-out figures, shown from then on.
        self.figures: Dict[str, float] = {}

    def is_due(self) -> bool:
        """Whether a terminal wants news; a log file gets only what is reported."""
        return self._tty and self._clock() - self._shown >= _REFRESH_SECONDS

    def note(self, text: str) -> None:
        """Say something that stays."""
        self._stream.write(text + "\n")

    def show(self, done: float, step: int, seconds: float, meter: Meter, speed: float) -> None:
        """Write the line.

        Args:
            done: share of the run.
            step: steps done.
            seconds: training time so far.
            meter: with the loss since the last report.
            speed: pictures per second.
        """
        self._shown = self._clock()
        loss = meter.means().get("total", float("nan"))
        held_out = "".join(f"  {name} {value:.4f}" for name, value in self.figures.items())
        left = seconds * (1.0 - done) / max(done, 1e-9)
        text = (
            f"{100 * done:5.1f} %  step {step}  loss {loss:.4f}{held_out}"
            f"  {speed:.0f} pictures/s  {_words(left)} left"
        )
        self._stream.write(text.ljust(self._width) + ("\r" if self._tty else "\n"))
        self._stream.flush()
        self._width = len(text) if self._tty else 0

    def close(self) -> None:
        """Leave the terminal's line."""
        if self._tty:
            self._stream.write("\n")


def _words(seconds: float) -> str:
    minutes = max(0.0, seconds) / 60.0
    return f"{minutes / 60.0:.1f} h" if minutes >= 90.0 else f"{minutes:.0f} min"
