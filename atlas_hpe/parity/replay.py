"""Replaying a recorded bundle: parity where there is neither PyTorch nor onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.aipp import aipp_buffer, aipp_input_shape, bgr_to_nv12, check_aipp_card
from atlas_hpe.card import AippInput, ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.parity.bundle import ParityBundle
from atlas_hpe.parity.comparison import Comparison, DecodeJoints, decode_differs
from atlas_hpe.parity.ladder_report import LadderReport, RungReport
from atlas_hpe.parity.rungs import replay_rung
from atlas_hpe.parity.sample import Feeds, Sample
from atlas_hpe.parity.tolerances import TOLERANCES

__all__ = ["ReplaySession", "replay_bundle"]


class ReplaySession(Protocol):
    """What a replay needs of a session of the runtime."""

    @property
    def backend(self) -> str:
        """Name of the back-end."""

    @property
    def basis(self) -> str:
        """What its results are: simulated, or measured on a board."""

    @property
    def inputs(self) -> Tuple[TensorSpec, ...]:
        """Inputs in graph order."""

    def run(self, feeds: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run once and wait."""


def replay_bundle(
    path: Union[str, Path],
    session: ReplaySession,
    *,
    model: str,
    card: Optional[ModelCard] = None,
    decode_joints: Optional[DecodeJoints] = None,
) -> LadderReport:
    """Run a model on the inputs of a bundle and compare it with what the reference said.

    A model that takes the recorded inputs gets them, in float16 where it takes that. One with AIPP
    in front gets the recorded picture in the form that its card tells; without a card one whose
    only input is uint8, of as many bytes as the picture has in NV12, gets NV12.

    Args:
        path: The .npz that ``parity --record`` wrote.
        session: The model, opened by the runtime.
        model: File name of the model, for the report.
        card: Card of the model; None to decode its joints by the card of the bundle.
        decode_joints: Joints from outputs; None to compare tensors only.

    Raises:
        InputError: The bundle can't be used.
        CheckFailedError: The model takes other inputs, or gives other outputs.
        CardError: The card has AIPP that is not possible.
        UsageError: AIPP makes pictures of another size than were recorded.
    """
    if card is not None:
        check_aipp_card(card)
    with ParityBundle(path) as bundle:
        facts = bundle.facts
        comparison = Comparison(
            card or facts.card, decode_joints, own_outputs=decode_differs(facts.card, card)
        )
        preprocess = None if card is None else card.preprocess
        aipp = None if preprocess is None else preprocess.aipp
        from_pictures = False
        for answer in bundle.answers():
            feeds = _show_picture(session.inputs, answer.sample, aipp)
            from_pictures |= feeds is not None and not _is_exact(preprocess)
            comparison.add(answer, session.run(feeds or _feed(session.inputs, answer.sample)))
    precision = "float32" if card is None else card.provenance.precision
    rung = replay_rung(
        session.backend, session.basis, from_pictures=from_pictures, precision=precision
    )
    parity = comparison.report(TOLERANCES[rung.tolerance], f"{facts.source}, recorded")
    return LadderReport(
        reference=f"{facts.reference} ({facts.reference_kind}, recorded in {Path(path).name})",
        model=model,
        rungs=(RungReport(rung.name, rung.what, parity, comparison.worst),),
    )


def _is_exact(preprocess: Optional[PreprocessSpec]) -> bool:
    """Whether the network sees the recorded picture itself: no colour computed, nothing padded."""
    if preprocess is None or preprocess.aipp is None:
        return False
    aipp = preprocess.aipp
    computed = aipp.matrix is not None or (preprocess.colour == "gray") != (aipp.form == "gray")
    return not computed and not any(aipp.padding)


def _show_picture(
    inputs: Sequence[TensorSpec], sample: Sample, aipp: Optional[AippInput]
) -> Optional[Feeds]:
    """The recorded picture for a model with AIPP in front, None for one without."""
    if sample.crop is None:
        return None
    if aipp is None:
        if not _takes_nv12(inputs, sample):
            return None
        return {inputs[0].name: bgr_to_nv12(sample.crop).reshape(inputs[0].shape)}
    if len(inputs) != 1 or not _fits(inputs[0], "uint8", aipp_input_shape(aipp)):
        return None
    return {inputs[0].name: aipp_buffer(sample.crop, aipp)}


def _takes_nv12(inputs: Sequence[TensorSpec], sample: Sample) -> bool:
    """Whether the model wants the picture itself, as the device's decoders deliver it."""
    if sample.crop is None or len(inputs) != 1 or inputs[0].dtype != "uint8":
        return False
    recorded = sample.feeds.get(inputs[0].name)
    if recorded is not None and recorded.dtype == np.uint8:
        return False  # the card's own input is uint8: feed what was recorded
    height, width = sample.crop.shape[:2]
    size_bytes = int(np.prod(inputs[0].shape))
    return size_bytes * 2 == int(height * width * 3)


def _feed(inputs: Tuple[TensorSpec, ...], sample: Sample) -> Feeds:
    feeds = dict(sample.feeds)
    for item in inputs:
        if item.dtype == "float16" and item.name in feeds and feeds[item.name].dtype == np.float32:
            feeds[item.name] = feeds[item.name].astype(np.float16)
    fits = len(inputs) == len(feeds) and all(
        item.name in feeds and _fits(item, str(feeds[item.name].dtype), feeds[item.name].shape)
        for item in inputs
    )
    if not fits:
        found = [(item.name, item.dtype, item.shape) for item in inputs]
        recorded = [(name, str(item.dtype), item.shape) for name, item in sample.feeds.items()]
        raise CheckFailedError(
            "the model does not take the inputs of the bundle",
            why=f"it takes {_show(found)}; recorded are {_show(recorded)}",
            fix="record a bundle with the .onnx that this model was made from; a model with AIPP "
            "needs its card, which says in which form it takes the recorded pictures",
        )
    return feeds


def _fits(wanted: TensorSpec, dtype: str, shape: Sequence[int]) -> bool:
    same_rank = wanted.dtype == dtype and len(wanted.shape) == len(shape)
    return same_rank and all(size in (-1, have) for size, have in zip(wanted.shape, shape))


def _show(tensors: Sequence[Tuple[str, str, Tuple[int, ...]]]) -> str:
    return ", ".join(f"'{name}' {dtype} {list(shape)}" for name, dtype, shape in tensors)
