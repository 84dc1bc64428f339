"""The wire reader: it returns what an encoder wrote, and never believes a length."""

from __future__ import annotations

from typing import List, Tuple, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import field, fixed32, fixed64

from atlas_hpe.protowire import (
    WireError,
    read_fields,
    read_spans,
    read_varints,
    to_signed,
    write_field,
)
from tiny_onnx import varint

numbers = st.integers(1, (1 << 29) - 1)
uint64s = st.integers(0, (1 << 64) - 1)
encoded_fields = st.one_of(
    st.tuples(st.just(field), numbers, uint64s),
    st.tuples(st.just(field), numbers, st.binary(max_size=300)),
    st.tuples(st.just(fixed32), numbers, st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just(fixed64), numbers, uint64s),
)


def read(message: bytes) -> List[Tuple[int, Union[int, bytes]]]:
    return [
        (number, value if isinstance(value, int) else bytes(value))
        for number, value in read_fields(memoryview(message))
    ]


@given(st.lists(encoded_fields, max_size=12))
def test_a_message_is_read_as_it_was_written(parts: list) -> None:
    message = b"".join(encode(number, value) for encode, number, value in parts)
    assert read(message) == [(number, value) for _, number, value in parts]


@given(st.lists(encoded_fields, max_size=12))
def test_the_spans_of_all_fields_are_the_message(parts: list) -> None:
    message = b"".join(encode(number, value) for encode, number, value in parts)
    spans = [bytes(span) for _, _, span in read_spans(memoryview(message))]
    assert spans == [encode(number, value) for encode, number, value in parts]


@given(numbers, st.one_of(uint64s, st.binary(max_size=300), st.text(max_size=90)))
def test_a_written_field_is_what_another_encoder_writes(number: int, value: object) -> None:
    assert write_field(number, value) == field(number, value)  # type: ignore[arg-type]
    if isinstance(value, bytes):
        assert write_field(number, memoryview(value)) == field(number, value)


def test_a_negative_number_is_written_as_int64() -> None:
    ((number, value),) = read_fields(memoryview(write_field(3, -2)))
    assert (number, to_signed(value)) == (3, -2)  # type: ignore[arg-type]


@given(st.lists(uint64s, max_size=20))
def test_packed_numbers_are_read_as_they_were_written(values: List[int]) -> None:
    assert list(read_varints(memoryview(b"".join(map(varint, values))))) == values


@given(uint64s)
def test_a_number_that_is_not_packed_is_read_as_itself(value: int) -> None:
    assert list(read_varints(value)) == [value]


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_numbers_survive(value: int) -> None:
    assert to_signed(next(read_varints(memoryview(varint(value))))) == value


@given(st.lists(encoded_fields, min_size=1, max_size=6), st.data())
def test_a_cut_message_is_a_shorter_one_or_a_wire_error(parts: list, data: st.DataObject) -> None:
    message = b"".join(encode(number, value) for encode, number, value in parts)
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    whole = [(number, value) for _, number, value in parts]
    try:
        found = read(cut)
    except WireError:
        return
    assert found == whole[: len(found)]
    assert len(found) < len(whole)


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_a_wire_error(message: bytes) -> None:
    try:
        found = read(message)
    except WireError:
        return
    # Nothing is invented: all bodies together are shorter than the message.
    assert sum(len(value) for _, value in found if isinstance(value, bytes)) <= len(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_numbers_or_a_wire_error(message: bytes) -> None:
    try:
        values = list(read_varints(memoryview(message)))
    except WireError:
        return
    assert all(0 <= value < 1 << 64 for value in values)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x80", "ends inside a number"),
        (b"\x08", "ends inside a number"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
        (b"\x0a\x05abc", "field 1 claims 5 bytes, 3 are left"),
        (b"\x0a" + varint((1 << 63) + 3), "field 1 claims 9223372036854775811 bytes, 0 are left"),
        (b"\x0d\x00\x00", "field 1 claims 4 bytes, 2 are left"),
        (b"\x09" + b"\x00" * 7, "field 1 claims 8 bytes, 7 are left"),
        (b"\x00\x00", "field number 0"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x0f", "wire type 7"),
        # A reader with 32-bit tags would see field 7 here: the two must not disagree.
        (varint(1 << 32 | 7 << 3) + b"\x01", "field number"),
    ],
)
def test_damage_is_named(message: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        read(message)
