"""``atlas-hpe train``: train the project's own networks."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("train")
def command() -> None:
    """Train the networks of this toolkit."""


@command.command("hand-landmark")
@click.option("--data", type=_FOLDER, required=True, help="Folder with crops.json and its kin.")
@click.option("--out", type=_FOLDER, required=True, help="Folder for weights and curves.")
@click.option("--minutes", type=float, help="End after this much training time.")
@click.option("--epochs", type=int, help="End after this many passes over the data.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides everything random.")
@click.option("--resume", is_flag=True, help="Continue the run in --out exactly.")
@click.option("--drawn", type=int, default=4000, show_default=True, help="Number of drawn hands.")
@click.option("--leave-out", multiple=True, metavar="SOURCE", help="Source to test on; may repeat.")
@click.option("--batch-size", type=int, default=64, show_default=True, help="Pictures per step.")
@click.option("--threads", type=int, default=2, show_default=True, help="Shards per batch.")
@click.option("--bfloat16/--float32", default=False, help="Arithmetic of the trunk.")
@click.option("--force", is_flag=True, help="Start anew in a folder that holds a run.")
@json_option
def _train_hand_landmark(
    data: Path,
    out: Path,
    minutes: Optional[float],
    epochs: Optional[int],
    seed: int,
    resume: bool,
    drawn: int,
    leave_out: Tuple[str, ...],
    batch_size: int,
    threads: int,
    bfloat16: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Train the network behind the default model on labelled hand crops."""
    from atlas_hpe.learn import load_hand_landmark_trainer

    trainer = load_hand_landmark_trainer()
    plan = trainer.TrainingPlan(
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        batch_size=batch_size,
        threads=threads,
        bfloat16=bfloat16,
    )
    report = trainer.train_default_model(
        data, out, plan, resume=resume, force=force, drawn=drawn, leave_out=leave_out
    )
    for line in report.lines():
        say(line)
    say_next("atlas-hpe", "export", report.weights, "--arch", "hand_landmark")
    if as_json:
        emit_json(report.as_dict())
