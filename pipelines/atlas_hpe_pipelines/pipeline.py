"""Source -> hands -> smoothing -> picture -> outputs, all at the same time."""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Dict, Generator, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import SourceError, UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.contract import check_drawing, check_source
from atlas_hpe_pipelines.device_path import DevicePath, HardwareCrop, open_device_path
from atlas_hpe_pipelines.drawing import DrawOptions, Renderer
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.hands import HANDS, choose_hands, hand_stages
from atlas_hpe_pipelines.opening import choose_models, open_models
from atlas_hpe_pipelines.outputs import Outputs
from atlas_hpe_pipelines.overlap import MOST_ITEMS, Stage, overlap
from atlas_hpe_pipelines.run_report import RunReport, report_stages
from atlas_hpe_pipelines.sinks import OutputOptions, Sink
from atlas_hpe_pipelines.smoothing import HandSmoother
from atlas_hpe_pipelines.sources import AnySource, Source, SourceOptions, open_source
from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_pipelines.tracking import DETECT_EVERY, HandFinder
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime.acl.dvpp import Fallback

__all__ = ["Pipeline"]

_DECODE = "decode"
#: Frames of a live source on their way at once.
LIVE_ITEMS = 5
_MOST_PICTURE_BYTES = 512 << 20


class Pipeline:
    """Frames of a source together with the hands in them.

    Iterate over it once::

        for frame, hands in Pipeline("clip.mp4", out=["hands.gif"]):
            ...

    Outputs appear when the iteration has come to its end, or after ``stop``; leaving it early
    (``break``, an error, Ctrl-C) removes them.

    With a detector the hands are found anywhere in the picture and followed; without one the model
    looks at the same place in every frame: the box, or the whole frame.

    Args:
        source: What ``open_source`` takes: a file, folder, glob, list, camera number, address of a
            stream, ``"-"``, or a sequence of pictures.
        model: Model with a card, None for the one that ships with the package.
        box: The hand's box, (x, y, width, height) in source pixels; no detector runs then.
        max_hands: Most hands at once; without a detector there is always one.
        detector: Hand detector with a card, None for none. ``"auto"`` is the one that ships with
            the package where the model takes a crop and no box is given, otherwise none.
        detect_every: While there is room for another hand, the detector looks in every so many
            frames.
        smooth: A name of ``SMOOTHING``: how much joints are smoothed over time.
        out: File or files to write, kind by suffix; see ``open_sink``.
        sinks: Outputs that are open already, by the name of their stage; they stay the caller's.
        force: Replace files that exist.
        max_width_px: Pictures wider than this are shrunk to it.
        drawing: What pictures show.
        output: How files are written.
        reading: How the source is read.
        seconds: End after so much of the source; None for all of it.
        decode: ``"auto"``, ``"host"`` or ``"device"``: who decodes and crops a video; see
            ``open_device_path``. Pictures of frames that the device decoded are there until the
            run ends.
        backend: Back-end of the runtime, ``"auto"`` to choose by the model's suffix.

    Raises:
        AtlasHpeError: Any of these can't be used; raised before the first frame.
    """

    def __init__(
        self,
        source: AnySource,
        model: Union[str, Path, None] = None,
        *,
        box: Union[Box, Tuple[float, float, float, float], None] = None,
        max_hands: int = 2,
        detector: Union[str, Path, None] = "auto",
        detect_every: int = DETECT_EVERY,
        smooth: str = "light",
        out: Union[str, Path, Sequence[Union[str, Path]]] = (),
        sinks: Optional[Mapping[str, Sink]] = None,
        force: bool = False,
        max_width_px: Optional[int] = None,
        drawing: DrawOptions = DrawOptions(),  # noqa: B008 - frozen
        output: OutputOptions = OutputOptions(),  # noqa: B008 - frozen
        reading: SourceOptions = SourceOptions(),  # noqa: B008 - frozen
        seconds: Optional[float] = None,
        decode: str = "auto",
        backend: str = "auto",
    ) -> None:
        _check_limits(seconds, max_width_px)
        self._outputs = Outputs(out, sinks or {}, output, force)
        self._smoother = None if smooth == "off" else HandSmoother(smooth)
        hand_box = box if box is None or isinstance(box, Box) else Box(*box)
        files = choose_models(model, detector, hand_box)
        check_drawing(files.card, drawing)
        self._outputs.check_apart([*_paths_of(source), files.model, files.detector])
        with ExitStack() as stack:
            self._models = open_models(stack, files, backend)
            self._device = open_device_path(source, files.card, self._models.session, decode)
            self._source = _open_source(stack, source, reading, self._device)
            self._outputs.check_apart(self._source.paths)
            self._note = check_source(files.card, self._source)
            self._renderer = Renderer(drawing, self._source.size_px, max_width_px)
            self._hands = choose_hands(
                self._models,
                self._source.size_px,
                box=hand_box,
                max_hands=max_hands,
                detect_every=detect_every,
                hardware=self._hardware,
                heatmaps=drawing.heatmap,
            )
            self._resources = stack.pop_all()
        self._seconds = seconds
        self._stopping = threading.Event()
        self._times: Dict[str, StageTimes] = {}
        self._progress = _Progress()

    @property
    def card(self) -> ModelCard:
        """Card of the landmark network."""
        return self._models.card

    @property
    def detector_card(self) -> Optional[ModelCard]:
        """Card of the detector, None without one."""
        return self._models.detector_card

    @property
    def region(self) -> Optional[Box]:
        """Where a model without a detector looks in the first frame, source pixels; else None."""
        return self._hands.region if isinstance(self._hands, FixedRegion) else None

    @property
    def basis(self) -> str:
        """What results and times are: a ``BASIS_`` constant of the runtime."""
        return self._models.session.basis

    @property
    def _hardware(self) -> Optional[HardwareCrop]:
        """What crops on the device, None where the host does."""
        return self._device.hardware if isinstance(self._device, DevicePath) else None

    @property
    def live(self) -> bool:
        """Whether the source is a camera or a stream, which ends when it is stopped."""
        return self._source.live

    @property
    def frame_count(self) -> Optional[int]:
        """Frames that the source says it has."""
        return self._source.frame_count

    def __iter__(self) -> Generator[Tuple[Frame, Tuple[HandPose, ...]], None, None]:
        """Yield each frame with its hands, in order.

        Raises:
            UsageError: The pipeline was iterated or closed before.
            SourceError: A camera or stream was lost for good; outputs hold what came before.
            AtlasHpeError: Anything else failed; unfinished outputs are removed.
        """
        progress = self._progress
        if progress.started_s is not None:
            raise UsageError("a pipeline runs once", fix="make a new Pipeline for another run")
        progress.started_s = perf_counter()
        lost: Optional[SourceError] = None
        with self._resources, ExitStack() as stack:
            stack.callback(progress.end)
            self._outputs.open(stack, self._source.fps, self._renderer.picture_size_px)
            running = overlap(
                self._read(),
                _DECODE,
                self._stages(),
                self._times,
                most=_most_items(self._source),
                end_source=self._source.stop,
            )
            stack.enter_context(closing(running))  # threads end before the sinks do
            try:
                for work in running:
                    progress.frames += 1
                    progress.frames_with_hand += bool(work.hands)
                    yield work.frame, work.hands
            except SourceError as error:
                if not (self._source.live and progress.frames):
                    raise
                lost = error  # what came before is worth keeping
        if lost is not None:
            raise lost

    def stop(self) -> None:
        """End the run soon, as if the source had ended: outputs are finished; from any thread."""
        self._stopping.set()
        self._source.stop()

    def close(self) -> None:
        """Release the source and the model of a pipeline that is not iterated."""
        if self._progress.started_s is None:
            self._progress.started_s = self._progress.ended_s = perf_counter()
        self._resources.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def report(self) -> RunReport:
        """What has happened so far, or, once the iteration has come to its end, in all."""
        models, hands = self._models, self._hands
        followed = hands if isinstance(hands, HandFinder) else None
        progress, total_s = self._progress, self._progress.spent_s
        return RunReport(
            source=self._source.name,
            model=models.card.name,
            detector=None if models.detector_card is None else models.detector_card.name,
            backend=models.session.backend,
            basis=self.basis,
            frames=progress.frames,
            frames_with_hand=progress.frames_with_hand,
            detections=0 if followed is None else followed.detections,
            tracks=0 if followed is None else followed.tracks,
            total_s=total_s,
            frames_per_s=progress.frames / total_s if total_s else 0.0,
            stages=report_stages(
                self._times,
                {} if followed is None else {HANDS: followed.times},
                {_DECODE: self._source.dropped, **self._outputs.drops()},
            ),
            outputs=self._outputs.reports(),
            warnings=tuple(self._warnings()),
            dropped=self._source.dropped,
            smoothing_lag_ms=None if self._smoother is None else self._smoother.added_lag_ms,
            fallback=self._device.reason if isinstance(self._device, Fallback) else None,
            device=None if self._hardware is None else self._hardware.describe(),
            interrupted=self._stopping.is_set(),
        )

    def _warnings(self) -> List[str]:
        warnings = [*([] if self._note is None else [self._note]), *self._source.warnings]
        if self._hands.broken_frames:
            cards = (self._models.card, self._models.detector_card)
            names = [card.name for card in cards if card is not None]
            warnings.append(
                f"{' or '.join(names)}: the network gave NaN or infinite numbers "
                f"in {self._hands.broken_frames} of {self._progress.frames} frames"
            )
        return warnings

    def _read(self) -> Iterator[Work]:
        """The frames until the source ends, or it is enough."""
        with ExitStack() as stack:
            if self._seconds is not None and self._source.live:
                # Also where no frame comes any more.
                timer = threading.Timer(self._seconds, self._source.stop)
                timer.daemon = True
                timer.start()
                stack.callback(timer.cancel)
            for frame in self._source.frames():
                if self._seconds is not None and frame.time_s >= self._seconds:
                    return
                yield Work(frame)
                if self._stopping.is_set():
                    return

    def _stages(self) -> List[Stage[Work]]:
        stages = hand_stages(self._hands)
        if self._smoother is not None:
            stages.append(Stage("smooth", _Smooth(self._smoother)))
        if self._outputs.wants_picture:
            stages.append(Stage("draw", _Draw(self._renderer)))
        stages += self._outputs.stages()
        names = [stage.name for stage in stages]
        if len({_DECODE, *names}) <= len(names):
            raise UsageError(
                "two stages have one name",
                why=f"they are {', '.join([_DECODE, *names])}",
                fix="give the sinks other names",
            )
        return stages


@dataclass
class _Progress:
    """How far a run has come; times of ``perf_counter``."""

    frames: int = 0
    frames_with_hand: int = 0
    started_s: Optional[float] = None
    ended_s: Optional[float] = None

    def end(self) -> None:
        self.ended_s = perf_counter()

    @property
    def spent_s(self) -> float:
        if self.started_s is None:
            return 0.0
        return (perf_counter() if self.ended_s is None else self.ended_s) - self.started_s


def _check_limits(seconds: Optional[float], max_width_px: Optional[int]) -> None:
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError(f"a run can't end after {seconds} seconds", fix="give more than 0")
    if max_width_px is not None and max_width_px < 1:
        raise UsageError(f"pictures can't be {max_width_px} px wide", fix="give 1 or more")


def _open_source(
    stack: ExitStack,
    source: AnySource,
    reading: SourceOptions,
    device: Union[DevicePath, Fallback, None],
) -> Source:
    """The source for as long as the stack lives: the device's, or one that the host reads."""
    if isinstance(device, DevicePath):
        return stack.enter_context(closing(device)).source
    return stack.enter_context(closing(open_source(source, reading)))


def _most_items(source: Source) -> int:
    """Frames on their way at once: few of a live source, to stay near to it, or of large ones."""
    width_px, height_px = source.size_px
    fits = _MOST_PICTURE_BYTES // (2 * 3 * width_px * height_px)  # as they come, and drawn
    return max(2, min(LIVE_ITEMS if source.live else MOST_ITEMS, fits))


def _paths_of(source: AnySource) -> List[str]:
    """What no output may overwrite."""
    if isinstance(source, int):
        return []
    return [str(source)] if isinstance(source, (str, Path)) else [str(path) for path in source]


@dataclass(frozen=True)
class _Smooth:
    smoother: HandSmoother

    def __call__(self, work: Work) -> Work:
        work.hands = self.smoother.smooth(work.hands, work.frame.time_s)
        return work


@dataclass(frozen=True)
class _Draw:
    renderer: Renderer

    def __call__(self, work: Work) -> Work:
        work.picture = self.renderer.draw(work.frame, work.hands)
        return work
