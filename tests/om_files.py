""".om files written by hand, after ascend.md section 6; for tests and for the stand-in compiler.

Their kernels and tasks are placeholders: they can be read, but no device runs them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

from atlas_hpe.protowire import write_field

Attribute = Union[bool, int, float, str, Sequence[str], Sequence[int], Mapping[str, "Attribute"]]

OLD, NEW = 0x10000000, 0x20000000  # versions of the header
# Numbers of the types in ge.proto (section 6.3) and in the GE and ACL enum (section 1.6).
_DTYPES = {
    "float32": (1, 0),
    "float16": (2, 1),
    "int8": (3, 2),
    "uint8": (4, 4),
    "int32": (7, 3),
    "int64": (8, 9),
    "bool": (11, 12),
}
_FORMATS = {"NCHW": 0, "NHWC": 1, "ND": 2}
_ITEM_BYTES = {"float32": 4, "float16": 2, "int8": 1, "uint8": 1, "int32": 4, "int64": 8, "bool": 1}


@dataclass(frozen=True)
class Port:
    """An input or output; ``aipp`` holds the attribute's settings, names as in the config file.

    ``size_bytes`` None leaves shape times element size, -1 counted as 1. ``op_type`` is that of
    an input's node.
    """

    name: str
    shape: Tuple[int, ...]
    dtype: str = "float32"
    format: str = "NCHW"
    size_bytes: Optional[int] = None
    aipp: Optional[Mapping[str, Attribute]] = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    op_type: str = "Data"

    @property
    def stated_bytes(self) -> int:
        """What the file says about its size."""
        if self.size_bytes is not None:
            return self.size_bytes
        size = _ITEM_BYTES[self.dtype]
        for axis in self.shape:
            size *= max(axis, 1)
        return size


@dataclass(frozen=True)
class Model:
    """A model to write.

    ``attributes`` are those of the model (section 6.4), for example ``soc_version``.
    ``profiles`` go into MODEL_INOUT_INFO and name its type: 2 batch, 3 image size, 4 dims.
    """

    name: str = "hand"
    inputs: Sequence[Port] = (Port("image", (1, 3, 16, 16)),)
    outputs: Sequence[Port] = (Port("joints", (1, 21, 2), format="ND"),)
    operators: Mapping[str, int] = field(default_factory=lambda: {"Conv2D": 2, "Relu": 1})
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    weights: bytes = bytes(64)
    tasks: bytes = bytes(16)
    kernels: bytes = bytes(32)
    compressed_names: bool = False
    inout_info: bool = False
    profiles: Optional[Tuple[int, Sequence[Sequence[int]]]] = None
    subgraphs: Sequence[Mapping[str, int]] = ()


def typical_attributes(soc: str = "Ascend310", command: str = "") -> Dict[str, Attribute]:
    """The attributes that every file of CANN 5.0.4 has."""
    command = command or (
        "/usr/local/Ascend/ascend-toolkit/5.0.4/x86_64-linux/bin/atc.bin --model=hand.onnx "
        f"--framework=5 --output=hand --soc_version={soc}"
    )
    return {
        "soc_version": soc,
        "atc_version": "1.80.T15.0.B156",
        "opp_version": "1.80.T15.0.B156",
        "atc_cmdline": command,
        "framework_type": "Onnx",
        "target_type": "MINI",
        "memory_size": 1 << 20,
        "stream_num": 1,
    }


def build_om(
    models: Sequence[Model] = (Model(),),
    *,
    version: int = NEW,
    table: str = "32",
    encrypted: bool = False,
    name: Optional[str] = None,
) -> bytes:
    """A whole .om file.

    Args:
        models: What it holds; several need the new version.
        version: ``OLD`` or ``NEW``.
        table: "32" or "64": form of the partition table, and which length field is filled.
        encrypted: Set the flag (the partitions stay as they are).
        name: Name in the header; the first model's by default.
    """
    body = b"".join(_table_and_data(partitions_of(model), table) for model in models)
    header = bytearray(256)
    struct.pack_into("<4sII", header, 0, b"IMOD", 256, version)
    if table == "32":
        struct.pack_into("<I", header, 76, len(body))
    else:
        struct.pack_into("<Q", header, 184, len(body))
    header[80] = encrypted
    title = (models[0].name if name is None and models else name or "").encode("utf-8")[:31]
    header[84 : 84 + len(title)] = title
    if version >= NEW:
        struct.pack_into("<I", header, 156, len(models))
    return bytes(header) + body


def partitions_of(model: Model) -> List[Tuple[int, bytes]]:
    """Type and content of each partition, in the order of real files."""
    parts = [
        (0, model_def(model)),
        (1, model.weights),
        (3, model.kernels),
        (2, model.tasks),
    ]
    return [(8, inout_info(model)), *parts] if model.inout_info or model.profiles else parts


def _table_and_data(partitions: Sequence[Tuple[int, bytes]], table: str) -> bytes:
    head = struct.pack("<I", len(partitions)) + (b"" if table == "32" else bytes(4))
    entry = "<III" if table == "32" else "<I4xQQ"
    offset = 0
    for kind, content in partitions:
        head += struct.pack(entry, kind, offset, len(content))
        offset += len(content)
    return head + b"".join(content for _, content in partitions)


def model_def(model: Model) -> bytes:
    """The protobuf of MODEL_DEF (section 6.3)."""
    names = _Names() if model.compressed_names else None
    graph = write_field(1, f"{model.name}_0")
    for index, port in enumerate(model.inputs):
        graph += write_field(6, _input_op(port, index, names))
    graph += _plain_ops(model.operators, names)
    graph += write_field(6, _output_op(model.outputs, names))
    body = write_field(1, model.name) + write_field(2, 2) + write_field(7, graph)
    for number, operators in enumerate(model.subgraphs, 1):
        ops = write_field(1, f"Batch_{number}") + _plain_ops(operators, names)
        body += write_field(7, ops)
    attributes = dict(model.attributes)
    attributes.setdefault("attr_model_out_nodes_name", [f"{port.name}:0" for port in model.outputs])
    if names is not None:
        attributes.update(names.attributes())
    return body + b"".join(_entry(11, key, value) for key, value in attributes.items())


def _plain_ops(operators: Mapping[str, int], names: Optional[_Names]) -> bytes:
    body = b""
    for op_type, count in operators.items():
        for index in range(count):
            op = write_field(1, f"{op_type}_{index}") + write_field(2, op_type)
            op += _map(10, {"_engine_type": "AIcoreEngine"}, names)
            body += write_field(6, op)
    return body


def _input_op(port: Port, index: int, names: Optional[_Names]) -> bytes:
    body = write_field(1, port.name) + write_field(2, port.op_type)
    attributes: Dict[str, Attribute] = {"index": index, **port.attributes}
    if port.aipp is not None:
        attributes["aipp"] = port.aipp
    body += _map(10, attributes, names) + write_field(20, 1) + write_field(21, index)
    return (
        body + write_field(33, _descriptor(port, names)) + write_field(34, _descriptor(port, names))
    )


def _output_op(ports: Sequence[Port], names: Optional[_Names]) -> bytes:
    body = write_field(1, "Node_Output") + write_field(2, "NetOutput")
    return body + b"".join(write_field(33, _descriptor(port, names)) for port in ports)


def _descriptor(port: Port, names: Optional[_Names]) -> bytes:
    """A TensorDescriptor; dimensions are packed, as in real files."""
    dims = b"".join(write_field(1, axis)[1:] for axis in port.shape)
    body = write_field(2, _DTYPES[port.dtype][0]) + write_field(3, write_field(1, dims))
    body += write_field(4, port.format) + _map(5, {"origin_format": port.format}, names)
    return body + write_field(10, port.stated_bytes)


class _Names:
    """The compression of attribute names in CANN 7 and 8 (section 6.4)."""

    def __init__(self) -> None:
        self.names: List[str] = []
        self.texts: List[str] = []
        self.is_text: List[bool] = []

    def encode(self, name: str, value: Attribute) -> Tuple[bytes, Attribute]:
        if name not in self.names:
            self.names.append(name)
            self.is_text.append(isinstance(value, str))
        index = self.names.index(name)
        digits = bytearray(b"\0")
        while True:
            digits.append(index % 127 + 1)
            index //= 127
            if not index:
                break
        if isinstance(value, str):
            if value not in self.texts:
                self.texts.append(value)
            value = self.texts.index(value)
        return bytes(digits), value

    def attributes(self) -> Dict[str, Attribute]:
        return {
            "om_compress_version": 1,
            "attr_name_enum": self.names,
            "attr_value_enum": self.texts,
            "attrs_use_string_value": self.is_text,
        }


def _map(number: int, attributes: Mapping[str, Attribute], names: Optional[_Names]) -> bytes:
    body = b""
    for name, value in attributes.items():
        key: Union[str, bytes] = name
        if names is not None:
            key, value = names.encode(name, value)
        body += _entry(number, key, value)
    return body


def _entry(number: int, key: Union[str, bytes], value: Attribute) -> bytes:
    """One entry of a map from string to AttrDef."""
    return write_field(number, write_field(1, key) + write_field(2, attr_def(value)))


def attr_def(value: Attribute) -> bytes:
    """An AttrDef; a mapping becomes its ``func``, as AIPP settings are stored."""
    if isinstance(value, bool):
        return write_field(5, int(value))
    if isinstance(value, int):
        return write_field(3, value)
    if isinstance(value, float):
        return b"\x25" + struct.pack("<f", value)  # field 4, fixed32
    if isinstance(value, str):
        return write_field(2, value)
    if isinstance(value, Mapping):
        named = write_field(1, "aipp")
        return write_field(10, named + b"".join(_entry(2, *item) for item in value.items()))
    return write_field(1, _list_value(value))


def _list_value(values: Sequence[Union[str, int]]) -> bytes:
    """A ListValue; numbers and flags are packed."""
    if values and isinstance(values[0], str):
        return b"".join(write_field(2, str(item)) for item in values) + write_field(20, 1)
    number = 5 if values and isinstance(values[0], bool) else 3
    packed = b"".join(write_field(1, int(item))[1:] for item in values)
    return write_field(number, packed) + write_field(20, 4 if number == 5 else 2)


def inout_info(model: Model) -> bytes:
    """MODEL_INOUT_INFO (section 6.5)."""
    body = b""
    for kind, ports in ((0, model.inputs), (1, model.outputs)):
        content = struct.pack("<I", len(ports)) + b"".join(map(_inout_tensor, ports))
        body += struct.pack("<II", kind, len(content)) + content
    if model.profiles is not None:
        kind, values = model.profiles
        content = profile_list(kind, values)
        body += struct.pack("<II", kind, len(content)) + content
    return body


def _inout_tensor(port: Port) -> bytes:
    name = port.name.encode("utf-8")
    dims = struct.pack(f"<{len(port.shape)}q", *port.shape)
    numbers = (port.stated_bytes, _FORMATS[port.format], _DTYPES[port.dtype][1])
    sizes = (len(name), len(dims), len(dims), 0)
    return struct.pack("<QIIIIII", *numbers, *sizes) + name + dims + dims


def profile_list(kind: int, values: Sequence[Sequence[int]]) -> bytes:
    """Payload of a list of profiles: a count, lengths where they differ, then int64 values."""
    content = struct.pack("<I", len(values))
    if kind != 2:
        content += b"".join(struct.pack("<I", len(value)) for value in values)
    return content + b"".join(struct.pack(f"<{len(value)}q", *value) for value in values)
