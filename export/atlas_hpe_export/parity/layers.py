"""Layer by layer: where do two forms of a network begin to differ?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np
import onnx

from atlas_hpe.parity.report import TensorParity
from atlas_hpe.parity.tally import TensorTally
from atlas_hpe.parity.tolerances import Tolerance
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.parity.intermediates import (
    NodeTensor,
    group_tensors,
    list_tensors,
    run_tensors,
)

__all__ = [
    "LayerParity",
    "LayerReport",
    "compare_arrays",
    "compare_layers",
    "describe_layers",
    "exceeds",
    "layers_to_dict",
    "shared_tensors",
]

_SHOWN = 10


@dataclass(frozen=True)
class LayerParity:
    """How one tensor inside the network differs.

    Attributes:
        tensor: The figures; its name is the tensor's, or the module's path.
        node: Name of the node that makes the tensor in the reference.
        op_type: Operator, or class of the module.
        module: Path of the PyTorch module, with dots; None when nothing tells.
    """

    tensor: TensorParity
    node: str
    op_type: str
    module: Optional[str]

    @property
    def relative(self) -> Optional[float]:
        """Largest difference over largest magnitude in the reference; None when that is 0."""
        return self.tensor.max_abs / self.tensor.scale if self.tensor.scale else None


@dataclass(frozen=True)
class LayerReport:
    """The result of a comparison layer by layer.

    Attributes:
        layers: What was compared, in the order in which it is computed.
        skipped: What was not, a sentence each.
    """

    layers: Tuple[LayerParity, ...]
    skipped: Tuple[str, ...]


def shared_tensors(reference: onnx.ModelProto, candidate: onnx.ModelProto) -> List[NodeTensor]:
    """The float tensors that both graphs make, by name, as the reference makes them.

    They come in the order of the candidate.
    """
    known = {tensor.name: tensor for tensor in list_tensors(reference)}
    return [known[item.name] for item in list_tensors(candidate) if item.name in known]


def compare_layers(
    reference: onnx.ModelProto, candidate: onnx.ModelProto, feeds: Feeds
) -> LayerReport:
    """Compare every float tensor that two graphs share by name, on one sample.

    Tensors are computed in groups of up to 256 MiB a graph and reduced to figures at once, so the
    size of the network does not matter.

    Args:
        reference: What is right.
        candidate: For example ``emulate_half(reference)``, or the graph after a rewrite.
        feeds: Input name -> array, for both.

    Raises:
        SessionError: The feeds do not fit the inputs of the graphs.
        ModelFileError: A graph does not run.
    """
    layers: List[LayerParity] = []
    skipped: List[str] = []
    for group in group_tensors(shared_tensors(reference, candidate)):
        names = [tensor.name for tensor in group]
        want, have = run_tensors(reference, names, feeds), run_tensors(candidate, names, feeds)
        for tensor in group:
            expected, found = want[tensor.name], have[tensor.name]
            if expected.shape == found.shape:
                parity = compare_arrays(tensor.name, expected, found)
                layers.append(LayerParity(parity, tensor.node, tensor.op_type, tensor.module))
            else:
                skipped.append(
                    f"tensor '{tensor.name}' is {list(expected.shape)} in the reference and "
                    f"{list(found.shape)} in the candidate"
                )
    return LayerReport(tuple(layers), tuple(skipped))


def compare_arrays(name: str, expected: np.ndarray, found: np.ndarray) -> TensorParity:
    """The figures of one pair of arrays of the same shape."""
    tally = TensorTally()
    tally.add(expected, found)
    return tally.result(name)


def exceeds(tensor: TensorParity, tolerance: Tolerance) -> bool:
    """True when a tensor differs by more than the tolerance, or is not finite in only one."""
    return tensor.max_abs > tensor.limit(tolerance.tensor) or tensor.mismatched_not_finite > 0


def layers_to_dict(report: LayerReport) -> Dict[str, object]:
    """The report for JSON."""
    layers = [
        {
            **asdict(layer.tensor),
            "relative": layer.relative,
            "node": layer.node,
            "op_type": layer.op_type,
            "module": layer.module,
        }
        for layer in report.layers
    ]
    return {"layers": layers, "skipped": list(report.skipped)}


def describe_layers(report: LayerReport, shown: int = _SHOWN) -> List[str]:
    """The report as lines for a person: the layers that differ most, in their order.

    Args:
        report: What was found.
        shown: Number of layers to show.
    """
    ranked = sorted(report.layers, key=_badness, reverse=True)[:shown]
    worst = [layer for layer in report.layers if layer in ranked]
    lines = [f"layer by layer: {len(report.layers)} compared, the {len(worst)} that differ most"]
    for layer in worst:
        tensor = layer.tensor
        relative = "-" if layer.relative is None else f"{layer.relative:.2g}"
        lines.append(
            f"  {layer.node} ({layer.op_type}): {relative} of the largest value, "
            f"max {tensor.max_abs:.2g}, p99 {tensor.p99_abs:.2g}, cosine {tensor.cosine:.7f}, "
            f"{tensor.reference_not_finite}/{tensor.candidate_not_finite} not finite"
        )
    return lines + [f"  not compared: {reason}" for reason in report.skipped]


def _badness(layer: LayerParity) -> Tuple[int, float]:
    return layer.tensor.mismatched_not_finite, layer.relative or 0.0
