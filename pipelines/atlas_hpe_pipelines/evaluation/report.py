"""Figures of an evaluation, as data and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.metrics import nme, pck, pck_curve
from atlas_hpe_pipelines.evaluation.results import HandResult
from atlas_hpe_pipelines.evaluation.traits import TRAIT_BINS
from atlas_hpe_runtime.session import BASIS_HOST, BASIS_SIMULATED

__all__ = [
    "CURVE_THRESHOLDS",
    "REPORT_VERSION",
    "EvaluationReport",
    "Figures",
    "TaskReport",
    "describe_evaluation",
    "evaluation_to_dict",
    "report_task",
    "sum_up",
]

#: Version of the JSON form.
REPORT_VERSION = 1
#: Where the PCK curve is measured, as shares of the hand's box.
CURVE_THRESHOLDS: Tuple[float, ...] = tuple(round(0.01 * step, 2) for step in range(51))


@dataclass(frozen=True)
class Figures:
    """What is said of one set of labelled hands. None where there is nothing to measure.

    Attributes:
        hands: Labelled hands.
        answered: Those that joints were found for.
        detection_rate: Share of the labelled hands that count as found.
        nme_mean: Mean over the answered hands of their NME.
        nme_median: Median of the same.
        pck_10: Share of the visible joints of all labelled hands within 0.1 of the box.
        pck_20: The same within 0.2.
        sided: Answered hands whose side is labelled and was named.
        side_accuracy: Share of those with the right side.
    """

    hands: int
    answered: int
    detection_rate: Optional[float]
    nme_mean: Optional[float]
    nme_median: Optional[float]
    pck_10: Optional[float]
    pck_20: Optional[float]
    sided: int
    side_accuracy: Optional[float]


@dataclass(frozen=True)
class TaskReport:
    """One way to ask the model.

    Attributes:
        what: In words.
        pictures: Pictures looked at; one that is turned counts at each turn.
        false_alarms: Found hands that are no labelled hand; None where it can't happen.
        ms_p50: Median time of an answer; the report's ``basis`` says what it is.
        ms_per: What an answer is about: ``"hand"`` or ``"picture"``.
        all: Figures over everything.
        groups: Collection -> figures.
        bins: Trait -> bin -> figures; bins without a hand are left out.
        curve: PCK at each of ``CURVE_THRESHOLDS``; empty without a hand.
    """

    what: str
    pictures: int
    false_alarms: Optional[int]
    ms_p50: Optional[float]
    ms_per: str
    all: Figures
    groups: Mapping[str, Figures]
    bins: Mapping[str, Mapping[str, Figures]]
    curve: Tuple[float, ...]


@dataclass(frozen=True)
class EvaluationReport:
    """The result of ``atlas-hpe evaluate``.

    Attributes:
        model: Name of the model.
        backend: Back-end that ran it.
        basis: What answers and times are: a ``BASIS_`` constant of the runtime.
        data: The index that was read.
        pictures: Pictures in it that were read.
        left_out: Labelled hands that can't be measured.
        turns_deg: Turns at which each picture was looked at.
        tasks: Name of the task -> its report.
    """

    model: str
    backend: str
    basis: str
    data: str
    pictures: int
    left_out: int
    turns_deg: Tuple[float, ...]
    tasks: Mapping[str, TaskReport]


def sum_up(hands: Sequence[HandResult]) -> Figures:
    """The figures of some hands."""
    means = [mean for mean in (nme(hand.errors) for hand in hands) if mean is not None]
    errors = np.array([hand.errors for hand in hands])
    agree = [
        hand.answer.side == hand.label.side
        for hand in hands
        if hand.answer.side is not None and hand.label.side is not None
    ]
    return Figures(
        hands=len(hands),
        answered=len(means),
        detection_rate=_mean([hand.answer.detected for hand in hands]),
        nme_mean=_mean(means),
        nme_median=float(np.median(means)) if means else None,
        pck_10=pck(errors, 0.1),
        pck_20=pck(errors, 0.2),
        sided=len(agree),
        side_accuracy=_mean(agree),
    )


def report_task(
    hands: Sequence[Tuple[str, HandResult]],
    *,
    what: str,
    pictures: int,
    false_alarms: Optional[int],
    times_ms: Sequence[float],
    ms_per: str,
) -> TaskReport:
    """Sum up one task.

    Args:
        hands: The group and the result of each labelled hand.
        what: The task in words.
        pictures: Pictures looked at.
        false_alarms: Found hands that are no labelled hand.
        times_ms: Time of each answer.
        ms_per: What an answer is about.
    """
    results = [hand for _, hand in hands]
    groups = sorted({group for group, _ in hands})
    bins: Dict[str, Dict[str, Figures]] = {}
    for trait, names in TRAIT_BINS.items():
        members = {name: [hand for hand in results if hand.traits[trait] == name] for name in names}
        bins[trait] = {name: sum_up(part) for name, part in members.items() if part}
    errors = np.array([hand.errors for hand in results])
    curve = pck_curve(errors, np.array(CURVE_THRESHOLDS)) if results else np.zeros(0)
    return TaskReport(
        what=what,
        pictures=pictures,
        false_alarms=false_alarms,
        ms_p50=float(np.median(times_ms)) if len(times_ms) else None,
        ms_per=ms_per,
        all=sum_up(results),
        groups={name: sum_up([hand for group, hand in hands if group == name]) for name in groups},
        bins=bins,
        curve=tuple(float(share) for share in curve),
    )


def _mean(values: Sequence[float]) -> Optional[float]:
    return float(np.mean(values)) if len(values) else None


def evaluation_to_dict(report: EvaluationReport) -> Dict[str, object]:
    """The JSON form, see ``docs/evaluate.md``."""
    return {"version": REPORT_VERSION, "curve_thresholds": CURVE_THRESHOLDS, **asdict(report)}


def describe_evaluation(report: EvaluationReport) -> List[str]:
    """The report as a person reads it, a line each."""
    lines: List[str] = []
    for name, task in report.tasks.items():
        lines += [f"{name}: {task.what}", *_describe_task(task, report.basis), ""]
    if report.left_out:
        lines.append(f"{report.left_out} labelled hands were left out: no two visible joints apart")
    return lines


def _describe_task(task: TaskReport, basis: str) -> List[str]:
    rows = {"all": task.all}
    if len(task.groups) > 1:
        rows.update(task.groups)
    for trait, bins in task.bins.items():
        rows.update({f"{trait}: {name}": figures for name, figures in bins.items()})
    width = max(len(name) for name in rows) + 2
    heads = ("hands", "found", "NME", "median", "PCK@.1", "PCK@.2", "side")
    lines = [" " * width + "".join(f"{head:>8}" for head in heads)]
    for name, item in rows.items():
        shares = (item.detection_rate, item.nme_mean, item.nme_median, item.pck_10, item.pck_20)
        cells = "".join(_cell(value) for value in (*shares, item.side_accuracy))
        lines.append(f"{name:<{width}}{item.hands:>8}{cells}")
    if task.false_alarms is not None:
        lines.append(f"{task.false_alarms} false alarms in {task.pictures} pictures")
    if task.ms_p50 is not None:
        lines.append(
            f"{task.ms_p50:.2f} ms per {task.ms_per} "
            f"(median, {_describe_times(basis)}, pictures decoded before)"
        )
    return lines


def _describe_times(basis: str) -> str:
    if basis == BASIS_SIMULATED:
        return "a simulated device on this host, no time of a board"
    return f"one thread, {basis}" if basis == BASIS_HOST else basis


def _cell(value: Optional[float]) -> str:
    return f"{'-':>8}" if value is None else f"{value:>8.3f}"
