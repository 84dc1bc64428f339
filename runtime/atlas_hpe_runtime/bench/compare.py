"""Two benches side by side, where that says something."""

from __future__ import annotations

from dataclasses import fields
from typing import List

from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.bench.feeds import FeedRange
from atlas_hpe_runtime.bench.report import BenchedModel, BenchReport, describe_basis
from atlas_hpe_runtime.session import BASIS_EMULATED, BASIS_SIMULATED

__all__ = ["check_comparable", "describe_comparison"]

_NOT_REAL = (BASIS_EMULATED, BASIS_SIMULATED)


def check_comparable(report: BenchReport, other: BenchReport) -> None:
    """Refuse two reports whose ratio says nothing.

    Raises:
        UsageError: They are of different models, of different batches, or one is simulated or
            emulated and the other is not.
    """
    if not _is_same_model(report.model, other.model):
        _refuse(
            "they are of different models: "
            f"{report.model.file} (SHA-256 {report.model.sha256[:12]}) and "
            f"{other.model.file} (SHA-256 {other.model.sha256[:12]})"
        )
    if report.frames_per_run != other.frames_per_run:
        _refuse(
            f"a run has {report.frames_per_run} frames in one and {other.frames_per_run} "
            "in the other"
        )
    if report.basis != other.basis and not {report.basis, other.basis}.isdisjoint(_NOT_REAL):
        _refuse(f"the times of one are '{report.basis}', of the other '{other.basis}'")


def _is_same_model(one: BenchedModel, other: BenchedModel) -> bool:
    """The same file, or files made from the same graph by their cards."""
    if one.sha256 == other.sha256:
        return True
    return one.graph_sha256 is not None and one.graph_sha256 == other.graph_sha256


def _refuse(why: str) -> None:
    raise UsageError(
        "the two benches can't be compared",
        where="--compare",
        why=why,
        fix="bench the same model with the same batch on both, and compare simulated figures "
        "with simulated ones only",
    )


def describe_comparison(report: BenchReport, other: BenchReport) -> List[str]:
    """Median times and rates side by side, the ratio being this one over the other.

    Raises:
        UsageError: As of ``check_comparable``.
    """
    check_comparable(report, other)
    lines = [f"this:  {describe_basis(report)}", f"other: {describe_basis(other)}"]
    lines += _describe_differences(report, other)
    for step, figures in report.times.items():
        if step in other.times:
            lines.append(_compare(f"{step} p50, ms", figures.p50, other.times[step].p50))
    for way, rate in report.frames_per_s.items():
        if way in other.frames_per_s:
            lines.append(_compare(f"frames/s {way}", rate, other.frames_per_s[way]))
    return lines


def _describe_differences(report: BenchReport, other: BenchReport) -> List[str]:
    """What was not the same, so that nobody takes the ratio for something else."""
    pairs = [
        (item.name, getattr(report.settings, item.name), getattr(other.settings, item.name))
        for item in fields(report.settings)
        if item.name not in ("backend", "batch")
    ]
    pairs += [("feeds", report.feeds, other.feeds), ("back-end", report.backend, other.backend)]
    return [
        f"not the same: {name}, {_shorten(mine)} here, {_shorten(theirs)} there"
        for name, mine, theirs in pairs
        if mine != theirs
    ]


def _shorten(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shorten(item) for item in value) or "none"
    if isinstance(value, FeedRange):
        return f"{value.name} {value.dtype} {list(value.shape)}"
    return str(value)


def _compare(name: str, mine: float, theirs: float) -> str:
    ratio = f"{mine / theirs:.2f}" if theirs > 0 else "-"
    return f"  {name:<24} {mine:>10.3f} {theirs:>10.3f}   ratio {ratio}"
