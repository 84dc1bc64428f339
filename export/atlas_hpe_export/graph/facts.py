"""What is known about a value or a node without running it."""

from __future__ import annotations

from typing import List, Optional, Tuple, TypeVar, cast

import numpy as np
import onnx_ir as ir

__all__ = ["attribute_of", "constant_of", "describe_node", "dtype_of", "shape_of"]

T = TypeVar("T", int, float, str, List[int], List[float], List[str], None)


def shape_of(value: Optional[ir.Value]) -> Optional[Tuple[int, ...]]:
    """Static shape; None when the value is absent, its rank unknown, or an axis symbolic."""
    if value is None or value.shape is None:
        return None
    sizes = list(value.shape)
    if not all(isinstance(size, int) for size in sizes):
        return None
    return tuple(cast(List[int], sizes))


def dtype_of(value: Optional[ir.Value]) -> Optional[np.dtype]:
    """NumPy type of the elements; None when it is unknown or not a tensor's."""
    if value is None or value.dtype is None or value.dtype == ir.DataType.UNDEFINED:
        return None
    return np.dtype(value.dtype.numpy())


def constant_of(value: Optional[ir.Value]) -> Optional[np.ndarray]:
    """Array of an initialiser or of a Constant node's output, None for everything else.

    Identity and Cast are seen through, since exporters put them between a constant and its use. A
    graph input that has a default is not constant: the caller may feed something else.
    """
    if value is None or value.is_graph_input():
        return None
    node = value.producer()
    if node is not None and node.domain == "":
        if node.op_type == "Identity":
            return constant_of(node.inputs[0])
        if node.op_type == "Cast":
            array, dtype = constant_of(node.inputs[0]), dtype_of(value)
            return None if array is None or dtype is None else array.astype(dtype)
    tensor = value.const_value
    if tensor is None:
        tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else np.asarray(tensor.numpy())


def attribute_of(node: ir.Node, name: str, default: T) -> T:
    """Value of an attribute, the default where the node does not say; lists come as lists."""
    found = node.attributes.get(name)
    if found is None:
        return default
    value = found.value
    return cast(T, list(value) if isinstance(value, (list, tuple)) else value)


def describe_node(node: ir.Node) -> str:
    """Operator and name, for messages: ``Resize '/decoder/up1/Resize'``."""
    name = node.name or next((value.name for value in node.outputs if value.name), None)
    return f"{node.op_type} '{name or '?'}'"
