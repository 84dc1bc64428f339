"""The options that every command with a pipeline has: what is read, who looks, what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Callable, Mapping, Optional, Sequence, Tuple

import click

if TYPE_CHECKING:
    from atlas_hpe_pipelines import OutputOptions, Pipeline, Sink

__all__ = ["PipelineChoice", "describe_pipeline", "open_pipeline", "pipeline_options"]

#: Names of --show, as in ``drawing.SHOW``: ``--help`` loads no drawing.
_SHOW = ("scores", "heatmap", "3d", "split")

_OPTIONS = (
    click.argument("source"),
    click.option("--model", metavar="FILE", help="Model with a card; default: the one shipped."),
    click.option(
        "--max-hands",
        default=2,
        show_default=True,
        type=click.IntRange(min=1),
        metavar="N",
        help="Most hands at once.",
    ),
    click.option(
        "--detector",
        default="auto",
        metavar="FILE",
        help="Hand detector with a card, or none; default: the one shipped, for models that take "
        "a crop of a hand.",
    ),
    click.option(
        "--detect-every",
        default=8,
        show_default=True,
        type=click.IntRange(min=1),
        metavar="N",
        help="While there is room for another hand, the detector looks in every N-th frame.",
    ),
    click.option(
        "--box", metavar="X,Y,W,H", help="The hand's box in source pixels, in every frame."
    ),
    click.option("--full-frame", is_flag=True, help="Look at the whole frame; no detector."),
    click.option(
        "--smooth",
        type=click.Choice(["off", "light", "strong"]),
        default="light",
        show_default=True,
        help="How much the joints are smoothed over time; what it delays them by is printed.",
    ),
    click.option(
        "--fps",
        type=click.FloatRange(min=0, min_open=True, max=1000),
        metavar="N",
        help="Rate of pictures, which carry no time; 1 for photographs that have nothing to do "
        "with each other.  [default: 30]",
    ),
    click.option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="End after so much of the source.",
    ),
    click.option(
        "--drop",
        type=click.Choice(["newest", "never"]),
        default="newest",
        show_default=True,
        help="Cameras and streams: newest goes on with the newest frame and drops those that "
        "waited, never keeps all.",
    ),
    click.option(
        "--reconnect-s",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="N",
        help="Cameras and streams: how long a lost one is tried again.",
    ),
    click.option(
        "--depth-unit-mm",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        show_default=True,
        metavar="N",
        help="Depth pictures: millimetres in one step.",
    ),
    click.option(
        "--decode",
        type=click.Choice(["auto", "host", "device"]),
        default="auto",
        show_default=True,
        help="Who decodes and crops a video: the device, where it can and the model takes its "
        "pictures, or the processor.",
    ),
    click.option(
        "--max-width-px",
        type=click.IntRange(min=1),
        metavar="N",
        help="Shrink wider pictures to this.",
    ),
    click.option(
        "--show",
        type=click.Choice(_SHOW),
        multiple=True,
        help="Draw more: scores of the joints, the network's heatmap, the hand from the side, "
        "the untouched picture beside the drawn one; may repeat.",
    ),
    click.option("--mirror", is_flag=True, help="Mirror the pictures, not the data."),
    click.option(
        "--backend",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="Where the models run: onnxruntime (.onnx, this machine), acl (.om, an Ascend "
        "device), simulator (.onnx or a simulated model, a simulated device); auto goes by the "
        "file's name.",
    ),
)


@dataclass(frozen=True)
class PipelineChoice:
    """What the user chose; each field is the option of its name."""

    source: str
    model: Optional[str]
    max_hands: int
    detector: str
    detect_every: int
    box: Optional[str]
    full_frame: bool
    smooth: str
    fps: Optional[float]
    seconds: Optional[float]
    drop: str
    reconnect_s: float
    depth_unit_mm: float
    decode: str
    max_width_px: Optional[int]
    show: Tuple[str, ...]
    mirror: bool
    backend: str


def pipeline_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument SOURCE and the options, as one parameter ``choice``."""

    @wraps(function)
    def with_choice(**values: object) -> None:
        chosen = {item.name: values.pop(item.name) for item in fields(PipelineChoice)}
        function(choice=PipelineChoice(**chosen), **values)  # type: ignore[arg-type]

    command: Callable[..., None] = with_choice
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_pipeline(
    choice: PipelineChoice,
    *,
    out: Sequence[str] = (),
    force: bool = False,
    output: Optional[OutputOptions] = None,
    sinks: Optional[Mapping[str, Sink]] = None,
) -> Pipeline:
    """The pipeline that the user chose.

    Args:
        choice: The options.
        out: Files to write.
        force: Replace files that exist.
        output: How they are written; None for the defaults.
        sinks: Outputs that are open already, by the name of their stage.

    Raises:
        AtlasHpeError: Options contradict each other, or a file can't be used.
    """
    from atlas_hpe.errors import UsageError
    from atlas_hpe.geometry import parse_box
    from atlas_hpe_pipelines import (
        SHOW,
        DrawOptions,
        OutputOptions,
        Pipeline,
        SourceOptions,
    )

    if choice.box is not None and choice.full_frame:
        raise UsageError("--box and --full-frame contradict each other", fix="give one of them")
    if choice.full_frame and choice.detector not in ("auto", "none"):
        raise UsageError("--detector and --full-frame contradict each other", fix="give one")
    return Pipeline(
        choice.source,
        choice.model,
        box=None if choice.box is None else parse_box(choice.box),
        max_hands=choice.max_hands,
        detector=None if choice.full_frame or choice.detector == "none" else choice.detector,
        detect_every=choice.detect_every,
        smooth=choice.smooth,
        out=out,
        sinks=sinks or {},
        force=force,
        max_width_px=choice.max_width_px,
        drawing=DrawOptions(mirror=choice.mirror, **{SHOW[name]: True for name in choice.show}),
        output=OutputOptions() if output is None else output,
        reading=SourceOptions(
            fps=choice.fps,
            drop=choice.drop,
            reconnect_s=choice.reconnect_s,
            depth_unit_mm=choice.depth_unit_mm,
        ),
        seconds=choice.seconds,
        decode=choice.decode,
        backend=choice.backend,
    )


def describe_pipeline(pipeline: Pipeline, choice: PipelineChoice) -> str:
    """Which model looks where, in one line."""
    return f"model {pipeline.card.name}, {_describe_place(pipeline, choice)}"


def _describe_place(pipeline: Pipeline, choice: PipelineChoice) -> str:
    if pipeline.detector_card is not None:
        count = "1 hand" if choice.max_hands == 1 else f"up to {choice.max_hands} hands"
        return f"detector {pipeline.detector_card.name}, {count}"
    region = () if pipeline.region is None else pipeline.region.as_tuple()
    numbers = ",".join(f"{number:g}" for number in region)
    return f"region the whole frame ({numbers})" if choice.box is None else f"region {numbers}"
