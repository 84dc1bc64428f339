"""One export from a network that may be changed to a file that is checked."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import onnx
import torch
from torch import nn

from atlas_hpe.card import ModelCard, Provenance, TensorSpec
from atlas_hpe.errors import DeviceError, ModelFileError
from atlas_hpe.parity import (
    DecodeJoints,
    ParityReport,
    Sample,
    compare,
    file_tolerance,
    parity_figures,
)
from atlas_hpe.parity.sample import Run
from atlas_hpe.targets import Target
from atlas_hpe_export.batchnorm import check_finite, freeze, repair_batch_norms
from atlas_hpe_export.check import CheckReport
from atlas_hpe_export.check.finding import BLOCKER, WARNING
from atlas_hpe_export.decoding import GRAPH_DECODERS, append_decoding
from atlas_hpe_export.export_report import ExportReport
from atlas_hpe_export.feeds import Feeds, make_feeds
from atlas_hpe_export.finish import check_interface, hash_graph, write_checked
from atlas_hpe_export.fit import fit_to_board
from atlas_hpe_export.frontends import Captured, capture
from atlas_hpe_export.graph import as_ir, as_proto, infer_shapes
from atlas_hpe_export.parity.inputs import DrawSamples
from atlas_hpe_export.proof import prove_board_takes, prove_parity
from atlas_hpe_export.runners import module_runner, open_runner
from atlas_hpe_export.steps import Step
from atlas_hpe_export.storage import store_graph

__all__ = ["ExportJob", "run_export"]

_SAMPLES = 4


@dataclass(frozen=True, eq=False)
class ExportJob:
    """Everything that one export needs.

    Attributes:
        path: The .onnx to write.
        target: Board's compiler.
        network: Module that may be changed: a copy, or one built for this; None for ONNX.
        program: The exported program that ``network`` belongs to, None for the other kinds.
        model: The ONNX model to start from, None where there is a network.
        inputs: The inputs as the graph shall have them, in the order of ``forward``.
        origin: Where the network comes from; the build record is filled in here.
        card: Card with the network's contract, None for a file without a card.
        frontend: Key of ``FRONTENDS``, or ``"auto"``.
        decode_in_graph: Append the decoding of the card to the graph.
        decode_joints: Joints from outputs, None for parity in tensors only.
        draw_samples: Inputs that show hands, None for noise.
        notes: What was repaired before, in words.
        precision: One of ``storage.PRECISIONS``.
        allow_blockers: Write the file although the compiler would refuse it.
        force: Replace a file that exists.
        source: File that the network came from, for messages.
    """

    path: Path
    target: Target
    origin: Provenance
    network: Optional[nn.Module] = None
    program: Optional[torch.export.ExportedProgram] = None
    model: Optional[onnx.ModelProto] = None
    inputs: Tuple[TensorSpec, ...] = ()
    card: Optional[ModelCard] = None
    frontend: str = "auto"
    decode_in_graph: bool = False
    decode_joints: Optional[DecodeJoints] = None
    draw_samples: Optional[DrawSamples] = None
    notes: Tuple[str, ...] = ()
    precision: str = "float32"
    allow_blockers: bool = False
    force: bool = False
    source: Optional[Path] = None


#: Names of the graph's outputs -> the network that everything is held against.
_Reference = Callable[[Sequence[str]], Run]


def run_export(job: ExportJob) -> ExportReport:
    """Freeze, capture, fit to the board, compare, check, write.

    Raises:
        CheckpointError: NaN in the weights, or a batch norm without statistics.
        CheckFailedError: The graph can't be made fit for the target, or says something else.
        OutputError: The file can't be written.
    """
    prepared = _prepare(job)
    feeds = make_feeds(job.inputs, _SAMPLES)
    with _open_reference(job) as reference:
        captured = _capture(job, reference, feeds)
        model, fitted = fit_to_board(captured.model, feeds, job.target)
        card = job.card
        if card is not None:
            check_interface(model, card)
        model, card, finished = _finish_graph(job, model, card)
        fitted = (*fitted, *finished)
        checked = prove_board_takes(
            model, job.target, path=job.path, allow_blockers=job.allow_blockers
        )
        samples, source = _gather_samples(job, feeds)
        parity = prove_parity(
            reference(captured.output_names),
            model,
            samples,
            source,
            reference_card=job.card,
            card=card,
            decode_joints=job.decode_joints,
            path=job.path,
            tolerance=file_tolerance(job.precision),
        )
    build = _record_build(job, model, captured.frontend, fitted, parity)
    if card is not None:
        card = replace(card, provenance=build)
    summary = write_checked(
        model, job.path, card=card, build=build, target=job.target, force=job.force
    )
    return ExportReport(
        path=job.path,
        card=card,
        opset=summary.opsets["ai.onnx"],
        ir_version=summary.ir_version,
        rewrites=_list_applied(fitted),
        parity=parity,
        check=checked,
        sizes={
            "file_bytes": job.path.stat().st_size,
            "weights": summary.weights,
            "nodes": sum(summary.operators.values()),
        },
        steps=(*prepared, _describe_capture(captured), *fitted),
        warnings=_collect_warnings(captured, checked, card, parity),
    )


def _prepare(job: ExportJob) -> List[Step]:
    """Put the module into the state that is exported; a program and a graph are in theirs."""
    found = list(job.notes)
    if job.network is not None and job.program is None:
        job.network.cpu().float()
        found += [*repair_batch_norms(job.network), *freeze(job.network)]
        check_finite(job.network)
    if not found:
        return [Step("prepare", "not needed", "eval mode, float eps, statistics at hand")]
    return [Step("prepare", "applied", note) for note in found]


@contextmanager
def _open_reference(job: ExportJob) -> Iterator[_Reference]:
    if job.network is not None:
        network, names = job.network, [item.name for item in job.inputs]
        yield lambda outputs: module_runner(network, names, outputs)
    elif job.model is not None:
        with _open_graph(job) as run:
            yield lambda outputs: run
    else:
        raise ValueError("an export needs a network or a graph")


@contextmanager
def _open_graph(job: ExportJob) -> Iterator[Run]:
    """The graph as it came; a file that does not run is the user's, not ours."""
    if job.model is None:
        raise ValueError("there is no graph")
    try:
        with open_runner(job.model) as run:
            for feed in make_feeds(job.inputs, 1):
                run(feed)
            yield run
    except (ModelFileError, DeviceError) as error:
        raise ModelFileError(
            "ONNX Runtime does not run the model as it is",
            where=job.source,
            why=error.why or error.what,
            fix=f"see what is in it: atlas-hpe check {job.source}",
        ) from error


def _capture(job: ExportJob, reference: _Reference, feeds: Sequence[Feeds]) -> Captured:
    if job.network is None:
        return _take_graph(job)

    def find_departure(model: onnx.ModelProto) -> Optional[str]:
        outputs = [info.name for info in model.graph.output]
        with open_runner(model) as candidate:
            report = compare(reference(outputs), candidate, feeds)
        return "; ".join(report.failures) or None

    return capture(
        job.network,
        [torch.from_numpy(np.array(feeds[0][item.name])) for item in job.inputs],
        input_names=[item.name for item in job.inputs],
        output_names=() if job.card is None else [o.name for o in job.card.graphs[0].outputs],
        frontend=job.frontend,
        program=job.program,
        verify=find_departure,
    )


def _take_graph(job: ExportJob) -> Captured:
    if job.model is None:
        raise ValueError("there is no graph")
    names = tuple(info.name for info in job.model.graph.output)
    return Captured(job.model, names, "", "the file is a graph already", ())


def _finish_graph(
    job: ExportJob, model: onnx.ModelProto, card: Optional[ModelCard]
) -> Tuple[onnx.ModelProto, Optional[ModelCard], List[Step]]:
    """What the caller wants of a graph that is fit for the board: decoding, precision."""
    steps: List[Step] = []
    if card is not None and job.decode_in_graph:
        model, card, step = _append_decoding(model, card)
        steps.append(step)
    model, stored = store_graph(model, job.precision)
    return model, card, [*steps, *stored]


def _append_decoding(
    model: onnx.ModelProto, card: ModelCard
) -> Tuple[onnx.ModelProto, ModelCard, Step]:
    edited = as_ir(model)
    infer_shapes(edited)
    card = append_decoding(edited, card, GRAPH_DECODERS)
    step = Step("decode-in-graph", "applied", "coordinates leave the device, not heatmaps")
    return as_proto(edited), card, step


def _gather_samples(job: ExportJob, feeds: Sequence[Feeds]) -> Tuple[List[Sample], str]:
    if job.card is None or job.draw_samples is None:
        noise = [Sample(f"noise {number}", feed) for number, feed in enumerate(feeds)]
        return noise, "noise from a seed, no photographs"
    drawn = list(job.draw_samples(job.card, _SAMPLES))
    return drawn, "hands drawn by this project, no photographs"


def _describe_capture(captured: Captured) -> Step:
    what = captured.frontend or "onnx"
    return Step("capture", "applied", f"{what}: {captured.reason}")


def _list_applied(steps: Sequence[Step]) -> Tuple[str, ...]:
    done = [step for step in steps if step.status == "applied"]
    return tuple(f"{step.name} x{step.count}" if step.count else step.name for step in done)


def _record_build(
    job: ExportJob,
    model: onnx.ModelProto,
    frontend: str,
    steps: Sequence[Step],
    parity: ParityReport,
) -> Provenance:
    """Everything that somebody needs to know who has the file and nothing else."""
    not_applied = [step for step in steps if step.status in ("refused", "reverted", "skipped")]
    return replace(
        job.origin,
        frontend=frontend or None,
        rewrites=_list_applied(steps),
        refused=tuple(f"{step.name}: {step.status}, {step.reason}" for step in not_applied),
        opset=job.target.opset,
        precision=job.precision,
        soc=job.target.name,
        graph_sha256=hash_graph(model),
        parity=parity_figures(parity),
    )


def _collect_warnings(
    captured: Captured, checked: CheckReport, card: Optional[ModelCard], parity: ParityReport
) -> Tuple[str, ...]:
    warnings = [f"PyTorch's exporter: {line}" for line in captured.warnings]
    for severity in (BLOCKER, WARNING):
        found = checked.of(severity)
        if found:
            rules = sorted({item.rule for item in found})
            warnings.append(f"check: {len(found)} {severity}(s): {', '.join(rules)}")
    if card is None:
        warnings.append(
            "the file has no model card, so atlas-hpe run can't use it: a NetworkSpec makes one"
        )
    return (*warnings, *parity.warnings)
