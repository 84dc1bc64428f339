"""Labels and a model in, a report out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from atlas_hpe.card import ModelCard, load_card
from atlas_hpe.errors import UsageError
from atlas_hpe.models import default_detector_path, default_model_path
from atlas_hpe_pipelines.contract import check_detector_contract
from atlas_hpe_pipelines.evaluation.given import BOX_SCALE, AskInBox, can_follow, describe_given
from atlas_hpe_pipelines.evaluation.labels import LabelledPicture, find_index, read_labels
from atlas_hpe_pipelines.evaluation.report import EvaluationReport
from atlas_hpe_pipelines.evaluation.run import Task, run_tasks
from atlas_hpe_pipelines.evaluation.tally import TaskTally, WorstHand
from atlas_hpe_pipelines.evaluation.whole import AskPipeline
from atlas_hpe_pipelines.tracking import HandDetector, HandReader
from atlas_hpe_runtime import Session, open_session

__all__ = ["LANDMARK", "PIPELINE", "Evaluation", "EvaluationOptions", "evaluate"]

LANDMARK, PIPELINE = "landmark", "pipeline"
#: One thread, as in a pipeline; times are about the same work everywhere.
_THREADS = 1


@dataclass(frozen=True)
class EvaluationOptions:
    """How to ask.

    Attributes:
        tasks: Of ``"landmark"`` and ``"pipeline"``; None for all that the model and this
            installation allow.
        box_scale: Side of the first crop over the longer side of the labelled box.
        passes: 1, 2, or None for a second pass where the first region was far off.
        turns_deg: Each picture is looked at under each of these turns, clockwise.
        detector: Detector of the pipeline task, None for the one that ships.
        max_hands: Most hands that the pipeline looks for in a picture.
        backend: Back-end of the runtime.
        limit: At most so many pictures, None for all.
    """

    tasks: Optional[Tuple[str, ...]] = None
    box_scale: float = BOX_SCALE
    passes: Optional[int] = None
    turns_deg: Tuple[float, ...] = (0.0,)
    detector: Union[str, Path, None] = None
    max_hands: int = 2
    backend: str = "auto"
    limit: Optional[int] = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of it.

    Attributes:
        report: The figures.
        worst: Task -> the hands with the largest errors, largest first.
    """

    report: EvaluationReport
    worst: Mapping[str, Sequence[WorstHand]]


def evaluate(
    data: Union[str, Path],
    model: Union[str, Path, None] = None,
    options: Optional[EvaluationOptions] = None,
    *,
    watch: Callable[[List[LabelledPicture]], Iterable[LabelledPicture]] = iter,
) -> Evaluation:
    """Measure a model against labels.

    Args:
        data: Index of the labels, or a folder with one; ``docs/evaluate.md`` has the layout.
        model: Model with a card, None for the one that ships.
        options: How to ask, None for the defaults.
        watch: Gets the pictures and yields them, one when it is needed: for a progress bar.

    Raises:
        AtlasHpeError: Any of the files can't be used, or the back-end failed.
    """
    options = EvaluationOptions() if options is None else options
    pictures = read_labels(data, limit=options.limit)
    model_path = default_model_path() if model is None else Path(model)
    card = load_card(model_path)
    with ExitStack() as stack:
        session = stack.enter_context(
            open_session(model_path, backend=options.backend, threads=_THREADS)
        )
        tasks = _open_tasks(card, session, options, stack)
        run_tasks(watch(pictures), tasks, options.turns_deg)
    report = EvaluationReport(
        model=card.name,
        backend=session.backend,
        basis=session.basis,
        data=str(find_index(data)),
        pictures=len(pictures),
        left_out=sum(picture.left_out for picture in pictures),
        turns_deg=options.turns_deg,
        tasks={name: task.tally.report() for name, task in tasks.items()},
    )
    return Evaluation(report, {name: task.tally.worst() for name, task in tasks.items()})


def _open_tasks(
    card: ModelCard, session: Session, options: EvaluationOptions, stack: ExitStack
) -> Dict[str, Task]:
    """The tasks asked for, in a fixed order."""
    box = AskInBox(card, session, options.box_scale, options.passes)
    detector_path = options.detector or default_detector_path()
    possible = can_follow(card) and detector_path is not None
    wanted = (LANDMARK, PIPELINE)[: 1 + possible] if options.tasks is None else options.tasks
    tasks: Dict[str, Task] = {}
    if LANDMARK in wanted:
        tasks[LANDMARK] = Task(box, TaskTally(describe_given(box), "hand"))
    if PIPELINE in wanted:
        if detector_path is None or not can_follow(card):
            raise _no_pipeline(card, has_detector=detector_path is not None)
        detector = _open_detector(Path(detector_path), options.backend, stack)
        ask = AskPipeline(HandReader(card, session), detector, options.max_hands)
        what = (
            f"nothing is given; {detector.card.name} finds the hands, {options.max_hands} at most"
        )
        tasks[PIPELINE] = Task(ask, TaskTally(what, "picture", counts_false_alarms=True))
    return tasks


def _open_detector(path: Path, backend: str, stack: ExitStack) -> HandDetector:
    card = load_card(path)
    session = stack.enter_context(open_session(path, backend=backend, threads=_THREADS))
    check_detector_contract(card, session.inputs, session.outputs)
    return HandDetector(card, session)


def _no_pipeline(card: ModelCard, *, has_detector: bool) -> UsageError:
    if has_detector:
        why = f"it takes a whole picture (fit '{card.preprocess.fit}'), no crop of a hand"
        return UsageError("the model can't follow a detector", where=card.name, why=why)
    return UsageError(
        "no detector is installed, so the whole pipeline can't be evaluated",
        fix="name one with --detector FILE, or ask for --task landmark",
    )
