"""``atlas-hpe run``: video -> hand poses -> files."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say

if TYPE_CHECKING:
    from atlas_hpe_pipelines import Pipeline, RunReport

__all__ = ["command"]


@click.command("run")
@click.argument("source")
@click.option("--model", metavar="FILE", help="Model with a card; default: the one shipped.")
@click.option(
    "--hands", default=2, show_default=True, type=click.IntRange(min=1), help="Most hands at once."
)
@click.option(
    "--detector",
    default="auto",
    metavar="FILE",
    help="Hand detector with a card, or none; default: the one shipped, for models that take a "
    "crop of a hand.",
)
@click.option("--box", metavar="X,Y,W,H", help="The hand's box in source pixels, in every frame.")
@click.option("--full-frame", is_flag=True, help="Look at the whole frame; no detector.")
@click.option(
    "--out",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Output, kind by suffix: .gif, .mp4 or .jsonl; may repeat.",
)
@click.option("--force", is_flag=True, help="Replace outputs that exist.")
@click.option(
    "--max-width-px", type=click.IntRange(min=1), metavar="N", help="Shrink wider pictures to this."
)
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Where the models run: onnxruntime (.onnx, this machine), acl (.om, an Ascend device), "
    "simulator (.onnx or a simulated model, a simulated device); auto goes by the file's name.",
)
@json_option
def command(
    source: str,
    model: Optional[str],
    hands: int,
    detector: str,
    box: Optional[str],
    full_frame: bool,
    out: Tuple[str, ...],
    force: bool,
    max_width_px: Optional[int],
    backend: str,
    as_json: bool,
) -> None:
    """Find the hands in every frame of the video SOURCE and write what was found.

    Prints frames, total time, frames/s and the time of each stage, measured on this machine.
    """
    from atlas_hpe.errors import UsageError
    from atlas_hpe.geometry import parse_box
    from atlas_hpe_pipelines import Pipeline
    from atlas_hpe_runtime.session import BASIS_SIMULATED

    if box is not None and full_frame:
        raise UsageError("--box and --full-frame contradict each other", fix="give one of them")
    if full_frame and detector not in ("auto", "none"):
        raise UsageError("--detector and --full-frame contradict each other", fix="give one")
    pipeline = Pipeline(
        source,
        model,
        box=None if box is None else parse_box(box),
        hands=hands,
        detector=None if full_frame or detector == "none" else detector,
        out=out,
        force=force,
        max_width_px=max_width_px,
        backend=backend,
    )
    say(f"model {pipeline.card.name}, {_describe_place(pipeline, hands, box is None)}")
    if pipeline.basis == BASIS_SIMULATED:
        say("no board: the Ascend device is simulated, and no time below is one of a board")
    _run_to_the_end(pipeline)
    report = pipeline.report()
    _say_report(report)
    if as_json:
        emit_json(asdict(report))


def _say_report(report: RunReport) -> None:
    from atlas_hpe_pipelines import format_run_report

    say(format_run_report(report))
    for warning in report.warnings:
        say(f"warning: {warning}")
    if not report.frames_with_hand:
        say("warning: no hand was found; give the hand's place with --box x,y,w,h")
    for output in report.outputs:
        if output.dropped:
            say(
                f"warning: {output.path}: {output.dropped} of {report.frames} frames were left "
                "out, the format can't show them so fast; the clip keeps its length"
            )
        say(f"wrote {output.path} ({Path(output.path).stat().st_size / 1e6:.1f} MB)")


def _run_to_the_end(pipeline: Pipeline) -> None:
    """Run, with a bar on a terminal only; click 8.1, the last for Python 3.9, can't hide one."""
    with closing(iter(pipeline)) as frames:
        if sys.stderr is None or not sys.stderr.isatty():
            deque(frames, maxlen=0)
            return
        count = pipeline.frame_count
        with click.progressbar(frames, length=count, label="frames", file=sys.stderr) as progress:
            deque(progress, maxlen=0)


def _describe_place(pipeline: Pipeline, hands: int, whole: bool) -> str:
    """Where the model looks."""
    if pipeline.detector_card is not None:
        count = "1 hand" if hands == 1 else f"up to {hands} hands"
        return f"detector {pipeline.detector_card.name}, {count}"
    region = () if pipeline.region is None else pipeline.region.as_tuple()
    numbers = ",".join(f"{number:g}" for number in region)
    return f"region the whole frame ({numbers})" if whole else f"region {numbers}"
