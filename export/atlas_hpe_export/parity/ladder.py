"""Climbing the ladder: one reference, asked once per sample, and every rung held against it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple, Union

import onnx

from atlas_hpe.aipp import aipp_feeds, choose_aipp_input
from atlas_hpe.card import ModelCard, find_card
from atlas_hpe.errors import UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.outfile import check_out_path
from atlas_hpe.parity import (
    BUNDLE_SUFFIX,
    RUNGS,
    TOLERANCES,
    Answer,
    BundleFacts,
    Comparison,
    DecodeJoints,
    LadderReport,
    RungReport,
    Sample,
    ask,
    bind_joints,
    file_tolerance,
    find_rungs,
    record_answers,
)
from atlas_hpe.parity.comparison import decode_differs
from atlas_hpe.parity.sample import Outputs
from atlas_hpe_export.finish import tool_versions
from atlas_hpe_export.model_file import load_onnx
from atlas_hpe_export.parity.half_precision import emulate_half
from atlas_hpe_export.parity.inputs import (
    DrawSamples,
    LadderSamples,
    PrepareSample,
    gather_samples,
)
from atlas_hpe_export.parity.reference import (
    NetworkOptions,
    Reference,
    check_interface,
    open_reference,
)
from atlas_hpe_export.runners import open_runner
from atlas_hpe_export.storage import is_stored_half
from atlas_hpe_runtime import open_session

__all__ = ["run_ladder"]

#: A rung, opened: a sample to outputs.
RunSample = Callable[[Sample], Outputs]


@dataclass(frozen=True, eq=False)
class _Subject:
    """The model under test with everything that it is held against."""

    path: Path
    proto: onnx.ModelProto
    card: Optional[ModelCard]
    reference: Reference
    own_outputs: bool
    inputs: LadderSamples
    decode_joints: Optional[DecodeJoints]
    notes: Tuple[str, ...]


def run_ladder(
    model: Union[str, Path],
    reference: Optional[Union[str, Path]] = None,
    *,
    rungs: Optional[Sequence[str]] = None,
    options: Optional[NetworkOptions] = None,
    images: Optional[Union[str, Path]] = None,
    prepare_sample: Optional[PrepareSample] = None,
    draw_samples: Optional[DrawSamples] = None,
    decode_joints: Optional[DecodeJoints] = None,
    record: Optional[Union[str, Path]] = None,
    force: bool = False,
) -> LadderReport:
    """Hold a model, run in several ways, against its reference.

    Args:
        model: The .onnx under test.
        reference: The PyTorch file or the .onnx that it was made from; None to take the model
            itself in float32 as the reference, which needs no PyTorch.
        rungs: Keys of ``RUNGS``; None for all that the model allows.
        options: How to make a network of a PyTorch file; None to recognise it by its tensors.
        images: Folder of pictures; None for drawn hands, or noise where there is no picture.
        prepare_sample: Reads one picture as the card says; needed with ``images``.
        draw_samples: Draws hands as the card says, for when there are no pictures.
        decode_joints: Joints from outputs; None to compare tensors only.
        record: Write what the reference says to this .npz, to be replayed on a board.
        force: Replace a bundle that exists.

    Raises:
        InputError: A file can't be used: the model, the reference or the pictures.
        UsageError: Options that do not go together, or a rung that this model does not have.
        CheckFailedError: The two have other inputs or outputs.
        OutputError: The bundle can't be written.
    """
    path = Path(model)
    if record is not None:
        check_out_path(record, [BUNDLE_SUFFIX], force=force)
    # Also refuses, before ONNX Runtime opens the file, what would keep it busy for ever.
    summary, proto = load_onnx(path)
    model_card = find_card(path)
    with ExitStack() as stack:
        origin = path if reference is None else Path(reference)
        opened = stack.enter_context(open_reference(origin, summary, options or NetworkOptions()))
        card = model_card or opened.card
        own_outputs = decode_differs(opened.card, model_card)
        check_interface(opened, summary, path, outputs=not own_outputs)
        subject = _Subject(
            path=path,
            proto=proto,
            card=card,
            reference=opened,
            own_outputs=own_outputs,
            inputs=gather_samples(
                card,
                summary.inputs,
                images=images,
                prepare_sample=prepare_sample,
                draw_samples=draw_samples,
            ),
            decode_joints=decode_joints,
            notes=_find_notes(model_card, opened),
        )
        left_out = _find_left_out(subject, itself=reference is None)
        chosen = _choose(rungs, left_out)
        runs = _open_rungs(chosen, subject, stack)
        return _climb(subject, runs, left_out if rungs is None else {}, record, force)


def _find_notes(card: Optional[ModelCard], reference: Reference) -> Tuple[str, ...]:
    named = None if card is None else card.provenance.checkpoint_sha256
    if reference.kind == "PyTorch" and named not in (None, reference.sha256):
        return ("the model's card names another checkpoint",)
    return ()


def _find_left_out(subject: _Subject, *, itself: bool) -> Dict[str, str]:
    """The rungs that this model does not have, each with the reason."""
    left_out: Dict[str, str] = {}
    if itself:
        left_out["onnx"] = "the file itself in float32 is the reference"
    if subject.card is None or not subject.inputs.have_crops:
        left_out["aipp"] = "the samples are no pictures, and AIPP takes nothing else"
    elif not subject.card.preprocess.dtype.startswith("float"):
        left_out["aipp"] = "the model takes whole numbers, and AIPP gives fp16"
    else:
        try:
            choose_aipp_input(subject.card.preprocess, "nv12")
        except UsageError as error:
            left_out["aipp"] = error.why or error.what
    return left_out


def _choose(rungs: Optional[Sequence[str]], left_out: Dict[str, str]) -> Tuple[str, ...]:
    if rungs is None:
        return tuple(name for name in RUNGS if name not in left_out)
    chosen = find_rungs(",".join(rungs))
    for name in chosen:
        if name in left_out:
            raise UsageError(f"there is no rung '{name}' here", where="--rungs", why=left_out[name])
    return chosen


def _open_rungs(chosen: Sequence[str], subject: _Subject, stack: ExitStack) -> Dict[str, RunSample]:
    runs: Dict[str, RunSample] = {}
    if "onnx" in chosen:
        session = stack.enter_context(open_session(subject.path, backend="onnxruntime"))
        runs["onnx"] = lambda sample: session.run(sample.feeds)
    if "half" in chosen or "aipp" in chosen:
        run_half = stack.enter_context(open_runner(emulate_half(subject.proto)))
        if "half" in chosen:
            runs["half"] = lambda sample: run_half(sample.feeds)
        if "aipp" in chosen:
            runs["aipp"] = lambda sample: run_half(_feed_aipp(subject.card, sample))
    return runs


def _feed_aipp(card: Optional[ModelCard], sample: Sample) -> Outputs:
    if card is None or sample.crop is None:
        raise UsageError(
            f"the sample '{sample.name}' has no picture", fix="leave out the rung aipp"
        )
    return aipp_feeds(card, sample.crop)


def _climb(
    subject: _Subject,
    runs: Dict[str, RunSample],
    left_out: Dict[str, str],
    record: Optional[Union[str, Path]],
    force: bool,
) -> LadderReport:
    reference, inputs = subject.reference, subject.inputs
    comparisons = {
        name: Comparison(subject.card, subject.decode_joints, own_outputs=subject.own_outputs)
        for name in runs
    }
    answers: Iterable[Answer] = ask(
        reference.run,
        inputs.samples,
        bind_joints(reference.card or subject.card, subject.decode_joints),
    )
    first: Optional[Sample] = None
    with ExitStack() as stack:
        if record is not None:
            recorded = record_answers(record, answers, _describe(subject), force=force)
            answers = stack.enter_context(closing(recorded))
        for answer in answers:
            first = first or answer.sample
            for name, comparison in comparisons.items():
                comparison.add(answer, runs[name](answer.sample))
    return LadderReport(
        reference=f"{reference.name} ({reference.kind})",
        model=subject.path.name,
        rungs=tuple(
            RungReport(
                name=name,
                what=RUNGS[name].what,
                parity=comparison.report(
                    TOLERANCES[_tolerance_of(name, subject.proto)],
                    inputs.source,
                    needs_joints=inputs.are_photographs,
                ),
                worst=comparison.worst,
            )
            for name, comparison in comparisons.items()
        ),
        left_out=left_out,
        notes=subject.notes,
        first_sample=first,
    )


def _tolerance_of(rung: str, model: onnx.ModelProto) -> str:
    """Key of ``TOLERANCES``; a file that is stored in float16 has rounded its weights already."""
    if rung == "onnx" and is_stored_half(model):
        return file_tolerance("float16")
    return RUNGS[rung].tolerance


def _describe(subject: _Subject) -> BundleFacts:
    return BundleFacts(
        reference=subject.reference.name,
        reference_kind=subject.reference.kind,
        reference_sha256=subject.reference.sha256,
        model=subject.path.name,
        model_sha256=sha256_of(subject.path),
        source=subject.inputs.source,
        tools=tool_versions(),
        card=subject.reference.card or subject.card,
    )
