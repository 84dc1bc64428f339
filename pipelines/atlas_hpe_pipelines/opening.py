"""The models of a run, opened and held against their cards before the first frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence, Union

from atlas_hpe.card import ModelCard, TensorSpec, load_card
from atlas_hpe.errors import UsageError
from atlas_hpe.geometry import Box
from atlas_hpe.models import default_detector_path, default_model_path
from atlas_hpe_pipelines.contract import check_contract, check_detector_contract
from atlas_hpe_runtime import Session, open_session

__all__ = ["HOST_THREADS", "ModelPaths", "Models", "choose_models", "open_models"]

#: Threads of a back-end on the host. One: the other stages keep the other cores busy, and a small
#: network gains less from a second thread than the encoder does (make bench shows it).
HOST_THREADS = 1


@dataclass(frozen=True)
class ModelPaths:
    """The files that a run reads its models from.

    Attributes:
        model: The landmark network.
        card: Its card.
        detector: The hand detector, None where the model looks at a fixed region.
    """

    model: Path
    card: ModelCard
    detector: Optional[Path]


@dataclass(frozen=True)
class Models:
    """The networks of a run.

    Attributes:
        card: Card of the landmark network.
        session: The landmark network.
        detector_card: Card of the detector, None where the model looks at a fixed region.
        detector: The detector.
    """

    card: ModelCard
    session: Session
    detector_card: Optional[ModelCard] = None
    detector: Optional[Session] = None


def choose_models(
    model: Union[str, Path, None], detector: Union[str, Path, None], box: Optional[Box]
) -> ModelPaths:
    """Which files a run needs; none is opened but the card.

    Args:
        model: What the user named, None for the one that ships with the package.
        detector: None for none; ``"auto"`` is the one that ships with the package where the model
            takes a crop and no box is given, otherwise none.
        box: The hand's box, None where it is not known.

    Raises:
        CardError: The model has no card.
        UsageError: A detector contradicts the box, or the model takes no crop.
    """
    path = default_model_path() if model is None else Path(model)
    card = load_card(path)
    return ModelPaths(path, card, _choose_detector(card, box, detector))


def open_models(stack: ExitStack, paths: ModelPaths, backend: str) -> Models:
    """Open the networks for as long as the stack lives.

    Raises:
        AtlasHpeError: A model can't be opened, or does not fit its card.
    """
    session = _open(stack, paths.model, paths.card, check_contract, backend)
    if paths.detector is None:
        return Models(paths.card, session)
    card = load_card(paths.detector)
    detector = _open(stack, paths.detector, card, check_detector_contract, backend)
    return Models(paths.card, session, card, detector)


def _choose_detector(
    card: ModelCard, box: Optional[Box], detector: Union[str, Path, None]
) -> Optional[Path]:
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
    session = stack.enter_context(open_session(path, backend=backend, threads=HOST_THREADS))
    check(card, session.inputs, session.outputs)
    return session
