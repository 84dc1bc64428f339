"""What the tests of expansions share: seeded arrays, refusals, and where the board runs a graph."""

from __future__ import annotations

from typing import List, Mapping, Set, Tuple

import numpy as np
import onnx
import pytest
from onnx_graphs import lowered

from atlas_hpe.errors import CheckFailedError
from atlas_hpe_export.check.operators import load_operators

#: Library kernels sum in other orders; all values in these tests are of the order of 1.
SHARE = 3e-6


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal noise, float32."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), np.float32)


def attributes_of(model: onnx.ModelProto, operator: str) -> Mapping[str, object]:
    """Attributes of the only node of an operator."""
    (node,) = [item for item in model.graph.node if item.op_type == operator]
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def refusal(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> str:
    """Why a model can't be lowered, with the name of its node."""
    with pytest.raises(CheckFailedError, match="no form at opset") as caught:
        lowered(model, feeds)
    return str(caught.value.where)


def off_the_cores(model: onnx.ModelProto) -> List[Tuple[str, str]]:
    """Operators of a lowered model that the board does not know at opset 11 or runs on its CPU."""
    table = load_operators("Ascend310", "6.0")
    found: Set[Tuple[str, str]] = set()
    for node in model.graph.node:
        if node.op_type == "Constant":
            continue
        if 11 not in table.registered_opsets(node.op_type, "6.0"):
            found.add((node.op_type, "not registered"))
        elif table.operators[node.op_type].cpu_kernels:
            found.add((node.op_type, "AI CPU"))
    return sorted(found)
