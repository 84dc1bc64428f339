"""``atlas-hpe train``: train the project's own networks."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Callable, Dict, Optional, Sequence, Tuple, TypeVar

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

if TYPE_CHECKING:
    from atlas_hpe.learn.loop import TrainingReport

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., object])

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)

# What a recipe decides: giving it twice is a contradiction.
_IN_RECIPE = (
    "steps",
    "epochs",
    "minutes",
    "seed",
    "drawn",
    "leave_out",
    "batch_size",
    "precision",
    "workers",
)

_OPTIONS = (
    click.option("--data", type=_FOLDER, required=True, help="Folder with crops.json and its kin."),
    click.option("--out", type=_FOLDER, required=True, help="Folder for weights and curves."),
    click.option("--steps", type=int, help="End after this many batches."),
    click.option("--epochs", type=int, help="End after this many passes over the data."),
    click.option("--minutes", type=float, help="End after this much training time."),
    click.option("--seed", type=int, default=0, show_default=True, help="Decides all chance."),
    click.option("--resume", is_flag=True, help="Continue the run in --out exactly."),
    click.option("--force", is_flag=True, help="Start anew in a folder that holds a run."),
    click.option("--drawn", type=int, default=4000, show_default=True, help="Drawn hands."),
    click.option(
        "--leave-out", multiple=True, metavar="SOURCE", help="Source to measure on; may repeat."
    ),
    click.option("--batch-size", type=int, default=64, show_default=True, help="Pictures a step."),
    click.option(
        "--precision",
        type=click.Choice(("auto", "float32", "bf16")),
        default="auto",
        show_default=True,
        help="Arithmetic; auto is bf16 where the machine has it.",
    ),
    click.option(
        "--workers", type=int, default=1, show_default=True, help="Processes that make pictures."
    ),
    click.option("--start-from", type=_FILE, metavar="FILE", help="Weights to start from."),
    click.option("--recipe", type=_FILE, metavar="FILE", help="Train again as a recipe.json says."),
    json_option,
)


def _training_options(function: F) -> F:
    """Add what every network's training takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group("train")
def command() -> None:
    """Train the networks of this toolkit.

    On several GPUs or processor cores: torchrun --nproc-per-node N -m atlas_hpe train ...
    """


@command.command("hand-landmark")
@_training_options
def _train_hand_landmark(**options: object) -> None:
    """Train the network that finds 21 joints in a crop around a hand."""
    click.get_current_context().invoke(_train, network="hand_landmark", **options)


@command.command("hand-detector")
@_training_options
def _train_hand_detector(**options: object) -> None:
    """Train the network that finds hands in a whole picture."""
    click.get_current_context().invoke(_train, network="hand_detector", **options)


def _train(network: str, out: Path, as_json: bool, **options: object) -> None:
    if options["recipe"] is not None:
        _check_alone(click.get_current_context())
    from atlas_hpe.learn import load_trainer

    trainer = load_trainer()
    try:
        report = _start(trainer, network, out, **options)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        if (out / trainer.CHECKPOINT_NAME).exists():
            say("stopped; the same command with --resume goes on from the checkpoint")
        raise
    if report is None:  # all processes but the first
        return
    for line in report.lines():
        say(line)
    say_next("atlas-hpe", "export", report.weights, "--arch", network)
    if as_json:
        emit_json(report.as_dict())


def _start(
    trainer: ModuleType,
    network: str,
    out: Path,
    *,
    data: Path,
    recipe: Optional[Path],
    drawn: int,
    leave_out: Tuple[str, ...],
    resume: bool,
    force: bool,
    start_from: Optional[Path],
    **plan: object,
) -> Optional[TrainingReport]:
    how: Dict[str, object] = {"resume": resume, "force": force, "start_from": start_from}
    report: Optional[TrainingReport]
    if recipe is not None:
        report = trainer.follow_recipe(network, recipe, data, out, **how)
    else:
        report = trainer.start_training(
            network,
            data,
            out,
            trainer.TrainingPlan(**plan),
            drawn=drawn,
            leave_out=leave_out,
            **how,
        )
    return report


def _check_alone(context: click.Context) -> None:
    """Refuse options that the recipe decides.

    Raises:
        UsageError: one was given.
    """
    from atlas_hpe.errors import UsageError

    given: Sequence[str] = [
        name
        for name in _IN_RECIPE
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise UsageError(
            f"{option} and --recipe contradict each other",
            why="the recipe says how to train",
            fix=f"leave {option} out, or give all options without a recipe",
        )
