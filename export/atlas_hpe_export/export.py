"""PyTorch -> ONNX that the board's compiler takes, with proof."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from atlas_hpe.card import Provenance, TensorSpec
from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe.outfile import check_out_path
from atlas_hpe_export.batchnorm import repair_state_dict
from atlas_hpe_export.checkpoint import Checkpoint, load_checkpoint
from atlas_hpe_export.export_report import ExportReport
from atlas_hpe_export.feeds import DrawFeeds
from atlas_hpe_export.finish import tool_versions
from atlas_hpe_export.job import ExportJob, run_export
from atlas_hpe_export.parity import DecodeJoints
from atlas_hpe_export.recognition import recognise
from atlas_hpe_export.targets import find_target

__all__ = ["build_network", "export_checkpoint", "export_onnx"]


def export_checkpoint(
    checkpoint_path: Union[str, Path],
    out_path: Union[str, Path],
    *,
    arch: Optional[str] = None,
    target: str = "Ascend310",
    decode_joints: Optional[DecodeJoints] = None,
    draw_feeds: Optional[DrawFeeds] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
    attribution: Sequence[str] = (),
    force: bool = False,
) -> ExportReport:
    """Export a checkpoint of one of the toolkit's networks.

    Args:
        checkpoint_path: State dict written by ``torch.save``.
        out_path: The .onnx to write.
        arch: Network; None to recognise it by its tensors.
        target: Board's compiler, see ``targets.TARGETS``.
        decode_joints: Joints from outputs, for parity in joints; None for tensors only.
        draw_feeds: Pictures of hands as inputs (card, count -> feeds) to compare joints on; None
            for noise, in which a network may find no hand.
        name: Name of the model in its card; None for the network's.
        licence: Licence of the weights, for the card.
        attribution: Sources that have to be named where the weights go, for the card.
        force: Replace a file that exists.

    Raises:
        CheckpointError: The checkpoint can't be used, or fits no network.
        OutputError: The output can't be written, or must not be.
        CheckFailedError: The graph can't be made fit for the target, or says something else than
            PyTorch; no file is left.
    """
    found_target = find_target(target)
    out_path = check_out_path(out_path, [".onnx"], force=force)
    checkpoint = load_checkpoint(checkpoint_path)
    if out_path.exists() and out_path.samefile(checkpoint.path):
        raise OutputError("the output is the checkpoint itself", where=out_path, fix="change --out")
    spec = recognise(checkpoint.state_dict, arch, where=checkpoint.path)
    module, notes = build_network(checkpoint, spec)
    return run_export(
        ExportJob(
            network=module,
            examples=[_example_of(item) for item in spec.inputs],
            path=out_path,
            target=found_target,
            spec=spec,
            provenance=_describe_origin(spec.name, checkpoint, licence, attribution),
            decode_joints=decode_joints,
            draw_feeds=draw_feeds,
            name=name,
            notes=(*_describe_choice(checkpoint), *notes),
            force=force,
        )
    )


def export_onnx(
    module: nn.Module,
    example_inputs: Union[Tensor, Sequence[Tensor]],
    path: Union[str, Path],
    *,
    target: str = "Ascend310",
    spec: Optional[NetworkSpec] = None,
    decode_joints: Optional[DecodeJoints] = None,
    draw_feeds: Optional[DrawFeeds] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
    attribution: Sequence[str] = (),
    force: bool = False,
) -> ExportReport:
    """Export any PyTorch module; the module itself is left exactly as it was.

    Args:
        module: Network; a copy of it is put in eval mode and repaired.
        example_inputs: One tensor per input of ``forward``; their shapes become the graph's.
        path: The .onnx to write.
        target: Board's compiler, see ``targets.TARGETS``.
        spec: Names, preprocessing and decoding for the model card; None to write no card.
        decode_joints: Joints from outputs, for parity in joints; needs ``spec``.
        draw_feeds: Pictures of hands as inputs (card, count -> feeds) to compare joints on; needs
            ``spec``; None for noise, in which a network may find no hand.
        name: Name of the model in its card; None for the network's.
        licence: Licence of the weights, for the card.
        attribution: Sources that have to be named where the weights go, for the card.
        force: Replace a file that exists.

    Raises:
        UsageError: Inputs or options that do not fit the network.
        OutputError: The output can't be written, or must not be.
        CheckpointError: NaN in the weights, or a batch norm without statistics.
        CheckFailedError: The graph can't be made fit for the target, or says something else than
            PyTorch; no file is left.
    """
    found_target = find_target(target)
    if spec is None and (decode_joints is not None or draw_feeds is not None):
        raise UsageError("there are no joints without a specification", fix="pass spec=")
    path = check_out_path(path, [".onnx"], force=force)
    examples = [example_inputs] if isinstance(example_inputs, Tensor) else list(example_inputs)
    if not examples or not all(isinstance(item, Tensor) for item in examples):
        raise UsageError("example_inputs must be a tensor or a sequence of tensors")
    try:
        network = copy.deepcopy(module)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise UsageError(
            "the module can't be copied, so it can't be exported without changing it",
            why=str(error),
            fix="detach the tensors that it keeps, and export again",
        ) from error
    return run_export(
        ExportJob(
            network=network,
            examples=[item.detach().cpu() for item in examples],
            path=path,
            target=found_target,
            spec=spec,
            provenance=_describe_origin(
                type(module).__name__ if spec is None else spec.name, None, licence, attribution
            ),
            decode_joints=decode_joints,
            draw_feeds=draw_feeds,
            name=name,
            notes=(),
            force=force,
        )
    )


def build_network(checkpoint: Checkpoint, spec: NetworkSpec) -> Tuple[nn.Module, Tuple[str, ...]]:
    """The network with the weights of a checkpoint, and what was repaired, in words.

    Raises:
        CheckpointError: A batch norm without statistics.
    """
    module = spec.build()
    weights, notes = repair_state_dict(checkpoint.state_dict, module)
    module.load_state_dict(weights)
    return module, notes


def _example_of(spec: TensorSpec) -> Tensor:
    return torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))


def _describe_choice(checkpoint: Checkpoint) -> Tuple[str, ...]:
    """Which of the weights in the file were taken; training files often hold averaged ones too."""
    if checkpoint.key is None:
        return ()
    others = ", ".join(f"'{key}'" for key in checkpoint.other_keys)
    note = f"took the weights under '{checkpoint.key}'"
    return (note + (f"; those under {others} have the same names" if others else ""),)


def _describe_origin(
    network: str,
    checkpoint: Optional[Checkpoint],
    licence: Optional[str],
    attribution: Sequence[str],
) -> Provenance:
    return Provenance(
        network=network,
        checkpoint=None if checkpoint is None else checkpoint.path.name,
        checkpoint_sha256=None if checkpoint is None else checkpoint.sha256,
        licence=licence,
        attribution=tuple(attribution),
        tools=tool_versions(),
    )
