"""PyTorch, or ONNX as somebody left it -> ONNX that the board's compiler takes, with proof."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple, Union

from torch import Tensor, nn

from atlas_hpe.card import ModelCard, Provenance, TensorSpec
from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe.outfile import check_out_path
from atlas_hpe.parity import DecodeJoints
from atlas_hpe.targets import DEFAULT_SOC, Target, find_target
from atlas_hpe_export.export_report import ExportReport
from atlas_hpe_export.finish import build_card, read_specs, tool_versions
from atlas_hpe_export.inputs import ExportInput, open_input
from atlas_hpe_export.job import ExportJob, run_export
from atlas_hpe_export.parity.inputs import DrawSamples

__all__ = ["export_file", "export_onnx"]


def export_file(
    path: Union[str, Path],
    out_path: Union[str, Path],
    *,
    arch: Optional[str] = None,
    factory: Optional[str] = None,
    input_shapes: Sequence[str] = (),
    trust_pickle: bool = False,
    frontend: str = "auto",
    decode_in_graph: bool = False,
    target: str = DEFAULT_SOC,
    decode_joints: Optional[DecodeJoints] = None,
    draw_samples: Optional[DrawSamples] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
    attribution: Sequence[str] = (),
    precision: str = "float32",
    allow_blockers: bool = False,
    force: bool = False,
) -> ExportReport:
    """Export a file: weights, TorchScript, an exported program, a pickled module, or ONNX.

    Args:
        path: What to start from; its content says what it is, see ``inputs.open_input``.
        out_path: The .onnx to write.
        arch: Network of the toolkit that weights belong to; None to recognise it by its tensors.
        factory: ``package.module:function`` that builds the network of the weights.
        input_shapes: ``1,3,256,256`` or ``name:1,3,256,256`` per input, where nothing else says it.
        trust_pickle: Run the code that a pickled module brings.
        frontend: ``"auto"``, or a key of ``frontends.FRONTENDS``.
        decode_in_graph: Let coordinates leave the device instead of heatmaps.
        target: Board's compiler, see :func:`atlas_hpe.targets.find_target`.
        decode_joints: Joints from outputs, for parity in joints; None for tensors only.
        draw_samples: Pictures of hands as inputs (card, count -> samples) to compare joints on;
            None for noise, in which a network may find no hand.
        name: Name of the model in its card; None for the network's.
        licence: Licence of the weights, for the card.
        attribution: Sources that have to be named where the weights go, for the card.
        precision: How the file holds the graph: ``"float32"`` or ``"float16"``.
        allow_blockers: Write the file although the board's compiler would refuse it.
        force: Replace a file that exists.

    Raises:
        CheckpointError: The file can't be used, or its weights fit no network.
        ModelFileError: The same of an ONNX model.
        UsageError: Options that do not fit the file or each other.
        OutputError: The output can't be written, or must not be.
        CheckFailedError: The graph can't be made fit for the target, or says something else than
            the network; no file is left.
    """
    found_target = find_target(target)
    out_path = _check_out(Path(path), out_path, force)
    opened = open_input(
        path, arch=arch, factory=factory, input_shapes=input_shapes, trust_pickle=trust_pickle
    )
    options = _name_options(
        arch=arch,
        factory=factory,
        input_shapes="; ".join(input_shapes),
        trust_pickle=trust_pickle,
        frontend=frontend,
        decode_in_graph=decode_in_graph,
        precision=precision,
        allow_blockers=allow_blockers,
    )
    origin = _origin_of(opened, licence, attribution, options)
    card = _check_card(_card_of(opened, name, origin), decode_in_graph, licence, attribution)
    return run_export(
        replace(
            _job_of(opened, origin, card, out_path, found_target),
            frontend=frontend,
            decode_in_graph=decode_in_graph,
            decode_joints=decode_joints,
            draw_samples=draw_samples,
            precision=precision,
            allow_blockers=allow_blockers,
            force=force,
        )
    )


def export_onnx(
    module: nn.Module,
    example_inputs: Union[Tensor, Sequence[Tensor]],
    path: Union[str, Path],
    *,
    target: str = DEFAULT_SOC,
    spec: Optional[NetworkSpec] = None,
    frontend: str = "auto",
    decode_in_graph: bool = False,
    decode_joints: Optional[DecodeJoints] = None,
    draw_samples: Optional[DrawSamples] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
    attribution: Sequence[str] = (),
    precision: str = "float32",
    allow_blockers: bool = False,
    force: bool = False,
) -> ExportReport:
    """Export any PyTorch module; the module itself is left exactly as it was.

    Args:
        module: Network; a copy of it is put in eval mode and repaired.
        example_inputs: One tensor per input of ``forward``; their shapes become the graph's.
        path: The .onnx to write.
        target: Board's compiler, see :func:`atlas_hpe.targets.find_target`.
        spec: Names, preprocessing and decoding for the model card; None to write no card.
        frontend: ``"auto"``, or a key of ``frontends.FRONTENDS``.
        decode_in_graph: Let coordinates leave the device instead of heatmaps; needs ``spec``.
        decode_joints: Joints from outputs, for parity in joints; needs ``spec``.
        draw_samples: Pictures of hands as inputs (card, count -> samples) to compare joints on;
            needs ``spec``; None for noise, in which a network may find no hand.
        name: Name of the model in its card; None for the network's.
        licence: Licence of the weights, for the card.
        attribution: Sources that have to be named where the weights go, for the card.
        precision: How the file holds the graph: ``"float32"`` or ``"float16"``.
        allow_blockers: Write the file although the board's compiler would refuse it.
        force: Replace a file that exists.

    Raises:
        UsageError: Inputs or options that do not fit the network.
        OutputError: The output can't be written, or must not be.
        CheckpointError: NaN in the weights, or a batch norm without statistics.
        CheckFailedError: The graph can't be made fit for the target, or says something else than
            PyTorch; no file is left.
    """
    found_target = find_target(target)
    if spec is None and (decode_joints is not None or draw_samples is not None):
        raise UsageError("there are no joints without a specification", fix="pass spec=")
    path = check_out_path(path, [".onnx"], force=force)
    options = _name_options(
        frontend=frontend,
        decode_in_graph=decode_in_graph,
        precision=precision,
        allow_blockers=allow_blockers,
    )
    network = type(module).__name__ if spec is None else spec.name
    origin = _describe_origin(network, licence, attribution, options)
    card = None if spec is None else build_card(spec, name, origin)
    card = _check_card(card, decode_in_graph, licence, attribution)
    return run_export(
        ExportJob(
            path=path,
            target=found_target,
            origin=origin,
            network=_copy(module),
            inputs=_describe_examples(_list_examples(example_inputs), spec),
            card=card,
            frontend=frontend,
            decode_in_graph=decode_in_graph,
            decode_joints=decode_joints,
            draw_samples=draw_samples,
            precision=precision,
            allow_blockers=allow_blockers,
            force=force,
        )
    )


def _list_examples(example_inputs: Union[Tensor, Sequence[Tensor]]) -> Tuple[Tensor, ...]:
    found = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if not found or not all(isinstance(item, Tensor) for item in found):
        raise UsageError("example_inputs must be a tensor or a sequence of tensors")
    return tuple(item.detach().cpu() for item in found)


def _copy(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise UsageError(
            "the module can't be copied, so it can't be exported without changing it",
            why=str(error),
            fix="detach the tensors that it keeps, and export again",
        ) from error


def _check_out(path: Path, out_path: Union[str, Path], force: bool) -> Path:
    out_path = check_out_path(out_path, [".onnx"], force=force)
    if out_path.exists() and path.exists() and out_path.samefile(path):
        raise OutputError("the output is the input itself", where=out_path, fix="change --out")
    return out_path


def _check_card(
    card: Optional[ModelCard],
    decode_in_graph: bool,
    licence: Optional[str],
    attribution: Sequence[str],
) -> Optional[ModelCard]:
    """Without a card nobody knows which outputs are heatmaps, and a licence has no place."""
    asked = {"decode_in_graph": decode_in_graph, "licence": licence, "attribution": attribution}
    for option, value in asked.items():
        if card is None and value:
            raise UsageError(
                f"{option} needs a network with a specification",
                why="without one the file has no model card",
                fix="name the network with --arch, or let --factory give a NetworkSpec",
            )
    return card


_DEFAULT_OPTIONS = (("frontend", "auto"), ("precision", "float32"))


def _name_options(**options: Union[str, bool, None]) -> Dict[str, str]:
    """The options that are not the default, as the card keeps them."""
    return {
        name: "yes" if value is True else str(value)
        for name, value in options.items()
        if value and (name, value) not in _DEFAULT_OPTIONS
    }


def _card_of(opened: ExportInput, name: Optional[str], origin: Provenance) -> Optional[ModelCard]:
    """The card as far as it is known before the export; an ONNX file of ours keeps its own."""
    if opened.spec is not None:
        return build_card(opened.spec, name, origin)
    if opened.card is not None:
        return replace(opened.card, name=name or opened.card.name, provenance=origin)
    return None


def _origin_of(
    opened: ExportInput,
    licence: Optional[str],
    attribution: Sequence[str],
    options: Dict[str, str],
) -> Provenance:
    """Where the network comes from; an ONNX file of ours says it itself."""
    network = opened.path.stem if opened.network is None else type(opened.network).__name__
    if opened.spec is not None:
        network = opened.spec.name
    elif opened.card is not None:
        known = opened.card.provenance
        network = known.network
        licence, attribution = licence or known.licence, attribution or known.attribution
    origin = _describe_origin(network, licence, attribution, options)
    return replace(origin, checkpoint=opened.path.name, checkpoint_sha256=opened.sha256)


def _describe_origin(
    network: str,
    licence: Optional[str],
    attribution: Sequence[str],
    options: Dict[str, str],
) -> Provenance:
    return Provenance(
        network=network,
        licence=licence,
        attribution=tuple(attribution),
        options=options,
        tools=tool_versions(),
    )


def _job_of(
    opened: ExportInput,
    origin: Provenance,
    card: Optional[ModelCard],
    path: Path,
    target: Target,
) -> ExportJob:
    """What the file says of the job; the rest is the caller's choice."""
    return ExportJob(
        path=path,
        target=target,
        origin=origin,
        network=opened.network,
        program=opened.program,
        model=opened.model,
        inputs=_inputs_of(opened, card),
        card=card,
        notes=opened.notes,
        source=opened.path,
    )


def _inputs_of(opened: ExportInput, card: Optional[ModelCard]) -> Tuple[TensorSpec, ...]:
    if opened.model is not None:
        return read_specs(opened.model.graph.input)
    if card is not None:
        return card.graphs[0].inputs
    return tuple(
        _describe_tensor(name, item) for name, item in zip(opened.input_names, opened.examples)
    )


def _describe_examples(
    examples: Sequence[Tensor], spec: Optional[NetworkSpec]
) -> Tuple[TensorSpec, ...]:
    """The inputs as the specification says, or as the examples are."""
    if spec is None:
        names = ["input"] if len(examples) == 1 else [f"input_{i}" for i in range(len(examples))]
        return tuple(_describe_tensor(name, item) for name, item in zip(names, examples))
    shapes = [tuple(item.shape) for item in examples]
    if shapes != [item.shape for item in spec.inputs]:
        raise UsageError(
            f"the example inputs are not those of '{spec.name}'",
            why=f"shapes {shapes}, expected {[item.shape for item in spec.inputs]}",
        )
    return spec.inputs


def _describe_tensor(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(
        name=name,
        shape=tuple(tensor.shape),
        dtype="float32" if tensor.is_floating_point() else str(tensor.dtype)[len("torch.") :],
        layout="NCHW" if tensor.dim() == 4 else "ND",
    )
