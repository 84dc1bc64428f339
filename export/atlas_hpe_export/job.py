"""One export from a module that may be changed to a file that is checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

import onnx
from torch import Tensor, nn

from atlas_hpe.card import ModelCard, Provenance, TensorSpec
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe_export.batchnorm import check_finite, freeze, repair_batch_norms
from atlas_hpe_export.export_report import ExportReport
from atlas_hpe_export.feeds import DrawFeeds, Feeds, describe_feeds, make_feeds
from atlas_hpe_export.finish import build_card, check_interface, write_checked
from atlas_hpe_export.frontend import Traced, trace_to_onnx
from atlas_hpe_export.operators import find_unknown_operators
from atlas_hpe_export.parity import DecodeJoints, compare
from atlas_hpe_export.parity_report import ParityReport, describe_parity, parity_figures
from atlas_hpe_export.passes import PASSES
from atlas_hpe_export.rewrite import rewrite_graph, simplify_graph
from atlas_hpe_export.runners import module_runner, open_runner
from atlas_hpe_export.steps import Step
from atlas_hpe_export.targets import Target

__all__ = ["ExportJob", "run_export"]

_PARITY_SAMPLES = 4


@dataclass(frozen=True, eq=False)
class ExportJob:
    """Everything that one export needs.

    Attributes:
        network: Module that may be changed: a copy, or one built for this.
        examples: Positional inputs on the CPU.
        path: The .onnx to write.
        target: Board's compiler.
        spec: Specification, None for a file without a card.
        provenance: Origin for the card; its rewrites, opset, soc and parity are filled in here.
        decode_joints: Joints from outputs, None for parity in tensors only.
        draw_feeds: Inputs that show hands, None for noise.
        name: Name for the card, None for the network's.
        notes: What was repaired before, in words.
        force: Replace a file that exists.
    """

    network: nn.Module
    examples: Sequence[Tensor]
    path: Path
    target: Target
    spec: Optional[NetworkSpec]
    provenance: Provenance
    decode_joints: Optional[DecodeJoints]
    draw_feeds: Optional[DrawFeeds]
    name: Optional[str]
    notes: Tuple[str, ...]
    force: bool


def run_export(job: ExportJob) -> ExportReport:
    """Freeze, trace, simplify, rewrite, compare, write.

    Raises:
        UsageError: Examples that do not fit the specification.
        CheckpointError: NaN in the weights, or a batch norm without statistics.
        CheckFailedError: The graph can't be made fit for the target, or says something else.
        OutputError: The file can't be written.
    """
    steps = _prepare(job.network, job.notes)
    inputs = _describe_inputs(job.spec, job.examples)
    traced = _trace(job, inputs)
    feeds = make_feeds(inputs, _PARITY_SAMPLES)
    model, step = simplify_graph(traced.model, feeds)
    model, rewrite_steps = rewrite_graph(model, PASSES, feeds)
    graph_steps = [step, *rewrite_steps]
    rewrites = tuple(f"{step.name} x{step.count}" for step in graph_steps if step.count)
    card = _draft_card(job, model, rewrites)
    parity = _check_parity(job, model, traced, inputs, feeds, card)
    if card is not None:
        provenance = replace(card.provenance, parity=parity_figures(parity))
        card = replace(card, provenance=provenance)
    summary = write_checked(model, job.path, card=card, target=job.target, force=job.force)
    return ExportReport(
        path=job.path,
        card=card,
        opset=summary.opsets["ai.onnx"],
        ir_version=summary.ir_version,
        rewrites=rewrites,
        parity=parity,
        sizes={
            "file_bytes": job.path.stat().st_size,
            "weights": summary.weights,
            "nodes": sum(summary.operators.values()),
        },
        steps=(*steps, *graph_steps),
        warnings=_collect_warnings(traced, summary.operators, card, parity),
    )


def _prepare(network: nn.Module, notes: Iterable[str]) -> List[Step]:
    network.cpu().float()
    found = [*notes, *repair_batch_norms(network), *freeze(network)]
    check_finite(network)
    if not found:
        return [Step("prepare", "not needed", "eval mode, float eps, statistics at hand")]
    return [Step("prepare", "applied", note) for note in found]


def _trace(job: ExportJob, inputs: Sequence[TensorSpec]) -> Traced:
    return trace_to_onnx(
        job.network,
        [item.float() if item.is_floating_point() else item for item in job.examples],
        input_names=[item.name for item in inputs],
        output_names=[item.name for item in job.spec.outputs] if job.spec is not None else [],
        opset=job.target.opset,
    )


def _describe_inputs(
    spec: Optional[NetworkSpec], examples: Sequence[Tensor]
) -> Tuple[TensorSpec, ...]:
    """The inputs as the specification says, or as the examples are."""
    shapes = [tuple(item.shape) for item in examples]
    if spec is not None:
        if shapes != [item.shape for item in spec.inputs]:
            raise UsageError(
                f"the example inputs are not those of '{spec.name}'",
                why=f"shapes {shapes}, expected {[item.shape for item in spec.inputs]}",
            )
        return spec.inputs
    names = ["input"] if len(examples) == 1 else [f"input_{i}" for i in range(len(examples))]
    return tuple(
        TensorSpec(
            name=name,
            shape=shape,
            dtype="float32" if item.is_floating_point() else str(item.dtype)[len("torch.") :],
            layout="NCHW" if len(shape) == 4 else "ND",
        )
        for name, shape, item in zip(names, shapes, examples)
    )


def _draft_card(
    job: ExportJob, model: onnx.ModelProto, rewrites: Tuple[str, ...]
) -> Optional[ModelCard]:
    """The card as far as it is known before the comparison."""
    if job.spec is None:
        return None
    check_interface(model, job.spec)
    provenance = replace(
        job.provenance, rewrites=rewrites, opset=job.target.opset, soc=job.target.name
    )
    return build_card(job.spec, job.name, provenance)


def _check_parity(
    job: ExportJob,
    model: onnx.ModelProto,
    traced: Traced,
    inputs: Sequence[TensorSpec],
    feeds: Sequence[Feeds],
    card: Optional[ModelCard],
) -> ParityReport:
    if job.draw_feeds is not None and card is not None:
        feeds = job.draw_feeds(card, _PARITY_SAMPLES)
    reference = module_runner(job.network, [item.name for item in inputs], traced.output_names)
    with open_runner(model) as candidate:
        report = compare(
            reference,
            candidate,
            feeds,
            card=card,
            decode_joints=job.decode_joints,
            source=describe_feeds(job.draw_feeds),
        )
    if not report.passed:
        raise CheckFailedError(
            "the exported graph does not say what PyTorch says; no file was written",
            where=job.path,
            why="; ".join(report.failures),
            fix="look at: " + " / ".join(line.strip() for line in describe_parity(report)),
        )
    return report


def _collect_warnings(
    traced: Traced,
    operators: Mapping[str, int],
    card: Optional[ModelCard],
    parity: ParityReport,
) -> Tuple[str, ...]:
    warnings = [f"PyTorch's exporter: {line}" for line in traced.warnings]
    unknown = find_unknown_operators(operators)
    if unknown:
        warnings.append(
            "operators not yet looked up for the board: " + ", ".join(unknown) + "; its compiler "
            "may refuse them"
        )
    if card is None:
        warnings.append("the file has no model card, so atlas-hpe run can't use it: pass spec=")
    return (*warnings, *parity.warnings)
