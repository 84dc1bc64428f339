"""A PyTorch network as a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

from atlas_hpe.card import Provenance
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe_export.batchnorm import check_finite, freeze, repair_batch_norms
from atlas_hpe_export.finish import build_card
from atlas_hpe_export.inputs import ExportInput, open_input
from atlas_hpe_export.inputs.kinds import Kind, find_kind
from atlas_hpe_export.parity.reference import NetworkOptions, Reference
from atlas_hpe_export.runners import module_runner

__all__ = ["open_network"]

_WEIGHTS = (Kind.TORCH_ZIP, Kind.LEGACY_PICKLE, Kind.SAFETENSORS)
_MODULES = ("state-dict", "pickled-module")


def open_network(path: Path, model: OnnxSummary, options: NetworkOptions) -> Reference:
    """Open any file that holds a network, or the weights of one.

    Args:
        path: The file.
        model: The model that it will be compared with: it gives the shapes of the inputs where the
            file does not, and names the inputs and outputs of a network without a specification.
        options: How to make a network of the file.

    Raises:
        InputError: The file can't be used, or its weights fit no network.
        UsageError: Options that do not fit the file.
        CheckFailedError: The file holds ONNX under another suffix.
    """
    opened = open_input(
        path,
        arch=options.arch,
        factory=options.factory,
        input_shapes=_shapes_for(path, model, options),
        trust_pickle=options.trust_pickle,
    )
    if opened.network is None:
        raise CheckFailedError(
            "the reference is an ONNX file under another name",
            where=path,
            fix="give it the suffix .onnx",
        )
    spec = opened.spec
    inputs, outputs = (model.inputs, model.outputs) if spec is None else (spec.inputs, spec.outputs)
    card = None if spec is None else build_card(spec, None, Provenance(network=spec.name))
    _prepare(opened)
    return Reference(
        name=path.name,
        kind="PyTorch",
        sha256=opened.sha256,
        run=module_runner(
            opened.network, [item.name for item in inputs], [item.name for item in outputs]
        ),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        card=card,
        network=opened.network,
    )


def _shapes_for(path: Path, model: OnnxSummary, options: NetworkOptions) -> Tuple[str, ...]:
    """The model's own shapes, for files that may have none."""
    if find_kind(path) in _WEIGHTS and options.factory is None and not options.trust_pickle:
        return ()
    return tuple(",".join(map(str, item.shape)) for item in model.inputs)


def _prepare(opened: ExportInput) -> None:
    """What the export does before it captures; traced programs are frozen already."""
    network = opened.network
    if network is None or opened.kind not in _MODULES:
        return
    network.cpu().float()
    repair_batch_norms(network)
    freeze(network)
    check_finite(network)
