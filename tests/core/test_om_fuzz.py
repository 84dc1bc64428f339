"""Whatever bytes a file holds: a summary or one clear error, in bounded time and memory."""

from __future__ import annotations

import json
import signal
import struct
import tracemalloc
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Iterable, Iterator, List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from om_mutations import mutations, small_files

from atlas_hpe.errors import ModelFileError
from atlas_hpe.om_file import describe_om, parse_om
from atlas_hpe.protowire import write_field
from om_files import Model, build_om

INPUT_LIMIT_S = 10.0  # the machine may be loaded; an input takes a millisecond
ROOM_BYTES = 6 << 20  # what 20,000 small things take, whatever the file's size


@contextmanager
def time_limit() -> Iterator[None]:
    """Fail instead of hanging."""

    def stop(number: int, frame: Optional[FrameType]) -> None:
        pytest.fail("an input takes too long")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, INPUT_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read(content: bytes) -> bool:
    """Read and describe a file; tell whether it was taken."""
    with time_limit():
        try:
            summary = parse_om(content)
        except ModelFileError as refusal:
            assert refusal.why
            return False
        describe_om(summary)
        json.dumps(asdict(summary), allow_nan=False)
        return True


def read_measured(content: bytes) -> bool:
    """As ``read``, and hold the memory that it took against the file's size."""
    tracemalloc.start()
    try:
        taken = read(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(content) + ROOM_BYTES
    return taken


def read_all(contents: Iterable[bytes]) -> List[bool]:
    return [
        (read_measured if number % 10 == 0 else read)(content)
        for number, content in enumerate(contents)
    ]


def wrapped(definition: bytes, partition: int = 0) -> bytes:
    """A sound file of one partition with this content."""
    header = bytearray(build_om([Model()])[:256])
    body = struct.pack("<IIII", 1, partition, 0, len(definition)) + definition
    struct.pack_into("<I", header, 76, len(body))
    return bytes(header) + body


def test_changed_files_are_read_or_refused() -> None:
    taken = read_all(mutations(small_files(), 1000, seed=1))
    assert 100 < sum(taken) < 900  # else the changes are too weak or too strong to tell anything


@pytest.mark.slow
def test_many_changed_files_are_read_or_refused(shared_data: Path) -> None:
    real = (shared_data / "om" / "hh_om.om").read_bytes()
    # Header and MODEL_DEF alone: the rest of it is never looked at.
    definition = wrapped(real[308 : 308 + 154630])
    read_all(mutations(small_files(), 18_500, seed=2))
    read_all(mutations([definition], 1_200, seed=3))
    read_all(mutations([real], 300, seed=4))


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_definition_is_read_or_refused(definition: bytes) -> None:
    read(wrapped(definition))


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_inout_info_is_read_or_refused(info: bytes) -> None:
    read(wrapped(info, partition=8))


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 0xFFFFFFFF), st.sampled_from([76, 184]))
def test_any_table_is_read_or_refused(table: bytes, model_num: int, length_at: int) -> None:
    content = bytearray(build_om([Model()])[:256]) + table
    struct.pack_into("<I", content, 76, 0)
    struct.pack_into("<I", content, length_at, len(table))
    struct.pack_into("<I", content, 156, model_num)
    read(bytes(content))


def fields(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Messages of the fields that MODEL_DEF uses, with such values in them."""
    numbers = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 10, 11, 20, 24, 33, 34, 35])
    one = st.builds(write_field, numbers, st.one_of(st.integers(0, 1 << 64), values))
    return st.lists(one, max_size=6).map(b"".join)


WORDS = [
    "Data",
    "NetOutput",
    "aipp",
    "index",
    "attr_name_enum",
    "atc_cmdline",
    "\0\1",
    "soc_version",
]
MESSAGES = st.recursive(st.sampled_from(WORDS).map(str.encode), fields, max_leaves=60)


@settings(max_examples=200)
@given(fields(MESSAGES))
def test_any_well_formed_definition_is_read_or_refused(definition: bytes) -> None:
    read(wrapped(definition))


@pytest.mark.slow
@pytest.mark.parametrize(
    "definition",
    [
        write_field(99, 1) * 50_000,
        write_field(7, write_field(6, write_field(2, "a")) * 30_000),
        write_field(
            11,
            write_field(1, "attr_name_enum") + write_field(2, write_field(1, b"\x12\0" * 50_000)),
        ),
        write_field(
            11,
            write_field(1, "attrs_use_string_value")
            + write_field(2, write_field(1, write_field(5, b"\1" * 2_000_000))),
        ),
        write_field(7, write_field(6, write_field(2, "Data")) * 5_000),
        write_field(
            7,
            write_field(
                6,
                write_field(2, "Data")
                + write_field(34, write_field(3, write_field(1, b"\1" * 2_000_000))),
            ),
        ),
    ],
    ids=["unknown fields", "operators", "names", "flags", "inputs", "axes"],
)
def test_memory_stays_a_small_multiple_of_the_file(definition: bytes) -> None:
    read_measured(wrapped(definition))
