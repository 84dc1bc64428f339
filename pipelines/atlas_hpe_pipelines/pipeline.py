"""Source -> crop -> network -> joints -> picture -> outputs, all at the same time."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Dict, Generator, List, Mapping, Optional, Sequence, Tuple, Type, Union

import numpy as np

from atlas_hpe.card import ModelCard, load_card
from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.geometry import Box, apply_affine, invert_affine
from atlas_hpe.models import default_model_path
from atlas_hpe.outfile import check_out_path
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.contract import check_contract
from atlas_hpe_pipelines.decoders import decode_hand
from atlas_hpe_pipelines.draw import draw_hands
from atlas_hpe_pipelines.overlap import Stage, StageTimes, overlap
from atlas_hpe_pipelines.preprocess import crop_picture, input_affine, to_feeds
from atlas_hpe_pipelines.regions import choose_region
from atlas_hpe_pipelines.run_report import OutputReport, RunReport, report_stages
from atlas_hpe_pipelines.sinks import SINKS, Sink, open_sink
from atlas_hpe_pipelines.sources import Source, open_source
from atlas_hpe_runtime import Session, open_session

__all__ = ["Pipeline"]

#: Threads of a back-end on the host. One: the other stages keep the other cores busy, and a small
#: network gains less from a second thread than the encoder does (make bench shows it).
HOST_THREADS = 1


@dataclass(eq=False)
class _Work:
    """One frame on its way; each stage fills in its part."""

    frame: Frame
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)  # feeds, then outputs
    hands: Tuple[HandPose, ...] = ()
    picture: Optional[np.ndarray] = None


class Pipeline:
    """Frames of a source together with the hands in them.

    Iterate over it once::

        for frame, hands in Pipeline("clip.mp4", out=["hands.gif"]):
            ...

    Outputs appear when the iteration has come to its end; leaving it early removes them.

    Args:
        source: Video file.
        model: Model with a card, None for the one that ships with the package.
        box: The hand's box, (x, y, width, height) in source pixels; None for the whole frame.
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
        out: Union[str, Path, Sequence[Union[str, Path]]] = (),
        force: bool = False,
        max_width_px: Optional[int] = None,
        backend: str = "auto",
    ) -> None:
        model_path = default_model_path() if model is None else Path(model)
        paths = [out] if isinstance(out, (str, Path)) else out
        self._out = [check_out_path(path, SINKS, force=force) for path in paths]
        hand_box = box if box is None or isinstance(box, Box) else Box(*box)
        _check_distinct(self._out, [Path(source), model_path])
        self._force = force
        self._max_width_px = max_width_px
        self.card: ModelCard = load_card(model_path)
        with ExitStack() as stack:
            self._session: Session = stack.enter_context(
                open_session(model_path, backend=backend, threads=HOST_THREADS)
            )
            check_contract(self.card, self._session.inputs, self._session.outputs)
            self._source: Source = stack.enter_context(closing(open_source(source)))
            self.region = choose_region(self.card.preprocess, self._source.size_px, hand_box)
            self._resources = stack.pop_all()
        self._affine = input_affine(self.card.preprocess, self.region)
        self._to_source = invert_affine(self._affine)
        self._times: Dict[str, StageTimes] = {}
        self._frames = 0
        self._frames_with_hand = 0
        self._broken_frames = 0
        self._total_s = 0.0
        self._used = False
        self._sinks: List[Sink] = []

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
            frames = (_Work(frame) for frame in self._source.frames())
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
            backend=self._session.backend,
            frames=self._frames,
            frames_with_hand=self._frames_with_hand,
            total_s=self._total_s,
            frames_per_s=self._frames / self._total_s if self._total_s else 0.0,
            stages=report_stages(self._times),
            outputs=tuple(
                OutputReport(str(path), sink.dropped) for path, sink in zip(self._out, self._sinks)
            ),
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> List[str]:
        warnings = list(self._source.warnings)
        if self._broken_frames:
            warnings.append(
                f"{self.card.name}: the network gave NaN or infinite numbers "
                f"in {self._broken_frames} of {self._frames} frames"
            )
        return warnings

    def _open_sink(self, path: Path) -> Sink:
        source = self._source
        return open_sink(
            path,
            fps=source.fps,
            size_px=source.size_px,
            force=self._force,
            max_width_px=self._max_width_px,
        )

    def _stages(self) -> List[Stage[_Work]]:
        stages = [
            Stage("crop", self._crop),
            Stage("infer", self._infer),
            Stage("joints", self._find_joints),
        ]
        if any(sink.wants_picture for sink in self._sinks):
            stages.append(Stage("draw", _draw))
        for number, (path, sink) in enumerate(zip(self._out, self._sinks), start=1):
            name = path.suffix[1:] if len(self._sinks) == 1 else f"{path.suffix[1:]} ({number})"
            stages.append(Stage(name, _WriteTo(sink)))
        return stages

    def _crop(self, work: _Work) -> _Work:
        crop = crop_picture(work.frame.image, self._affine, self.card.preprocess)
        work.tensors = to_feeds(self.card, crop)
        return work

    def _infer(self, work: _Work) -> _Work:
        work.tensors = self._session.run(work.tensors)
        return work

    def _find_joints(self, work: _Work) -> _Work:
        self._broken_frames += not all(np.isfinite(item).all() for item in work.tensors.values())
        hand = decode_hand(self.card, work.tensors)
        work.tensors = {}
        if hand is not None:
            pose = HandPose(
                joints=apply_affine(self._to_source, hand.joints),
                joint_scores=hand.joint_scores,
                score=hand.score,
                box=self.region.as_tuple(),
                frame_index=work.frame.index,
                time_s=work.frame.time_s,
                handedness=hand.handedness,
                handedness_score=hand.handedness_score,
            )
            work.hands = (pose,)
        return work


def _check_distinct(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """No output may be written twice, or over what is being read."""
    seen = {os.path.realpath(str(path)): f"it is read as {path}" for path in inputs}
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
class _WriteTo:
    """The stage that hands frames to one output."""

    sink: Sink

    def __call__(self, work: _Work) -> _Work:
        self.sink.write(work.frame, work.picture, work.hands)
        return work


def _draw(work: _Work) -> _Work:
    work.picture = draw_hands(work.frame.image, work.hands)
    return work
