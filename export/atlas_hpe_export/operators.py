"""The operators that the networks of this toolkit come down to at opset 11.

All are registered for opset 11 and run on the Ascend 310's AI Core, or are folded away by the
compiler (ascend310_onnx_ops.json). A graph with another operator is not refused, it is pointed out.
"""

from __future__ import annotations

from typing import FrozenSet, Iterable, Tuple

__all__ = ["KNOWN_OPERATORS", "find_unknown_operators"]

KNOWN_OPERATORS: FrozenSet[str] = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "Div",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "Identity",
        "LeakyRelu",
        "MatMul",
        "MaxPool",
        "Mul",
        "PRelu",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Resize",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    }
)


def find_unknown_operators(operators: Iterable[str]) -> Tuple[str, ...]:
    """Those that have not been looked up for the Ascend 310, sorted."""
    return tuple(sorted(set(operators) - KNOWN_OPERATORS))
