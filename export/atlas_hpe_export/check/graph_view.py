"""A graph as the rules see it: nodes and tensors with what is known about them, read only.

Nothing here runs a graph or changes it. Attributes are read with the type that a rule expects; one
of another type counts as absent, because files of others say anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np
import onnx

from atlas_hpe_export.check.finding import OPERATOR_NOTES, Finding
from atlas_hpe_export.check.operators import OperatorEntry, OperatorTable
from atlas_hpe_export.model_file import read_tensor

__all__ = ["GraphView", "Node", "Value"]

Shape = Tuple[Optional[int], ...]


@dataclass(eq=False)
class Value:
    """A tensor.

    Attributes:
        name: Name in the file.
        dtype: Element type as NumPy names it, None when unknown.
        shape: Sizes, None in the place of an open one; None when even the rank is unknown.
        is_constant: Whether the file holds its values.
        tensor: Where the file holds them; None for values that are elsewhere or not a tensor.
        producer: Node that makes it, None for inputs and initialisers.
        consumers: Nodes that read it.
        is_folded: Whether the compiler can know its values before the model runs.
    """

    name: str
    dtype: Optional[str] = None
    shape: Optional[Shape] = None
    is_constant: bool = False
    tensor: Optional[onnx.TensorProto] = None
    producer: Optional[Node] = None
    consumers: List[Node] = field(default_factory=list)
    is_folded: bool = False

    @property
    def rank(self) -> Optional[int]:
        """Number of axes, None when unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def size(self) -> Optional[int]:
        """Number of elements, None when an axis is open."""
        product = 1
        for axis in self.shape if self.shape is not None else (None,):
            if axis is None:
                return None
            product *= axis
        return product

    def show_shape(self) -> str:
        """The shape for messages, for example ``[1, 3, ?, ?]``."""
        if self.shape is None:
            return "of unknown rank"
        return "[" + ", ".join("?" if size is None else str(size) for size in self.shape) + "]"

    def finding(
        self,
        rule: str,
        severity: str,
        what: str,
        *,
        why: str,
        fix: str,
        code: Optional[str] = None,
        source: str = OPERATOR_NOTES,
    ) -> Finding:
        """A finding about this tensor, at the node that makes it; see ``Node.finding``."""
        made_by = self.producer
        return Finding(
            rule=rule,
            severity=severity,
            what=what,
            why=why,
            fix=fix,
            node=self.name if made_by is None else made_by.name,
            op_type=None if made_by is None else made_by.op_type,
            module=None if made_by is None else made_by.module,
            code=code,
            source=source,
        )

    def array(self) -> Optional[np.ndarray]:
        """The values of a constant, None for everything else.

        Raises:
            ModelFileError: The file's tensor is damaged.
        """
        if self.tensor is None or self.tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        return read_tensor(self.tensor)


@dataclass(eq=False)
class Node:
    """An operator in the graph.

    Attributes:
        name: Name in the file, or of the first output when it has none.
        op_type: Operator.
        domain: Domain, ``""`` for ONNX's own.
        inputs: Tensors in order, None for an optional one that is left out.
        outputs: Tensors in order, None for one that is left out.
        attributes: Name -> attribute as the file has it.
        module: Path of the PyTorch module, see ``Finding.module``.
        flaw: What it has against ONNX's schema of the operator, None when nothing.
        is_folded: Whether the compiler can compute it before the model runs.
    """

    name: str
    op_type: str
    domain: str
    inputs: Tuple[Optional[Value], ...]
    outputs: Tuple[Optional[Value], ...]
    attributes: Dict[str, onnx.AttributeProto]
    module: Optional[str]
    flaw: Optional[str] = None
    is_folded: bool = False

    def input(self, index: int) -> Optional[Value]:
        """An input, None when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def output(self, index: int) -> Optional[Value]:
        """An output, None when it is left out."""
        return self.outputs[index] if index < len(self.outputs) else None

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        item = self._attribute(name, onnx.AttributeProto.INT)
        return default if item is None else int(item.i)

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        item = self._attribute(name, onnx.AttributeProto.FLOAT)
        return default if item is None else float(item.f)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        item = self._attribute(name, onnx.AttributeProto.STRING)
        return default if item is None else bytes(item.s).decode("utf-8", "replace")

    def integers(self, name: str) -> Optional[Tuple[int, ...]]:
        """An attribute that is a list of integers, None when absent."""
        item = self._attribute(name, onnx.AttributeProto.INTS)
        return None if item is None else tuple(item.ints)

    def finding(
        self,
        rule: str,
        severity: str,
        what: str,
        *,
        why: str,
        fix: str,
        code: Optional[str] = None,
        source: str = OPERATOR_NOTES,
        rewrite: Optional[str] = None,
    ) -> Finding:
        """A finding about this node; the arguments are fields of ``Finding``."""
        return Finding(
            rule=rule,
            severity=severity,
            what=what,
            why=why,
            fix=fix,
            node=self.name,
            op_type=self.op_type,
            module=self.module,
            code=code,
            source=source,
            rewrite=rewrite,
        )

    def _attribute(self, name: str, kind: int) -> Optional[onnx.AttributeProto]:
        item = self.attributes.get(name)
        return item if item is not None and item.type == kind else None


@dataclass(frozen=True, eq=False)
class GraphView:
    """A graph, bodies of If and Loop included, and the board that it is held against.

    Attributes:
        opsets: Domain and version of every opset import, as the file lists them; ONNX's own
            domain is ``""``.
        opset: Version of ONNX's own domain, 0 when it is not imported.
        ir_version: Version of the file format.
        nodes: All nodes, a body after the node that holds it.
        inputs: Inputs of the graph that are not initialisers.
        outputs: Outputs of the graph.
        constants: Initialisers and outputs of Constant nodes.
        external_files: Files that hold weights outside the model's own.
        is_inferred: Whether shapes could be inferred; if not, the file's own are all there is.
        cann: CANN release.
        table: Operators of the chip.
    """

    opsets: Tuple[Tuple[str, int], ...]
    opset: int
    ir_version: int
    nodes: Tuple[Node, ...]
    inputs: Tuple[Value, ...]
    outputs: Tuple[Value, ...]
    constants: Tuple[Value, ...]
    external_files: Tuple[str, ...]
    is_inferred: bool
    cann: str
    table: OperatorTable

    def nodes_of(self, *operators: str) -> Iterator[Node]:
        """Nodes of ONNX's own domain with one of these operators, in order."""
        for node in self.nodes:
            if node.op_type in operators and not node.domain:
                yield node

    def entry_of(self, node: Node) -> Optional[OperatorEntry]:
        """The table's facts about a node's operator; None outside ONNX's own domain."""
        return None if node.domain else self.table.operators.get(node.op_type)

    def is_registered(self, node: Node) -> bool:
        """Whether the parser finds the node's operator at the model's own opset."""
        entry = self.entry_of(node)
        return entry is not None and self.opset in entry.registered[self.cann]
