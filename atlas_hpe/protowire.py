"""A reader for the protobuf wire format that never trusts a length, and what writes a field.

The board has no protobuf and no onnx, and files may come from strangers: a message is walked over
a memoryview without copies, and every length is checked against what is there.
Source: the encoding page of the Protocol Buffers documentation.
"""

from __future__ import annotations

import struct
from typing import Iterator, Tuple, Union

__all__ = ["WireError", "read_fields", "read_spans", "read_varints", "to_signed", "write_field"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_FIELD = (1 << 29) - 1


class WireError(ValueError):
    """The bytes are not a well-formed protobuf message."""


def read_fields(message: memoryview) -> Iterator[Tuple[int, Union[int, memoryview]]]:
    """Walk the fields of one message.

    Yields:
        Field number and value: an unsigned int for varints and fixed-width fields, a memoryview
        for length-delimited ones.

    Raises:
        WireError: A length or tag that the bytes do not bear out.
    """
    for number, value, _ in read_spans(message):
        yield number, value


def read_spans(message: memoryview) -> Iterator[Tuple[int, Union[int, memoryview], memoryview]]:
    """Walk the fields of one message, for who copies some of them as they are.

    Yields:
        Field number, value as ``read_fields`` gives it, and all bytes of the field.

    Raises:
        WireError: A length or tag that the bytes do not bear out.
    """
    offset = 0
    while offset < len(message):
        start = offset
        tag, offset = _read_varint(message, offset)
        number, wire_type = tag >> 3, tag & 7
        # Readers with 32-bit tags would cut a larger number and see another field than this one.
        if not 0 < number <= _MAX_FIELD:
            raise WireError(f"field number {number} at byte {offset}")
        if wire_type == _VARINT:
            value, offset = _read_varint(message, offset)
            yield number, value, message[start:offset]
            continue
        if wire_type == _BYTES:
            size, offset = _read_varint(message, offset)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise WireError(f"wire type {wire_type} at byte {offset}")
        if size > len(message) - offset:
            raise WireError(f"field {number} claims {size} bytes, {len(message) - offset} are left")
        body = message[offset : offset + size]
        offset += size
        if wire_type == _BYTES:
            yield number, body, message[start:offset]
        else:
            number_format = "<I" if size == 4 else "<Q"
            yield number, int(struct.unpack(number_format, body)[0]), message[start:offset]


def read_varints(value: Union[int, memoryview]) -> Iterator[int]:
    """The numbers of a repeated varint field, packed or not."""
    if isinstance(value, int):
        yield value
        return
    offset = 0
    while offset < len(value):
        number, offset = _read_varint(value, offset)
        yield number


def to_signed(number: int) -> int:
    """An int64 from its unsigned varint."""
    return number - (1 << 64) if number >= 1 << 63 else number


def write_field(number: int, value: Union[int, str, bytes, memoryview]) -> bytes:
    """One field: a varint from an int (a negative one as int64), else length and content."""
    if isinstance(value, int):
        return _write_varint(number << 3 | _VARINT) + _write_varint(value & (1 << 64) - 1)
    body = value.encode("utf-8") if isinstance(value, str) else bytes(value)
    return _write_varint(number << 3 | _BYTES) + _write_varint(len(body)) + body


def _write_varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _read_varint(message: memoryview, offset: int) -> Tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if offset >= len(message):
            raise WireError("the message ends inside a number")
        byte = message[offset]
        offset += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (1 << 64) - 1, offset
    raise WireError(f"a number of more than ten bytes at byte {offset}")
