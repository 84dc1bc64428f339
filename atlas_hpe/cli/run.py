"""``atlas-hpe run``: a source of frames -> hand poses -> files."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

import click

from atlas_hpe.cli.pipeline_options import (
    PipelineChoice,
    describe_pipeline,
    open_pipeline,
    pipeline_options,
)
from atlas_hpe.cli.report import emit_json, json_option, say

if TYPE_CHECKING:
    from atlas_hpe_pipelines import Pipeline, RunReport

__all__ = ["command"]

_STANDARD_OUTPUT = "-"
_BOX_HINT = "; give the hand's place with --box x,y,w,h"


@click.command("run")
@pipeline_options
@click.option(
    "--out",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Output, kind by suffix: .gif, .mp4, .webm, .jsonl, .csv, .npz; pictures/, with the "
    "slash, is a folder of pictures, - is JSON lines on standard output; may repeat.",
)
@click.option("--force", is_flag=True, help="Replace outputs that exist.")
@click.option(
    "--max-fps",
    type=click.FloatRange(min=1),
    metavar="N",
    help=".gif, .mp4, .webm: leave frames out above this rate; the clip keeps its length.",
)
@click.option(
    "--loop",
    type=click.IntRange(-1, 0xFFFF),
    default=0,
    show_default=True,
    metavar="N",
    help=".gif: how often it repeats; 0 for ever, -1 never.",
)
@click.option(
    "--palette",
    type=click.Choice(["tracked", "octree", "shared"]),
    default="tracked",
    show_default=True,
    help=".gif: how its colours are chosen.",
)
@json_option
def command(
    choice: PipelineChoice,
    out: Tuple[str, ...],
    force: bool,
    max_fps: Optional[float],
    loop: int,
    palette: str,
    as_json: bool,
) -> None:
    """Find the hands in every frame of SOURCE and write what was found.

    SOURCE is a video, a picture, a folder or 'glob*.png' of pictures (also 16-bit depth), a
    list.txt of them, the number of a camera, an rtsp:// or http:// address, or - for standard
    input.

    Prints frames, total time, frames/s and the time of each stage, measured on this machine.
    Ctrl-C ends a camera or stream and finishes the outputs; of anything else it removes them.
    """
    from atlas_hpe.errors import SourceError, UsageError
    from atlas_hpe_pipelines import OutputOptions
    from atlas_hpe_runtime.session import BASIS_SIMULATED

    if as_json and _STANDARD_OUTPUT in out:
        raise UsageError("--json and --out - both write to standard output", fix="give one of them")
    output = OutputOptions(loop=None if loop < 0 else loop, max_fps=max_fps, palette=palette)
    with open_pipeline(choice, out=out, force=force, output=output) as pipeline:
        say(describe_pipeline(pipeline, choice))
        if pipeline.basis == BASIS_SIMULATED:
            say("no board: the Ascend device is simulated, and no time below is one of a board")
        try:
            _run_to_the_end(pipeline)
        except SourceError:
            if pipeline.live and pipeline.report().frames:
                _say_report(pipeline.report(), choice.box is not None)
            raise
    report = pipeline.report()
    _say_report(report, choice.box is not None)
    if as_json:
        emit_json(asdict(report))


def _run_to_the_end(pipeline: Pipeline) -> None:
    """Run, with a bar on a terminal only; click 8.1, the last for Python 3.9, can't hide one."""
    from atlas_hpe.stopping import stop_requests

    with ExitStack() as stack:
        frames = stack.enter_context(closing(iter(pipeline)))
        if pipeline.live:
            say("Ctrl-C ends it and finishes the outputs")
            stack.enter_context(stop_requests(pipeline.stop))
        if sys.stderr is None or not sys.stderr.isatty():
            deque(frames, maxlen=0)
            return
        count = pipeline.frame_count
        progress = click.progressbar(frames, length=count, label="frames", file=sys.stderr)
        deque(stack.enter_context(progress), maxlen=0)


def _say_report(report: RunReport, has_box: bool) -> None:
    from atlas_hpe_pipelines import format_run_report

    say(format_run_report(report))
    for warning in report.warnings:
        say(f"warning: {warning}")
    if not report.frames_with_hand:
        say("warning: no hand was found" + ("" if has_box else _BOX_HINT))
    for output in report.outputs:
        if output.dropped:
            say(
                f"warning: {output.path}: {output.dropped} of {report.frames} frames were left "
                "out, they came faster than it shows them; the clip keeps its length"
            )
        if output.path != _STANDARD_OUTPUT:
            say(f"wrote {output.path} ({_show_size(Path(output.path))})")


def _show_size(path: Path) -> str:
    files = path.iterdir() if path.is_dir() else [path]
    size_bytes = sum(file.stat().st_size for file in files)
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"
