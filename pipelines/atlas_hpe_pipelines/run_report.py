"""What a run has to say about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from atlas_hpe_pipelines.overlap import StageTimes
from atlas_hpe_runtime.session import BASIS_SIMULATED

__all__ = ["OutputReport", "RunReport", "StageReport", "format_run_report", "report_stages"]


@dataclass(frozen=True)
class StageReport:
    """One stage of a run.

    Attributes:
        name: Stage.
        p50_ms: Median time per frame.
        p95_ms: Time that 95 % of the frames stayed below.
        total_ms: Sum over all frames.
        share: Part of the time of all stages together, in [0, 1]. Stages overlap, so the sum of
            their times is more than the run took.
    """

    name: str
    p50_ms: float
    p95_ms: float
    total_ms: float
    share: float


@dataclass(frozen=True)
class OutputReport:
    """One file that a run wrote.

    Attributes:
        path: The file.
        dropped: Frames left out because the format can't show them so fast; no time is lost.
    """

    path: str
    dropped: int


@dataclass(frozen=True)
class RunReport:
    """A whole run, measured on the machine it ran on.

    Attributes:
        source: Name of the source.
        model: Name of the model.
        detector: Name of the hand detector, None when the model looked at a fixed region.
        backend: Back-end that ran it.
        basis: What the results and times are: a ``BASIS_`` constant of the runtime.
        frames: Frames processed.
        frames_with_hand: Frames in which a hand was found.
        detections: Frames in which the detector ran.
        tracks: Hands that were followed, each from where it was found until it was lost for long.
        total_s: From the first frame asked for until every output was whole.
        frames_per_s: ``frames / total_s``.
        stages: One entry per stage, in order. ``detect``, ``crop``, ``infer`` and ``joints`` of a
            run with a detector follow each other within one stage; ``detect`` counts only the
            frames in which it ran.
        outputs: Files written.
        warnings: What the reader has to know.
    """

    source: str
    model: str
    detector: Optional[str]
    backend: str
    basis: str
    frames: int
    frames_with_hand: int
    detections: int
    tracks: int
    total_s: float
    frames_per_s: float
    stages: Tuple[StageReport, ...]
    outputs: Tuple[OutputReport, ...]
    warnings: Tuple[str, ...]


def report_stages(times: Dict[str, StageTimes]) -> Tuple[StageReport, ...]:
    """Sum up the recorded times."""
    whole_ms = sum(item.total_ms for item in times.values()) or 1.0
    return tuple(
        StageReport(
            name=name,
            p50_ms=item.percentile_ms(50),
            p95_ms=item.percentile_ms(95),
            total_ms=item.total_ms,
            share=item.total_ms / whole_ms,
        )
        for name, item in times.items()
    )


def format_run_report(report: RunReport) -> str:
    """The report as a person reads it."""
    width = max(len(name) for name in ["stage", *(stage.name for stage in report.stages)]) + 2
    lines: List[str] = [
        f"{report.frames} frames in {report.total_s:.2f} s = {report.frames_per_s:.1f} frames/s "
        f"({_describe_times(report)})",
        f"a hand in {report.frames_with_hand} of {report.frames} frames" + _describe_tracks(report),
        "",
        f"{'stage':<{width}}{'p50 ms':>9}{'p95 ms':>9}{'share':>8}",
    ]
    lines += [
        f"{stage.name:<{width}}{stage.p50_ms:>9.2f}{stage.p95_ms:>9.2f}{stage.share:>8.0%}"
        for stage in report.stages
    ]
    return "\n".join(lines)


def _describe_times(report: RunReport) -> str:
    if report.basis == BASIS_SIMULATED:
        return f"{report.backend}: a simulated device on this machine, no figure of a board"
    return f"measured on this machine, {report.backend}"


def _describe_tracks(report: RunReport) -> str:
    if report.detector is None:
        return ""
    hands = "1 hand" if report.tracks == 1 else f"{report.tracks} hands"
    frames = "1 frame" if report.detections == 1 else f"{report.detections} frames"
    return f", {hands} followed, the detector ran in {frames}"
