"""A PyTorch network as a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch
from torch import nn

from atlas_hpe.card import Provenance, TensorSpec
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.parity.sample import Feeds, Run
from atlas_hpe_export.batchnorm import check_finite, freeze, repair_batch_norms
from atlas_hpe_export.finish import build_card
from atlas_hpe_export.frontends.outputs import flatten_outputs
from atlas_hpe_export.inputs import ExportInput, open_input
from atlas_hpe_export.inputs.kinds import Kind, find_kind
from atlas_hpe_export.parity.reference import NetworkOptions, Reference

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
        run=_runner(opened.network, inputs, outputs),
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


def _runner(network: nn.Module, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Run:
    names = [item.name for item in outputs]

    def run(feeds: Feeds) -> Dict[str, np.ndarray]:
        with torch.no_grad():
            tensors = [torch.from_numpy(feeds[item.name]) for item in inputs]
            found: List[np.ndarray] = [
                value.numpy() for _, value in flatten_outputs(network(*tensors))
            ]
        if len(found) != len(names):
            raise CheckFailedError(
                f"the network gives {len(found)} outputs, the model {len(names)}",
                fix="compare a model with the file that it was made from",
            )
        return dict(zip(names, found))

    return run
