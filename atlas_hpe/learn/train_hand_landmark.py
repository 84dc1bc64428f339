"""The training loop of the default hand-landmark network.

Everything random follows from (seed, step), so a resumed run continues exactly where it stopped. A
run ends after a number of epochs or after a number of minutes; with minutes the cosine follows the
clock, so the run ends on time on any machine.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, TextIO

import cv2
import torch

from atlas_hpe.errors import OutputError
from atlas_hpe.learn.landmark.batches import Mixture, make_batch, prefetch_batches
from atlas_hpe.learn.curves import Curves
from atlas_hpe.learn.data.hand_images import HandImage
from atlas_hpe.learn.landmark.data import load_training_data
from atlas_hpe.learn.landmark.loss import LandmarkLoss
from atlas_hpe.learn.landmark.metrics import (
    Quality,
    by_source,
    measure,
    predict_hands,
    run_network,
)
from atlas_hpe.learn.landmark_run import (
    CHECKPOINT_NAME,
    WEIGHTS_NAME,
    Run,
    TrainingPlan,
    check_plan,
    progress_of,
    resume_run,
    save_run,
    start_run,
)
from atlas_hpe.learn.landmark_step import train_step
from atlas_hpe.learn.pictures import contact_sheet
from atlas_hpe.learn.schedule import learning_rate
from atlas_hpe.learn.shards import Shards
from atlas_hpe.nets.hand_landmark import HandLandmark

__all__ = ["TrainingPlan", "TrainingReport", "train_default_model", "train_hand_landmark"]

# Steps are counted from 0, so no training batch ever has this number.
_SHEET_STEP = 987654321
_SHEET_PICTURES = 72


@dataclass(frozen=True)
class TrainingReport:
    """What a run ended with.

    Attributes:
        steps: optimiser steps over all resumes.
        pictures: augmented pictures seen.
        seconds: training time over all resumes.
        held_out: figures on the held-out crops per source.
        weights: the averaged weights, a plain state dict.
    """

    steps: int
    pictures: int
    seconds: float
    held_out: Dict[str, Quality]
    weights: Path

    def lines(self) -> List[str]:
        """The report for a person."""
        done = f"{self.steps} steps, {self.pictures} pictures, {self.seconds / 60:.1f} minutes"
        rows = [
            f"  {source:<12}{100 * quality.nme:6.2f} % NME over {quality.count} held-out crops"
            for source, quality in self.held_out.items()
        ]
        return [f"trained: {done}", *rows, f"weights: {self.weights}"]

    def as_dict(self) -> Dict[str, object]:
        """The report for a program."""
        return {
            "steps": self.steps,
            "pictures": self.pictures,
            "seconds": round(self.seconds, 1),
            "held_out_nme": {source: quality.nme for source, quality in self.held_out.items()},
            "weights": str(self.weights),
        }


@dataclass
class _Meter:
    """Mean loss terms and speed since the last report."""

    began: float
    count: int = 0
    sums: Dict[str, float] = field(default_factory=dict)

    def add(self, loss: LandmarkLoss) -> None:
        self.count += 1
        for name, value in loss._asdict().items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)

    def row(self, run: Run, plan: TrainingPlan, rate: float, now: float) -> Dict[str, float]:
        speed = self.count * plan.batch_size / max(1e-9, now - self.began)
        row = {"step": float(run.step), "minutes": round(run.seconds / 60, 3)}
        row.update(rate=rate, pictures_per_s=round(speed, 1))
        row.update({name: round(value / self.count, 6) for name, value in self.sums.items()})
        return row


def train_hand_landmark(
    mixture: Mixture,
    held_out: Sequence[HandImage],
    plan: TrainingPlan,
    folder: Path,
    *,
    resume: bool = False,
    model: Optional[HandLandmark] = None,
    live: TextIO = sys.stderr,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingReport:
    """Train until the plan's end; write checkpoint, weights, curves and contact sheet to `folder`.

    Args:
        mixture: what to train on.
        held_out: crops that are only measured.
        plan: options.
        folder: made when missing.
        resume: continue the run that `folder` holds.
        model: a network to train instead of the full-sized one.
        live: where the progress line goes.
        clock: seconds that never run backwards.

    Raises:
        UsageError: an impossible plan.
        CheckpointError: nothing to resume.
    """
    check_plan(plan)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    run = start_run(plan, model)
    if resume:
        resume_run(run, plan, folder)
    _loop(run, mixture, held_out, plan, folder, live, clock)
    save_run(run, plan, folder)
    _write_sheet(run.average.model, mixture, folder / "predictions.png")
    quality: Dict[str, Quality] = {}
    if held_out:
        quality = by_source(predict_hands(run.average.model, held_out, mixture.size_px))
    pictures = run.step * plan.batch_size
    return TrainingReport(run.step, pictures, run.seconds, quality, folder / WEIGHTS_NAME)


def train_default_model(
    data: Path,
    folder: Path,
    plan: TrainingPlan,
    *,
    resume: bool = False,
    force: bool = False,
    drawn: int = 4000,
    leave_out: Sequence[str] = (),
) -> TrainingReport:
    """Train on the pseudo-labelled set in `data` and on drawn hands.

    Raises:
        OutputError: `folder` holds a run and neither `resume` nor `force` was given.
        InputError, UsageError, CheckpointError: see the functions called.
    """
    check_plan(plan)
    if (folder / CHECKPOINT_NAME).exists() and not (resume or force):
        raise OutputError(
            "the folder holds a training run already",
            where=folder,
            fix="add --resume to continue it, --force to start anew, or name another folder",
        )
    sets = load_training_data(data, folder, drawn=drawn, seed=plan.seed, leave_out=leave_out)
    return train_hand_landmark(sets.mixture, sets.held_out, plan, folder, resume=resume)


def _loop(
    run: Run,
    mixture: Mixture,
    held_out: Sequence[HandImage],
    plan: TrainingPlan,
    folder: Path,
    live: TextIO,
    clock: Callable[[], float],
) -> None:
    per_epoch = sum(len(pool.hands) for pool in mixture.pools)
    curves = Curves(folder, run.step)
    began, before = clock(), run.seconds
    saved, meter = began, _Meter(began)
    shards = Shards(run.model, plan.threads)
    batches = prefetch_batches(mixture, plan.seed, run.step, plan.batch_size)
    try:
        while progress_of(run, plan, per_epoch) < 1.0:
            progress = progress_of(run, plan, per_epoch)
            rate = learning_rate(progress, run.step, plan.peak_rate, plan.warm_up_steps)
            meter.add(train_step(run, shards, next(batches), plan, rate))
            run.seconds = before + clock() - began
            if run.step % plan.report_steps == 0:
                row = meter.row(run, plan, rate, clock())
                row.update(_held_out_figures(run.average.model, held_out, mixture.size_px))
                curves.add(row)
                _show(live, progress, row)
                meter = _Meter(clock())
            if clock() - saved > plan.save_seconds:
                save_run(run, plan, folder)
                saved = clock()
    finally:
        batches.close()
        shards.close()
    if live.isatty():
        live.write("\n")


def _held_out_figures(
    model: HandLandmark, held_out: Sequence[HandImage], size_px: int
) -> Dict[str, float]:
    if not held_out:
        return {"nme_held_out": float("nan"), "pck10_held_out": float("nan")}
    quality = measure(predict_hands(model, held_out, size_px))
    return {"nme_held_out": round(quality.nme, 6), "pck10_held_out": round(quality.pck10, 6)}


def _show(live: TextIO, progress: float, row: Dict[str, float]) -> None:
    # One line that rewrites itself on a terminal; one line per report in a log file.
    end = "\r" if live.isatty() else "\n"
    live.write(
        f"{100 * progress:5.1f} %  step {row['step']:.0f}  loss {row['total']:.4f}"
        f"  joints {row['joints']:.4f}  held-out NME {100 * row['nme_held_out']:.2f} %"
        f"  {row['pictures_per_s']:.0f} pictures/s{end}"
    )
    live.flush()


def _write_sheet(model: HandLandmark, mixture: Mixture, path: Path) -> None:
    batch = make_batch(mixture, 0, _SHEET_STEP, _SHEET_PICTURES)
    joints, score, presence, right = run_network(model, batch.images)
    captions = [f"hand {p:.2f} right {r:.2f}" for p, r in zip(presence[:, 0], right[:, 0])]
    cv2.imwrite(str(path), contact_sheet(batch.images, joints, score, captions))
