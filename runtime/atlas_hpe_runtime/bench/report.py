"""What a bench found: every figure with what it is and what it was taken on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe_runtime.bench.feeds import FeedRange
from atlas_hpe_runtime.bench.machine import Machine
from atlas_hpe_runtime.session import BASIS_BOARD, BASIS_EMULATED, BASIS_SIMULATED

__all__ = [
    "BENCH_VERSION",
    "BenchReport",
    "BenchSettings",
    "BenchedModel",
    "Figures",
    "bench_to_dict",
    "describe_basis",
    "describe_bench",
    "summarise",
]

#: Version of the JSON form. A reader accepts exactly this one.
BENCH_VERSION = 1


@dataclass(frozen=True)
class BenchSettings:
    """What a bench is asked to do.

    Attributes:
        backend: Name of a back-end, or ``"auto"``.
        device: Number of the device.
        threads: Processor threads that compute one run, None as the back-end likes.
        warm_up: Runs of each session before any is counted.
        loops: Runs that are counted, of each caller.
        loads: Times that the model is loaded for the figure of the load.
        callers: Threads that run the model at once, each with a session of its own.
        in_flight: Runs that a caller has submitted before it takes the first result.
        batch: Batch of a model with an open one, None for the card's, or 1.
        half: Emulate the half precision of the board (onnxruntime).
        providers: Where ONNX Runtime computes.
    """

    backend: str = "auto"
    device: int = 0
    threads: Optional[int] = None
    warm_up: int = 10
    loops: int = 100
    loads: int = 5
    callers: int = 1
    in_flight: int = 1
    batch: Optional[int] = None
    half: bool = False
    providers: Tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchedModel:
    """Which model it was.

    Attributes:
        file: Name of the file.
        sha256: Hash of the file.
        graph_sha256: Hash of the graph that it was made from, by its card; the same for an .onnx
            and the .om compiled from it.
    """

    file: str
    sha256: str
    graph_sha256: Optional[str] = None


@dataclass(frozen=True)
class Figures:
    """Percentiles of one step, in milliseconds.

    Attributes:
        samples: How many times were measured.
        p50: Half of them took at most this.
        p90: Nine of ten took at most this.
        p99: 99 of 100 took at most this.
    """

    samples: int
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class BenchReport:
    """A whole bench.

    Attributes:
        model: Which model it was.
        backend: Back-end that ran it.
        basis: What the times are: one of the ``BASIS_`` constants of the session.
        settings: What was asked.
        frames_per_run: Pictures in one run.
        feeds: What the inputs got.
        machine: Where it ran.
        times: Step -> its figures. ``load``, ``copy in``, ``execute``, ``copy out`` and
            ``end to end`` are of one caller that waits for every run; ``overlapped`` is from
            submitting a run to having its result while others are on their way.
        frames_per_s: ``one by one`` and, where asked for, ``overlapped``.
        bench_version: Version of the JSON form.
    """

    model: BenchedModel
    backend: str
    basis: str
    settings: BenchSettings
    frames_per_run: int
    feeds: Tuple[FeedRange, ...]
    machine: Machine
    times: Mapping[str, Figures] = field(default_factory=dict)
    frames_per_s: Mapping[str, float] = field(default_factory=dict)
    bench_version: int = BENCH_VERSION


def summarise(times_ms: Sequence[float]) -> Figures:
    """Percentiles of a list of times; each is a time that was measured, the nearest above."""
    ordered = np.sort(np.asarray(times_ms, np.float64))
    # Nearest rank: no line is drawn between two samples of a distribution nobody knows.
    ranks = [int(np.ceil(share * len(ordered))) - 1 for share in (0.5, 0.9, 0.99)]
    return Figures(len(ordered), *(float(ordered[rank]) for rank in ranks))


def bench_to_dict(report: BenchReport) -> Dict[str, object]:
    """The JSON form."""
    return asdict(report)


def describe_basis(report: BenchReport) -> str:
    """What the figures are and where they come from, for the end of a line."""
    where = f"{report.backend} on {report.machine.processor}"
    if report.basis == BASIS_SIMULATED:
        return f"simulated, no board ran: time of {where}, says nothing of a device"
    if report.basis == BASIS_BOARD:
        return f"{report.basis}, called from {report.machine.processor}"
    if report.basis == BASIS_EMULATED:
        return f"{report.basis}: time of the emulation by {where}"
    return f"{report.basis}, {where}"


def describe_bench(report: BenchReport) -> List[str]:
    """The report for people, a figure per line, each with what it is."""
    settings, basis = report.settings, describe_basis(report)
    simulated = "simulated " if report.basis == BASIS_SIMULATED else ""
    overlap = f"{_count(settings.callers, 'caller')}, {settings.in_flight} in flight"
    lines = [
        f"model {report.model.file}, {_count(settings.loops, 'run')} of "
        f"{_count(report.frames_per_run, 'frame')} after {settings.warm_up} to warm up"
    ]
    for step, figures in report.times.items():
        name = f"{step} ({overlap})" if step == "overlapped" else step
        lines.append(
            f"  {simulated + name:<24} p50 {figures.p50:.3f}  p90 {figures.p90:.3f}  "
            f"p99 {figures.p99:.3f} ms of {figures.samples} ({basis})"
        )
    for way, rate in report.frames_per_s.items():
        name = f"{way}, {overlap}" if way == "overlapped" else way
        lines.append(f"  {simulated}{rate:.1f} frames/s {name} ({basis})")
    return lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
