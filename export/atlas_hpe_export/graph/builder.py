"""Making the nodes that take another one's place."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence, Set, Tuple, Union

import numpy as np
import onnx_ir as ir

from atlas_hpe_export.graph.inference import infer_outputs

__all__ = ["GraphBuilder"]

Attribute = Union[int, float, str, Sequence[int], Sequence[float], ir.Attr, ir.Graph]


class GraphBuilder:
    """Collects the nodes that replace one node.

    New nodes are named after the old one, so that a finding about them still names its PyTorch
    module: ``/up1/LayerNorm`` becomes ``/up1/LayerNorm/ReduceMean`` and so on; a node of the same
    operator keeps the name. Shapes and element types of new values are inferred as they are made.

    Args:
        node: The node that is being replaced.
        opset: Opset in whose form new nodes are written.
        taken: Names of nodes and values that the model has already; new ones are added.

    Attributes:
        node: As given.
        opset: As given.
        nodes: What has been made, in order.
        initializers: Constants that the new nodes use.
    """

    def __init__(self, node: ir.Node, opset: int, taken: Optional[Set[str]] = None) -> None:
        self.node = node
        self.opset = opset
        self.nodes: List[ir.Node] = []
        self.initializers: List[ir.Value] = []
        self._taken = set() if taken is None else taken
        self._stem = node.name or "_".join([node.op_type, *_names(node.outputs)[:1]])
        self._keeps_name = True

    def op(
        self,
        op_type: str,
        *inputs: Optional[ir.Value],
        attributes: Optional[Mapping[str, Attribute]] = None,
        domain: str = "",
    ) -> ir.Value:
        """Add a node with one output.

        Args:
            op_type: Operator, in its form at ``opset``.
            *inputs: Values in order; None for an optional input that is left out.
            attributes: Attributes by name.
            domain: Domain of the operator.
        """
        return self.ops(op_type, *inputs, attributes=attributes, domain=domain, outputs=1)[0]

    def ops(
        self,
        op_type: str,
        *inputs: Optional[ir.Value],
        outputs: int,
        attributes: Optional[Mapping[str, Attribute]] = None,
        domain: str = "",
    ) -> Tuple[ir.Value, ...]:
        """Add a node with several outputs; the other arguments are those of ``op``."""
        name = self._name_node(op_type)
        values = [ir.Value(name=self._claim(f"{name}_output")) for _ in range(outputs)]
        node = ir.node(
            op_type, list(inputs), attributes or {}, domain=domain, outputs=values, name=name
        )
        self._infer(node)
        self.nodes.append(node)
        return tuple(values)

    def constant(self, array: np.ndarray) -> ir.Value:
        """Add a constant; its element type is that of the array."""
        value = ir.Value(
            name=self._claim(f"{self._stem}/constant"),
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(array),
        )
        self.initializers.append(value)
        return value

    def ints(self, *numbers: int) -> ir.Value:
        """A 1-D int64 constant: sizes, axes, pads."""
        return self.constant(np.array(numbers, np.int64))

    def like(self, value: ir.Value, number: Union[float, np.ndarray]) -> ir.Value:
        """A constant of the value's element type: a scalar for a number, else as the array.

        Raises:
            ValueError: The element type of the value is not known.
        """
        if value.dtype is None:
            raise ValueError(f"the element type of '{value.name}' is not known")
        return self.constant(np.array(number, value.dtype.numpy()))

    def _name_node(self, op_type: str) -> str:
        if op_type == self.node.op_type and self._keeps_name:
            self._keeps_name = False
            return self._stem
        return self._claim(f"{self._stem}/{op_type}")

    def _claim(self, name: str) -> str:
        """The name, numbered where it is taken: two nodes of a file may have the same one."""
        found, count = name, 0
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found

    def _infer(self, node: ir.Node) -> None:
        """Shapes by ONNX's own inference, one node at a time; left open where it knows nothing."""
        found = infer_outputs(node, self.opset)
        for value in node.outputs:
            kind = found.get(value.name or "")
            if kind is not None:
                value.type = ir.serde.deserialize_type_proto_for_type(kind)
                value.shape = ir.serde.deserialize_type_proto_for_shape(kind)


def _names(values: Sequence[ir.Value]) -> List[str]:
    return [value.name for value in values if value.name]
