"""Asking a front end for a graph and comparing it with the module; shared by several test files."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from atlas_hpe_export.frontends import Captured, capture
from atlas_hpe_export.frontends.outputs import flatten_outputs
from atlas_hpe_export.runners import run_model

SHARE = 2e-5  # of an output's largest magnitude, or of 1: float32 sums in another order


class Calls(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(*inputs)


def input_names(count: int) -> List[str]:
    return [f"input_{index}" for index in range(count)]


def capture_with(frontend: str, network: nn.Module, inputs: Sequence[Tensor]) -> Captured:
    return capture(
        network, inputs, input_names=input_names(len(inputs)), output_names=[], frontend=frontend
    )


def find_difference(
    network: nn.Module, captured: Captured, inputs: Sequence[Tensor]
) -> Optional[str]:
    """Where a graph departs from the module, None if nowhere."""
    with torch.no_grad():
        wanted = [tensor.numpy() for _, tensor in flatten_outputs(network(*inputs))]
    feeds = {name: item.numpy() for name, item in zip(input_names(len(inputs)), inputs)}
    found = run_model(captured.model, [feeds])[0]
    if list(found) != list(captured.output_names) or len(found) != len(wanted):
        return f"outputs {list(found)} of {len(wanted)}"
    for name, want in zip(captured.output_names, wanted):
        if found[name].shape != want.shape or found[name].dtype != want.dtype:
            return f"{name}: {found[name].shape} {found[name].dtype}, not {want.shape} {want.dtype}"
        difference = float(np.abs(found[name].astype(float) - want).max(initial=0.0))
        if not difference <= SHARE * max(1.0, float(np.abs(want).max(initial=0.0))):
            return f"{name}: differs by {difference:.2g}"
    return None


def count_operators(model: onnx.ModelProto) -> Dict[str, int]:
    """Operator to number of nodes, constants left out."""
    counts: Dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type != "Constant":
            counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return counts


def assert_written(
    frontend: str, function: Callable[..., object], *inputs: Tensor
) -> Dict[str, int]:
    """Capture, compare on these inputs and on others; the operators that were written."""
    network = function if isinstance(function, nn.Module) else Calls(function)
    captured = capture_with(frontend, network.eval(), inputs)
    assert find_difference(network, captured, inputs) is None
    others = [item.roll(1, dims=-1) * 0.9 if item.is_floating_point() else item for item in inputs]
    assert find_difference(network, captured, others) is None
    return count_operators(captured.model)
