"""From a model to the view that the rules read; refuses graphs that are no ONNX graph at all."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

import numpy as np
import onnx

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.check.graph_view import GraphView, Node, Shape, Value
from atlas_hpe_export.check.module_path import find_module
from atlas_hpe_export.check.operators import LOWERED, OperatorTable
from atlas_hpe_export.check.shapes import infer_shapes, short_domain
from atlas_hpe_export.check.well_formed import find_flaw

__all__ = ["read_graph"]

_ATTRIBUTE = onnx.AttributeProto
_DTYPES = {
    number: {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())
    for name, number in onnx.TensorProto.DataType.items()
}
#: Their results differ from run to run, so no compiler folds them.
_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)


def read_graph(
    model: onnx.ModelProto,
    table: OperatorTable,
    cann: str,
    *,
    external_files: Sequence[str] = (),
    isolated: bool = False,
) -> GraphView:
    """Make the view of a model.

    Args:
        model: Left as it is.
        table: Operators of the chip.
        cann: CANN release.
        external_files: Files that hold weights outside the model's own.
        isolated: Infer shapes in a process of its own: for files of strangers.

    Raises:
        ModelFileError: A tensor is used before it is made, or made twice, a name is no text, or
            the opset of ONNX's own operators is not stated.
    """
    try:
        known, is_inferred = infer_shapes(model, _inferred(table), isolated=isolated)
        return _read(model, known, is_inferred, table, cann, tuple(external_files))
    except UnicodeDecodeError as error:
        raise _broken("a name in it is not UTF-8 text") from error


def _read(
    model: onnx.ModelProto,
    known: onnx.GraphProto,
    is_inferred: bool,
    table: OperatorTable,
    cann: str,
    external_files: Tuple[str, ...],
) -> GraphView:
    opsets = tuple((short_domain(item.domain), item.version) for item in model.opset_import)
    opset = max((version for domain, version in opsets if not domain), default=0)
    reader = _Reader(opset)
    reader.read(model.graph, known, _Scope(None))
    if not opset and any(not node.domain for node in reader.nodes):
        raise _broken("it does not state the opset of ONNX's own operators")
    return GraphView(
        opsets=opsets,
        opset=opset,
        ir_version=model.ir_version,
        nodes=tuple(reader.nodes),
        inputs=tuple(reader.inputs),
        outputs=tuple(reader.find_output(info.name) for info in model.graph.output),
        constants=tuple(reader.constants),
        external_files=external_files,
        is_inferred=is_inferred,
        cann=cann,
        table=table,
    )


def _inferred(table: OperatorTable) -> FrozenSet[str]:
    """Operators whose results a finding can be about."""
    known = (name for name, entry in table.operators.items() if entry.supported is not False)
    return LOWERED.union(known)


class _Scope:
    """Names that a graph makes, and those of the graphs around it."""

    def __init__(self, parent: Optional[_Scope]) -> None:
        self.parent = parent
        self.values: Dict[str, Value] = {}

    def find(self, name: str) -> Optional[Value]:
        scope: Optional[_Scope] = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        return None


class _Reader:
    """Collects nodes and tensors; the first graph that it reads is the outermost."""

    def __init__(self, opset: int) -> None:
        self.nodes: List[Node] = []
        self.inputs: List[Value] = []
        self.constants: List[Value] = []
        self.outermost = _Scope(None)
        self._opset = opset

    def read(self, graph: onnx.GraphProto, known: onnx.GraphProto, scope: _Scope) -> None:
        """Read a graph; ``known`` is the same graph with inferred shapes."""
        if scope.parent is None:
            self.outermost = scope
        types = {
            info.name: _read_type(info) for info in (*known.value_info, *known.output, *known.input)
        }
        for tensor in graph.initializer:
            self._add_constant(scope, tensor.name, tensor, tuple(tensor.dims), tensor.data_type)
        for sparse in graph.sparse_initializer:
            values = sparse.values
            self._add_constant(scope, values.name, None, tuple(sparse.dims), values.data_type)
        constants = set(scope.values)
        for info in graph.input:
            if info.name in constants:
                continue  # up to IR version 3, initialisers are listed among the inputs
            value = _new_value(scope, info.name, types)
            if scope.parent is None:
                self.inputs.append(value)
        for node, twin in zip(graph.node, known.node):
            self._read_node(node, twin, scope, types)

    def find_output(self, name: str) -> Value:
        """The tensor that the outermost graph gives out under a name."""
        return _find(self.outermost, name, "the list of outputs")

    def _add_constant(
        self,
        scope: _Scope,
        name: str,
        tensor: Optional[onnx.TensorProto],
        shape: Shape,
        data_type: int,
    ) -> None:
        value = _new_value(scope, name, {name: (_DTYPES.get(data_type), shape)})
        value.tensor, value.is_constant, value.is_folded = tensor, True, True
        self.constants.append(value)

    def _read_node(
        self,
        proto: onnx.NodeProto,
        twin: onnx.NodeProto,
        scope: _Scope,
        types: Dict[str, Tuple[Optional[str], Optional[Shape]]],
    ) -> None:
        label = proto.name or next((name for name in proto.output if name), "") or proto.op_type
        inputs = tuple(_find(scope, name, label) if name else None for name in proto.input)
        outputs = tuple(_new_value(scope, name, types) if name else None for name in proto.output)
        node = Node(
            name=label,
            op_type=proto.op_type,
            domain=short_domain(proto.domain),
            inputs=inputs,
            outputs=outputs,
            attributes={item.name: item for item in proto.attribute},
            module=find_module(proto),
            flaw=None if short_domain(proto.domain) else find_flaw(proto, self._opset),
        )
        for value in inputs:
            if value is not None:
                value.consumers.append(node)
        for value in outputs:
            if value is not None:
                value.producer = node
        self.nodes.append(node)
        self._mark(node, proto)
        for item, twin_item in zip(proto.attribute, twin.attribute):
            if item.type == _ATTRIBUTE.GRAPH:
                self.read(item.g, twin_item.g, _Scope(scope))

    def _mark(self, node: Node, proto: onnx.NodeProto) -> None:
        """Constants, and what follows from constants alone."""
        if node.op_type == "Constant" and not node.domain:
            tensor = _constant_tensor(proto)
            for value in filter(None, node.outputs):
                value.tensor, value.is_constant = tensor, True
                if tensor is not None:
                    value.dtype, value.shape = _DTYPES.get(tensor.data_type), tuple(tensor.dims)
                self.constants.append(value)
        node.is_folded = _is_folded(node, proto)
        for value in filter(None, node.outputs):
            value.is_folded = node.is_folded


def _is_folded(node: Node, proto: onnx.NodeProto) -> bool:
    if node.domain or node.op_type in _RANDOM:
        return False
    if node.op_type == "Constant":
        return True
    present = [value for value in node.inputs if value is not None]
    if node.op_type in ("Shape", "Size"):
        return bool(present) and present[0].size is not None
    if any(item.type in (_ATTRIBUTE.GRAPH, _ATTRIBUTE.GRAPHS) for item in proto.attribute):
        return False
    return bool(present) and all(value.is_folded for value in present)


def _constant_tensor(proto: onnx.NodeProto) -> Optional[onnx.TensorProto]:
    """The value of a Constant node in the one form, whichever of its forms the file uses."""
    for item in proto.attribute:
        if item.name == "value" and item.type == _ATTRIBUTE.TENSOR:
            tensor: onnx.TensorProto = item.t
            return tensor
        if item.name in ("value_float", "value_floats"):
            floats = item.f if item.name == "value_float" else item.floats
            return onnx.numpy_helper.from_array(np.array(floats, np.float32))
        if item.name in ("value_int", "value_ints"):
            integers = item.i if item.name == "value_int" else item.ints
            return onnx.numpy_helper.from_array(np.array(integers, np.int64))
    return None


def _new_value(
    scope: _Scope, name: str, types: Dict[str, Tuple[Optional[str], Optional[Shape]]]
) -> Value:
    if name in scope.values:
        raise _broken(f"the tensor '{name[:80]}' is made twice")
    dtype, shape = types.get(name, (None, None))
    value = scope.values[name] = Value(name=name, dtype=dtype, shape=shape)
    return value


def _find(scope: _Scope, name: str, reader: str) -> Value:
    value = scope.find(name)
    if value is None:
        raise _broken(f"{reader[:80]} reads '{name[:80]}', which nothing before it makes")
    return value


def _broken(why: str) -> ModelFileError:
    return ModelFileError(
        "the file's graph is not a valid ONNX graph", why=why, fix="export the model again"
    )


def _read_type(info: onnx.ValueInfoProto) -> Tuple[Optional[str], Optional[Shape]]:
    tensor = info.type.tensor_type
    dtype = _DTYPES.get(tensor.elem_type) if tensor.elem_type else None
    if not tensor.HasField("shape"):
        return dtype, None
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return dtype, tuple(None if size is None or size < 0 else size for size in sizes)
