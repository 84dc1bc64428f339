"""Any protobuf message, the other half of ``atlas_hpe.protowire``, and odd ONNX files made so."""

from __future__ import annotations

import struct
from typing import Dict, Iterable, Sequence, Union

from tiny_onnx import bytes_field, number_field, varint

Value = Union[int, str, bytes]


def field(number: int, value: Value) -> bytes:
    """One field: an int as a varint, text and bytes with their length."""
    return number_field(number, value) if isinstance(value, int) else bytes_field(number, value)


def fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<I", value)


def fixed64(number: int, value: int) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def message(fields: Dict[int, Union[Value, Sequence[Value]]]) -> bytes:
    """A message; a list is a repeated field, not packed."""
    encoded = b""
    for number, value in fields.items():
        values: Iterable[Value] = value if isinstance(value, (list, tuple)) else [value]  # type: ignore[list-item]
        encoded += b"".join(field(number, item) for item in values)
    return encoded


def tensor(name: str = "w", dims: Sequence[int] = (2, 3), external: Sequence[str] = ()) -> bytes:
    """A TensorProto of float32; with ``external`` its data lies in that file."""
    body = message({1: list(dims), 2: 1, 8: name})
    for location in external:
        body += field(13, message({1: "location", 2: location}))
    return body + (field(14, 1) if external else b"")


def value_info(name: str, dims: Sequence[Union[int, str]], dtype: int = 1) -> bytes:
    """A ValueInfoProto; a dimension given as text is symbolic."""
    sizes = [field(1, dim) if isinstance(dim, int) else field(2, dim) for dim in dims]
    shape = b"".join(field(1, size) for size in sizes)
    return message({1: name, 2: field(1, message({1: dtype, 2: shape}))})


def node(op_type: str, *attributes: bytes) -> bytes:
    return message({4: op_type, 5: list(attributes)})


def graph(
    nodes: Sequence[bytes] = (), tensors: Sequence[bytes] = (), *, extra: bytes = b""
) -> bytes:
    """A GraphProto from ``image`` (1, 3, N, 8) to ``joints`` (1, 21, 2)."""
    inputs = [value_info("image", [1, 3, "N", 8]), value_info("w", [2, 3])]
    outputs = [value_info("joints", [1, 21, 2], dtype=10)]
    return message({1: list(nodes), 5: list(tensors), 11: inputs, 12: outputs}) + extra


def model(graph_bytes: bytes = b"", extra: bytes = b"") -> bytes:
    """A ModelProto at opset 11 of the default domain."""
    head = message({1: 6, 2: "toy", 3: "1.0"})
    body = graph_bytes or graph([node("Conv"), node("Relu"), node("Conv")], [tensor()])
    opsets = field(8, message({1: "", 2: 11})) + field(8, message({1: "com.toy", 2: 1}))
    return head + field(7, body) + opsets + field(14, message({1: "key", 2: "value"})) + extra
