"""``atlas-hpe evaluate``: a model against labels."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say

if TYPE_CHECKING:
    from atlas_hpe_pipelines.evaluation import EvaluationOptions
    from atlas_hpe_pipelines.evaluation.labels import LabelledPicture

__all__ = ["command"]


@click.command("evaluate")
@click.argument("model", required=False)
@click.option(
    "--data", required=True, metavar="DIR_OR_JSON", help="Labels: docs/evaluate.md has the layout."
)
@click.option(
    "--task",
    type=click.Choice(["landmark", "pipeline", "both"]),
    help="The labelled box given, or nothing given; default: all that is possible.",
)
@click.option(
    "--box-scale",
    type=float,
    default=1.4,
    show_default=True,
    help="Landmark: first crop over the labelled box.",
)
@click.option(
    "--passes",
    type=click.Choice(["auto", "1", "2"]),
    default="auto",
    show_default=True,
    help="Landmark: looks at each hand; auto: as the pipeline looks at a new hand.",
)
@click.option("--detector", metavar="FILE", help="Pipeline: detector; default: the one shipped.")
@click.option(
    "--hands",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Pipeline: most hands in a picture.",
)
@click.option(
    "--rotation",
    default="0",
    show_default=True,
    metavar="DEG|circle",
    help="Turn every picture clockwise by DEG; circle: eight turns.",
)
@click.option("--backend", default="auto", show_default=True, help="Back-end of the runtime.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pictures.")
@click.option("--out", metavar="FOLDER", help="Write curve.png, worst.png and report.json.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
def command(
    model: Optional[str], data: str, out: Optional[str], force: bool, as_json: bool, **asked: object
) -> None:
    """Hold the joints of MODEL (default: the one shipped) against the labels of photographs.

    NME is the mean distance over the longer side of the labelled joints' box, PCK@t the share of
    joints within t of it, found the share of labelled hands that were found.
    """
    from atlas_hpe_pipelines.evaluation import (
        check_evaluation_folder,
        describe_evaluation,
        evaluate,
        evaluation_to_dict,
        write_evaluation,
    )

    options = _read_options(**asked)  # type: ignore[arg-type]
    if out is not None:
        check_evaluation_folder(out, force=force)
    found = evaluate(data, model, options, watch=_show_progress)
    report = found.report
    say(f"model {report.model} ({report.backend}), {report.pictures} pictures of {report.data}")
    for line in describe_evaluation(report):
        say(line)
    if out is not None:
        for path in write_evaluation(found, out, force=force):
            say(f"wrote {path}")
    if as_json:
        emit_json(evaluation_to_dict(report))


def _read_options(
    task: Optional[str],
    box_scale: float,
    passes: str,
    detector: Optional[str],
    hands: int,
    rotation: str,
    backend: str,
    limit: Optional[int],
) -> EvaluationOptions:
    from atlas_hpe_pipelines.evaluation import LANDMARK, PIPELINE, EvaluationOptions

    tasks = {None: None, "both": (LANDMARK, PIPELINE)}.get(task, (task,))
    return EvaluationOptions(
        tasks=tasks,  # type: ignore[arg-type]
        box_scale=box_scale,
        passes=None if passes == "auto" else int(passes),
        turns_deg=_read_turns(rotation),
        detector=detector,
        max_hands=hands,
        backend=backend,
        limit=limit,
    )


def _read_turns(text: str) -> Tuple[float, ...]:
    from atlas_hpe.errors import UsageError
    from atlas_hpe_pipelines.evaluation import CIRCLE_DEG

    if text == "circle":
        return CIRCLE_DEG
    try:
        turn_deg = float(text)
    except ValueError:
        turn_deg = float("nan")
    if not abs(turn_deg) <= 360:
        raise UsageError(
            f"'{text}' is no turn",
            where="--rotation",
            fix="give degrees from -360 to 360, or circle",
        )
    return (turn_deg,)


def _show_progress(pictures: List[LabelledPicture]) -> Iterator[LabelledPicture]:
    """A bar on a terminal only; click 8.1, the last for Python 3.9, can't hide one."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from pictures
        return
    with click.progressbar(pictures, label="pictures", file=sys.stderr) as progress:
        yield from progress
