"""Source -> crop -> network -> joints -> picture -> outputs, all at the same time."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Callable, Dict, Generator, List, Optional, Sequence, Tuple, Type, Union

from atlas_hpe.card import ModelCard, TensorSpec, load_card
from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.models import default_detector_path, default_model_path
from atlas_hpe.outfile import check_out_path
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.contract import check_contract, check_detector_contract
from atlas_hpe_pipelines.draw import draw_hands
from atlas_hpe_pipelines.fixed_region import FixedRegion
from atlas_hpe_pipelines.overlap import Stage, StageTimes, overlap
from atlas_hpe_pipelines.regions import choose_region
from atlas_hpe_pipelines.run_report import OutputReport, RunReport, report_stages
from atlas_hpe_pipelines.sinks import SINKS, Sink, open_sink
from atlas_hpe_pipelines.sources import Source, open_source
from atlas_hpe_pipelines.tracking import HandDetector, HandFinder, HandReader
from atlas_hpe_pipelines.work import Work
from atlas_hpe_runtime import Session, open_session

__all__ = ["Pipeline"]

#: Threads of a back-end on the host. One: the other stages keep the other cores busy, and a small
#: network gains less from a second thread than the encoder does (make bench shows it).
HOST_THREADS = 1
_TRACKING = "hands"


class Pipeline:
    """Frames of a source together with the hands in them.

    Iterate over it once::

        for frame, hands in Pipeline("clip.mp4", out=["hands.gif"]):
            ...

    Outputs appear when the iteration has come to its end; leaving it early removes them.

    With a detector the hands are found anywhere in the picture and followed; without one the model
    looks at the same place in every frame: the box, or the whole frame.

    Args:
        source: Video file.
        model: Model with a card, None for the one that ships with the package.
        box: The hand's box, (x, y, width, height) in source pixels; no detector runs then.
        hands: Most hands at once; without a detector there is always one.
        detector: Hand detector with a card, None for none. ``"auto"`` is the one that ships with
            the package where the model takes a crop and no box is given, otherwise none.
        out: File or files to write, kind by suffix.
        force: Replace files that exist.
        max_width_px: Pictures wider than this are shrunk to it in .gif and .mp4 outputs.
        backend: Back-end of the runtime, ``"auto"`` to choose by the model's suffix.

    Raises:
        AtlasHpeError: Any of the files can't be used; raised before the first frame.
    """

    def __init__(
        self,
        source: Union[str, Path],
        model: Union[str, Path, None] = None,
        *,
        box: Union[Box, Tuple[float, float, float, float], None] = None,
        hands: int = 2,
        detector: Union[str, Path, None] = "auto",
        out: Union[str, Path, Sequence[Union[str, Path]]] = (),
        force: bool = False,
        max_width_px: Optional[int] = None,
        backend: str = "auto",
    ) -> None:
        model_path = default_model_path() if model is None else Path(model)
        paths = [out] if isinstance(out, (str, Path)) else out
        self._out = [check_out_path(path, SINKS, force=force) for path in paths]
        hand_box = box if box is None or isinstance(box, Box) else Box(*box)
        self.card: ModelCard = load_card(model_path)
        detector_path = _choose_detector(self.card, hand_box, detector)
        _check_distinct(self._out, [Path(source), model_path, detector_path])
        self._force = force
        self._max_width_px = max_width_px
        self.detector_card: Optional[ModelCard] = None
        self.region: Optional[Box] = None
        self._finder: Optional[HandFinder] = None
        self._fixed: Optional[FixedRegion] = None
        with ExitStack() as stack:
            self._session = _open(stack, model_path, self.card, check_contract, backend)
            if detector_path is not None:
                detector_card = self.detector_card = load_card(detector_path)
                seeing = _open(
                    stack, detector_path, detector_card, check_detector_contract, backend
                )
                reader = HandReader(self.card, self._session)
                self._finder = HandFinder(reader, HandDetector(detector_card, seeing), hands)
            self._source: Source = stack.enter_context(closing(open_source(source)))
            if self._finder is None:
                self.region = choose_region(self.card.preprocess, self._source.size_px, hand_box)
                self._fixed = FixedRegion(self.card, self._session, self.region)
            self._resources = stack.pop_all()
        self._times: Dict[str, StageTimes] = {}
        self._frames = 0
        self._frames_with_hand = 0
        self._total_s = 0.0
        self._used = False
        self._sinks: List[Sink] = []

    @property
    def basis(self) -> str:
        """What results and times are: a ``BASIS_`` constant of the runtime."""
        return self._session.basis

    @property
    def frame_count(self) -> Optional[int]:
        """Frames that the source says it has."""
        return self._source.frame_count

    def __iter__(self) -> Generator[Tuple[Frame, Tuple[HandPose, ...]], None, None]:
        """Yield each frame with its hands, in order.

        Raises:
            UsageError: The pipeline was iterated or closed before.
            AtlasHpeError: A stage failed; unfinished outputs are removed.
        """
        if self._used:
            raise UsageError("a pipeline runs once", fix="make a new Pipeline for another run")
        self._used = True
        started = perf_counter()
        with self._resources, ExitStack() as stack:
            self._sinks = [stack.enter_context(self._open_sink(path)) for path in self._out]
            frames = (Work(frame) for frame in self._source.frames())
            running = overlap(frames, "decode", self._stages(), self._times)
            stack.enter_context(closing(running))  # threads end before the sinks do
            for work in running:
                self._frames += 1
                self._frames_with_hand += bool(work.hands)
                yield work.frame, work.hands
        self._total_s = perf_counter() - started

    def close(self) -> None:
        """Release the source and the model of a pipeline that is not iterated."""
        self._used = True
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
        """What happened, once the iteration has come to its end."""
        return RunReport(
            source=self._source.name,
            model=self.card.name,
            detector=None if self.detector_card is None else self.detector_card.name,
            backend=self._session.backend,
            basis=self.basis,
            frames=self._frames,
            frames_with_hand=self._frames_with_hand,
            detections=0 if self._finder is None else self._finder.detections,
            tracks=0 if self._finder is None else self._finder.tracks,
            total_s=self._total_s,
            frames_per_s=self._frames / self._total_s if self._total_s else 0.0,
            stages=report_stages(self._stage_times()),
            outputs=tuple(
                OutputReport(str(path), sink.dropped) for path, sink in zip(self._out, self._sinks)
            ),
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> List[str]:
        warnings = list(self._source.warnings)
        finders = [item for item in (self._finder, self._fixed) if item is not None]
        broken_frames = sum(item.broken_frames for item in finders)
        if broken_frames:
            names = [card.name for card in (self.card, self.detector_card) if card is not None]
            warnings.append(
                f"{' or '.join(names)}: the network gave NaN or infinite numbers "
                f"in {broken_frames} of {self._frames} frames"
            )
        return warnings

    def _stage_times(self) -> Dict[str, StageTimes]:
        """Times of all stages; the one that finds and follows hands is told in its steps."""
        times: Dict[str, StageTimes] = {}
        for name, item in self._times.items():
            if name == _TRACKING and self._finder is not None:
                times.update(self._finder.times)
            else:
                times[name] = item
        return times

    def _open_sink(self, path: Path) -> Sink:
        source = self._source
        return open_sink(
            path,
            fps=source.fps,
            size_px=source.size_px,
            force=self._force,
            max_width_px=self._max_width_px,
        )

    def _stages(self) -> List[Stage[Work]]:
        stages: List[Stage[Work]] = []
        if self._finder is not None:
            stages.append(Stage(_TRACKING, _FindHands(self._finder)))
        if self._fixed is not None:
            stages += self._fixed.stages()
        if any(sink.wants_picture for sink in self._sinks):
            stages.append(Stage("draw", _draw))
        for number, (path, sink) in enumerate(zip(self._out, self._sinks), start=1):
            name = path.suffix[1:] if len(self._sinks) == 1 else f"{path.suffix[1:]} ({number})"
            stages.append(Stage(name, _WriteTo(sink)))
        return stages


def _choose_detector(
    card: ModelCard, box: Optional[Box], detector: Union[str, Path, None]
) -> Optional[Path]:
    """The detector's file, None when the model looks at a fixed region."""
    if detector is None:
        return None
    if detector == "auto":
        takes_crop = card.preprocess.fit == "crop" and box is None
        return default_detector_path() if takes_crop else None
    if box is not None:
        raise UsageError("--box and --detector contradict each other", fix="give one of them")
    if card.preprocess.fit != "crop":
        raise UsageError(
            "a detector can't be used with this model",
            where=card.name,
            why=f"its input is no crop of a hand, its fit is '{card.preprocess.fit}'",
            fix="leave --detector out",
        )
    return Path(detector)


def _open(
    stack: ExitStack,
    path: Path,
    card: ModelCard,
    check: Callable[[ModelCard, Sequence[TensorSpec], Sequence[TensorSpec]], None],
    backend: str,
) -> Session:
    """Open a model for as long as the stack lives, and hold it against its card."""
    session = stack.enter_context(open_session(path, backend=backend, threads=HOST_THREADS))
    check(card, session.inputs, session.outputs)
    return session


def _check_distinct(outputs: Sequence[Path], inputs: Sequence[Optional[Path]]) -> None:
    """No output may be written twice, or over what is being read."""
    seen = {os.path.realpath(str(path)): f"it is read as {path}" for path in inputs if path}
    for path in outputs:
        place = os.path.realpath(str(path))
        if place in seen:
            raise OutputError(
                "the output would overwrite a file of this run",
                where=path,
                why=seen[place],
                fix="give another name with --out",
            )
        seen[place] = "the same output is given twice"


@dataclass(frozen=True)
class _FindHands:
    """The stage that finds and follows hands; one frame after the other, beside other stages."""

    finder: HandFinder

    def __call__(self, work: Work) -> Work:
        work.hands = self.finder.find(work.frame)
        return work


@dataclass(frozen=True)
class _WriteTo:
    """The stage that hands frames to one output."""

    sink: Sink

    def __call__(self, work: Work) -> Work:
        self.sink.write(work.frame, work.picture, work.hands)
        return work


def _draw(work: Work) -> Work:
    work.picture = draw_hands(work.frame.image, work.hands)
    return work
