"""From a data folder to trained weights and their recipe: what `atlas-hpe train` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional, Sequence

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.learn.loop import TrainingReport, train
from atlas_hpe.learn.machine import describe_machine, open_fabric
from atlas_hpe.learn.plan import TrainingPlan, check_plan
from atlas_hpe.learn.recipe import Recipe, check_same_data, read_recipe, record_data, write_recipe
from atlas_hpe.learn.state import CHECKPOINT_NAME
from atlas_hpe.learn.task import TrainingTask

__all__ = ["CHECKPOINT_NAME", "TrainingPlan", "follow_recipe", "start_training"]


def _load_task(
    network: str, data: Path, cache: Path, *, drawn: int, seed: int, leave_out: Sequence[str]
) -> TrainingTask:
    if network == "hand_landmark":
        from atlas_hpe.learn.landmark.task import load_task as load_landmark

        return load_landmark(data, cache, drawn=drawn, seed=seed, leave_out=leave_out)
    from atlas_hpe.learn.detector.task import load_task as load_detector

    return load_detector(data, cache, drawn=drawn, seed=seed, leave_out=leave_out)


def start_training(
    network: str,
    data: Path,
    out: Path,
    plan: TrainingPlan,
    *,
    drawn: int = 4000,
    leave_out: Sequence[str] = (),
    resume: bool = False,
    force: bool = False,
    start_from: Optional[Path] = None,
) -> Optional[TrainingReport]:
    """Train one of the project's networks on the labelled set in `data` and on drawn hands.

    Args:
        network: "hand_landmark" or "hand_detector".
        data: folder with crops.json and its kin.
        out: folder for weights, curves, contact sheet, recipe and caches.
        plan: options of the loop.
        drawn: number of drawn hands.
        leave_out: sources to keep out of training and to measure on.
        resume: continue the run in `out`.
        force: start anew in a folder that holds a run.
        start_from: weights to start from.

    Returns:
        The report; None in all processes but the first.

    Raises:
        OutputError: `out` holds a run and neither `resume` nor `force` was given.
        InputError, UsageError, CheckpointError, CheckFailedError: see the functions called.
    """
    check_plan(plan)
    if drawn < 0:
        raise UsageError("a number of hands is not negative", where="--drawn", fix="give 0 or more")
    if (out / CHECKPOINT_NAME).exists() and not (resume or force):
        raise OutputError(
            "the folder holds a training run already",
            where=out,
            fix="add --resume to continue it, --force to start anew, or name another folder",
        )
    record = record_data(data, left_out=leave_out, drawn=drawn)
    fabric = open_fabric(plan.precision)
    # The first process fills the caches, the others read them.
    with fabric.rank_zero_first():
        task = _load_task(network, data, out, drawn=drawn, seed=plan.seed, leave_out=leave_out)
    report = train(task, plan, out, resume=resume, start_from=start_from, fabric=fabric)
    if not fabric.is_global_zero:
        return None
    # The form that runs again anywhere: a clock does not give the same steps on another machine.
    plan = replace(plan, steps=report.steps, epochs=None, minutes=None)
    done = {**report.as_dict(), "weights": report.weights.name, "machine": describe_machine(fabric)}
    write_recipe(out, Recipe(network, plan, record, report.started_from), done)
    return report


def follow_recipe(
    network: str,
    recipe: Path,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    start_from: Optional[Path] = None,
) -> Optional[TrainingReport]:
    """Train again as `recipe` says; `start_from` are the weights that it started from, if any.

    Raises:
        InputError: the recipe can't be read, is of another network, or was made from other data.
        UsageError, OutputError, CheckpointError, CheckFailedError: as `start_training`.
    """
    wanted = read_recipe(recipe)
    if wanted.network != network:
        raise UsageError(
            f"the recipe is of the network '{wanted.network}'",
            where=recipe,
            fix=f"atlas-hpe train {wanted.network.replace('_', '-')}",
        )
    given = "" if start_from is None else sha256_of(start_from)
    if given != wanted.started_from and not resume:
        raise UsageError(
            "the recipe starts from other weights",
            where="--start-from",
            why=f"their sha256 is {wanted.started_from or 'none: it starts from fresh weights'}",
            fix="give those weights, or none where it has none",
        )
    left_out, drawn = wanted.data.left_out, wanted.data.drawn
    check_same_data(wanted, record_data(data, left_out=left_out, drawn=drawn))
    return start_training(
        network,
        data,
        out,
        wanted.plan,
        drawn=drawn,
        leave_out=left_out,
        resume=resume,
        force=force,
        start_from=start_from,
    )
