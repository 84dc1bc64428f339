"""What a run has to say about itself, at its end or while it goes on."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import List, Mapping, Optional, Tuple

from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_runtime.session import BASIS_SIMULATED

__all__ = ["OutputReport", "RunReport", "StageReport", "format_run_report", "report_stages"]


@dataclass(frozen=True)
class StageReport:
    """One stage of a run, or one step within a stage.

    Attributes:
        name: Stage or step.
        p50_ms: Median time per frame, within 1 %.
        p95_ms: Time that 95 % of the frames stayed below, within 1 %.
        total_ms: Sum over all frames.
        share: Part of the time of all stages together, in [0, 1]. Stages overlap, so the sum of
            their times is more than the run took.
        count: Frames it worked on.
        recent_ms: Median time of the last frames, for a live chart.
        queue_mean: Frames that waited in front of the stage on average, counted when it takes one.
        queue_most: Frames that waited at most.
        drops: Frames left out here: by a live source that was not waited for, by an output that
            can't show them so fast.
        within: Stage that this is a step of, None for a stage. A step has no queue, and its share
            is part of its stage's.
    """

    name: str
    p50_ms: float
    p95_ms: float
    total_ms: float
    share: float
    count: int = 0
    recent_ms: float = 0.0
    queue_mean: float = 0.0
    queue_most: int = 0
    drops: int = 0
    within: Optional[str] = None


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
        stages: One entry per stage, in order, each followed by its steps. ``detect`` counts only
            the frames in which the detector ran.
        outputs: Files written.
        warnings: What the reader has to know.
        dropped: Frames of a live source that were not waited for.
        smoothing_lag_ms: Time by which smoothing makes joints late, None without smoothing.
        fallback: Why frames are not decoded and cropped by the device, None when they are or when
            nobody asked for it.
        device: What the device cropped of the frames that it decoded, and what it left to the host;
            None where the host decodes.
        interrupted: Whether the run was ended before its source was.
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
    dropped: int = 0
    smoothing_lag_ms: Optional[float] = None
    fallback: Optional[str] = None
    device: Optional[str] = None
    interrupted: bool = False


def report_stages(
    times: Mapping[str, StageTimes],
    steps: Optional[Mapping[str, Mapping[str, StageTimes]]] = None,
    drops: Optional[Mapping[str, int]] = None,
) -> Tuple[StageReport, ...]:
    """Sum up what was recorded, now; the run may go on meanwhile.

    Args:
        times: Each stage's times, in order.
        steps: Times of the steps that some of the stages consist of, by the stage's name.
        drops: Frames that stages left out, by the stage's name; 0 for those that are not named.
    """
    times = dict(times)  # a run that begins adds to it
    whole_ms = sum(item.total_ms for item in times.values()) or 1.0
    reports: List[StageReport] = []
    for name, item in times.items():
        reports.append(_report_stage(name, item, whole_ms, (drops or {}).get(name, 0)))
        for step, step_item in (steps or {}).get(name, {}).items():
            reports.append(_report_stage(step, step_item, whole_ms, within=name))
    return tuple(reports)


def _report_stage(
    name: str, item: StageTimes, whole_ms: float, drops: int = 0, within: Optional[str] = None
) -> StageReport:
    return StageReport(
        name=name,
        p50_ms=item.percentile_ms(50),
        p95_ms=item.percentile_ms(95),
        total_ms=item.total_ms,
        share=item.total_ms / whole_ms,
        count=item.count,
        recent_ms=statistics.median(item.recent_ms or (0.0,)),
        queue_mean=item.queue_mean,
        queue_most=item.queue_most,
        drops=drops,
        within=within,
    )


def format_run_report(report: RunReport) -> str:
    """The report as a person reads it."""
    lines: List[str] = [
        f"{_count(report.frames, 'frame')} in {report.total_s:.2f} s = "
        f"{report.frames_per_s:.1f} frames/s "
        f"({_describe_times(report)})",
        f"a hand in {report.frames_with_hand} of {report.frames} frames" + _describe_tracks(report),
    ]
    if report.dropped:
        lines.append(f"{_count(report.dropped, 'frame')} of the source dropped, to keep up with it")
    if report.smoothing_lag_ms is not None:
        lines.append(f"smoothing makes joints {report.smoothing_lag_ms:.0f} ms late")
    if report.fallback is not None:
        lines.append(f"decoded and cropped on the host: {report.fallback}")
    if report.device is not None:
        lines.append(f"decoded by the device; {report.device}")
    return "\n".join([*lines, "", *_format_stages(report.stages)])


def _format_stages(stages: Tuple[StageReport, ...]) -> List[str]:
    names = [("  " if stage.within else "") + stage.name for stage in stages]
    width = max(len(name) for name in ["stage", *names]) + 2
    head = f"{'stage':<{width}}{'p50 ms':>9}{'p95 ms':>9}{'share':>8}"
    lines = [head + f"{'queue':>8}{'most':>6}{'drops':>7}"]
    for name, stage in zip(names, stages):
        times = f"{name:<{width}}{stage.p50_ms:>9.2f}{stage.p95_ms:>9.2f}{stage.share:>8.0%}"
        queue = f"{stage.queue_mean:>8.1f}{stage.queue_most:>6}{stage.drops:>7}"
        lines.append(times if stage.within else times + queue)
    return lines


def _describe_times(report: RunReport) -> str:
    if report.basis == BASIS_SIMULATED:
        return f"{report.backend}: a simulated device on this machine, no figure of a board"
    return f"measured on this machine, {report.backend}"


def _describe_tracks(report: RunReport) -> str:
    if report.detector is None:
        return ""
    hands, frames = _count(report.tracks, "hand"), _count(report.detections, "frame")
    return f", {hands} followed, the detector ran in {frames}"


def _count(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
