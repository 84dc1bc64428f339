"""Small changes to an ONNX file without the onnx package.

Only what a change needs is parsed; everything else is copied as it is. Field numbers follow
onnx.proto (ONNX IR version 3 and later).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from atlas_hpe.errors import ModelFileError
from atlas_hpe.protowire import WireError, read_fields, read_spans, read_varints, write_field

__all__ = [
    "FLOAT",
    "FLOAT16",
    "OnnxGraph",
    "OnnxNode",
    "OnnxTensor",
    "OnnxValue",
    "cast_node",
    "parse_graph",
]

FLOAT, FLOAT16 = 1, 10  # TensorProto.DataType
_EXTERNAL = 1  # TensorProto.DataLocation
_MAX_SIZE = (1 << 31) - 1  # of an axis
_INT = 2  # AttributeProto.AttributeType
_TYPE_ATTRIBUTES = ("to", "dtype")  # of Cast, EyeLike, the Random operators

Value = Union[int, memoryview]


@dataclass
class OnnxTensor:
    """A TensorProto.

    Attributes:
        name: Its name, empty inside an attribute.
        dtype: Element type, a TensorProto.DataType.
        dims: Its shape.
        message: The message as it is in the file.
    """

    name: str
    dtype: int
    dims: Tuple[int, ...]
    message: bytes

    def values(self) -> np.ndarray:
        """The numbers of a float32 or float16 tensor, flat.

        Raises:
            WireError: The numbers do not have the width that the type says.
        """
        raw, words = bytearray(), []  # type: bytearray, List[int]
        for number, value in read_fields(memoryview(self.message)):
            if number == 9 or (number == 4 and not isinstance(value, int)):
                raw += _body(value)
            elif number == 4:
                raw += struct.pack("<I", _number(value) & 0xFFFFFFFF)
            elif number == 5:  # int32_data holds float16 bits
                words += read_varints(value)
        kind = np.dtype("<f2" if self.dtype == FLOAT16 else "<f4")
        if words:
            raw += np.array(words, np.uint64).astype("<u2").tobytes()
        if len(raw) % kind.itemsize:
            raise WireError(f"tensor '{self.name}' holds {len(raw)} bytes of {kind.name}")
        return np.frombuffer(raw, kind)

    def with_values(self, values: np.ndarray, name: str) -> OnnxTensor:
        """A float32 tensor of the same shape."""
        message = b"".join(write_field(1, size) for size in self.dims) + write_field(2, FLOAT)
        message += write_field(8, name) + write_field(9, values.astype("<f4").tobytes())
        return OnnxTensor(name, FLOAT, self.dims, message)


@dataclass
class OnnxNode:
    """A NodeProto: what it reads and makes; ``rest`` holds its other fields as they are."""

    op_type: str
    inputs: List[str]
    outputs: List[str]
    name: str = ""
    domain: str = ""
    rest: bytes = b""

    def encode(self) -> bytes:
        """The message."""
        names = [write_field(1, name) for name in self.inputs]
        names += [write_field(2, name) for name in self.outputs]
        kind = [write_field(3, self.name), write_field(4, self.op_type)]
        return b"".join([*names, *kind, write_field(7, self.domain), self.rest])


@dataclass(frozen=True)
class OnnxValue:
    """A ValueInfoProto: a declared input or output.

    Attributes:
        dtype: Element type, a TensorProto.DataType.
        shape: Its sizes, -1 for one that is free; None where even their number is not declared.
    """

    dtype: int
    shape: Optional[Tuple[int, ...]]

    def encode(self, name: str) -> bytes:
        """The message."""
        kind = write_field(1, self.dtype)
        if self.shape is not None:
            sizes = [write_field(1, size) if size >= 0 else b"" for size in self.shape]
            kind += write_field(2, b"".join(write_field(1, size) for size in sizes))
        return write_field(1, name) + write_field(2, write_field(1, kind))


@dataclass
class OnnxGraph:
    """The graph of an ONNX file.

    Attributes:
        nodes: In order.
        tensors: Initialisers.
        inputs: All declared inputs, by name.
        outputs: Declared outputs, by name.
        rest: The other fields of the graph.
        model: The fields of the file around the graph.
    """

    nodes: List[OnnxNode] = field(default_factory=list)
    tensors: List[OnnxTensor] = field(default_factory=list)
    inputs: Dict[str, OnnxValue] = field(default_factory=dict)
    outputs: Dict[str, OnnxValue] = field(default_factory=dict)
    rest: bytes = b""
    model: bytes = b""

    def encode(self, outputs: Optional[Sequence[str]] = None) -> bytes:
        """The file.

        Args:
            outputs: Tensors to give out, without a declared type; None for the declared outputs.
        """
        parts = [write_field(1, node.encode()) for node in self.nodes]
        parts += [write_field(5, tensor.message) for tensor in self.tensors]
        parts += [write_field(11, value.encode(name)) for name, value in self.inputs.items()]
        if outputs is None:
            parts += [write_field(12, value.encode(name)) for name, value in self.outputs.items()]
        else:
            parts += [write_field(12, write_field(1, name)) for name in outputs]
        return self.model + write_field(7, b"".join(parts) + self.rest)


def cast_node(source: str, result: str, dtype: int) -> OnnxNode:
    """A Cast node (ONNX operator Cast, opset 6)."""
    to = write_field(1, "to") + write_field(3, dtype) + write_field(20, _INT)
    return OnnxNode("Cast", [source], [result], rest=write_field(5, to))


def parse_graph(onnx: bytes, *, widen: bool = False) -> OnnxGraph:
    """Take an ONNX file apart.

    Args:
        onnx: The file, weights included.
        widen: Turn every float16 number into float32, but for declared inputs and outputs.

    Raises:
        ModelFileError: Not an ONNX file, or one with weights in other files, sparse weights,
            functions, or graphs inside nodes.
    """
    try:
        graph = _parse_model(memoryview(onnx))
        if widen:
            _widen(graph)
    except (WireError, UnicodeDecodeError) as error:
        raise ModelFileError(
            "the file is not an ONNX model, or it is damaged", why=str(error)
        ) from error
    return graph


def _parse_model(message: memoryview) -> OnnxGraph:
    bodies, rest = [], []  # type: List[memoryview], List[bytes]
    for number, value, span in read_spans(message):
        if number == 25:
            raise _not_taken("functions")
        if number == 7:
            bodies.append(_body(value))
        else:
            rest.append(bytes(span))
    if len(bodies) != 1:
        raise WireError(f"it holds {len(bodies)} graphs")
    graph = OnnxGraph(model=b"".join(rest))
    _parse_parts(bodies[0], graph)
    return graph


def _parse_parts(message: memoryview, graph: OnnxGraph) -> None:
    rest = []
    for number, value, span in read_spans(message):
        if number == 1:
            graph.nodes.append(_parse_node(_body(value)))
        elif number == 5:
            graph.tensors.append(_parse_tensor(_body(value)))
        elif number in (11, 12):
            name, declared = _parse_value_info(_body(value))
            (graph.inputs if number == 11 else graph.outputs)[name] = declared
        elif number == 15:
            raise _not_taken("sparse weights")
        elif number != 13:  # value_info: what types are known is known again
            rest.append(bytes(span))
    graph.rest = b"".join(rest)


def _parse_node(message: memoryview) -> OnnxNode:
    node, rest = OnnxNode("", [], []), []
    for number, value, span in read_spans(message):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op_type = _text(value)
        elif number == 7:
            node.domain = _text(value)
        else:
            if number == 5 and any(key in (6, 11) for key, _ in read_fields(_body(value))):
                raise _not_taken(f"graphs inside nodes, here in {node.op_type or 'a node'}")
            rest.append(bytes(span))
    node.rest = b"".join(rest)
    return node


def _parse_tensor(message: memoryview) -> OnnxTensor:
    name, dtype, dims = "", 0, []  # type: str, int, List[int]
    for number, value in read_fields(message):
        if number == 1:
            dims += read_varints(value)
        elif number == 2:
            dtype = _number(value)
        elif number == 8:
            name = _text(value)
        elif number == 14 and value == _EXTERNAL:
            raise _not_taken("weights in other files")
    return OnnxTensor(name, dtype, tuple(dims), bytes(message))


def _parse_value_info(message: memoryview) -> Tuple[str, OnnxValue]:
    name, dtype, shape = "", 0, None  # type: str, int, Optional[Tuple[int, ...]]
    for number, value in read_fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for key, kind in read_fields(_body(value)):
                if key == 1:  # TypeProto.tensor_type
                    dtype, shape = _parse_tensor_type(_body(kind))
    if not dtype:
        raise _not_taken(f"inputs or outputs that are no tensors, here '{name}'")
    return name, OnnxValue(dtype, shape)


def _parse_tensor_type(message: memoryview) -> Tuple[int, Optional[Tuple[int, ...]]]:
    dtype, shape = 0, None  # type: int, Optional[Tuple[int, ...]]
    for number, value in read_fields(message):
        if number == 1:
            dtype = _number(value)
        elif number == 2:
            shape = tuple(
                next((_number(size) for part, size in read_fields(_body(dim)) if part == 1), -1)
                for key, dim in read_fields(_body(value))
                if key == 1
            )
    # A negative size comes out above 2**63: no tensor is that large.
    return dtype, None if shape is None else tuple(-1 if n > _MAX_SIZE else n for n in shape)


def _widen(graph: OnnxGraph) -> None:
    graph.tensors = [
        tensor if tensor.name in graph.inputs else _widen_tensor(tensor) for tensor in graph.tensors
    ]
    for node in graph.nodes:
        node.rest = _map_field(node.rest, 5, _widen_attribute)


def _widen_attribute(message: memoryview) -> bytes:
    names = [_text(value) for number, value in read_fields(message) if number == 1]
    is_type = bool(names) and names[-1] in _TYPE_ATTRIBUTES

    parts = []
    for number, value, span in read_spans(message):
        if number == 3 and is_type and value == FLOAT16:
            parts.append(write_field(3, FLOAT))
        elif number == 5:
            parts.append(write_field(5, _widen_tensor(_parse_tensor(_body(value))).message))
        else:
            parts.append(bytes(span))
    return b"".join(parts)


def _widen_tensor(tensor: OnnxTensor) -> OnnxTensor:
    if tensor.dtype != FLOAT16:
        return tensor
    return tensor.with_values(tensor.values().astype(np.float32), tensor.name)


def _map_field(message: bytes, number: int, change: Callable[[memoryview], bytes]) -> bytes:
    parts = []
    for key, value, span in read_spans(memoryview(message)):
        parts.append(write_field(key, change(_body(value))) if key == number else bytes(span))
    return b"".join(parts)


def _not_taken(what: str) -> ModelFileError:
    return ModelFileError(
        f"the simulator takes no model with {what}",
        fix="export it again with: atlas-hpe export, which writes one plain graph",
    )


def _text(value: Value) -> str:
    return bytes(_body(value)).decode("utf-8")


def _body(value: Value) -> memoryview:
    if isinstance(value, int):
        raise WireError("a number where a message is due")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise WireError("a message where a number is due")
    return value
