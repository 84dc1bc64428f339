"""Header and partition tables of .om files, old and new, whole and damaged."""

from __future__ import annotations

import struct
from typing import Sequence

import pytest

from atlas_hpe.errors import ModelFileError
from atlas_hpe.om_file import parse_om
from om_files import NEW, OLD, Model, build_om

HEADER = 256


def why(content: bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(ModelFileError) as refusal:
        parse_om(content, "hand.om")
    assert refusal.value.where == "hand.om"
    return refusal.value.why or ""


def with_u32(content: bytes, offset: int, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into("<I", changed, offset, value)
    return bytes(changed)


def entry_at(index: int) -> int:
    """Where an entry of the first 32-bit table begins."""
    return HEADER + 4 + 12 * index


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize(("table", "head", "entry"), [("32", 4, 12), ("64", 8, 24)])
def test_both_tables_of_both_versions_are_read(
    version: int, table: str, head: int, entry: int
) -> None:
    content = build_om([Model()], version=version, table=table)
    summary = parse_om(content)
    assert summary.header.version == version
    assert summary.header.table == f"{table}-bit"
    assert summary.header.length_bytes == summary.header.file_bytes - HEADER == len(content) - 256
    (model,) = summary.models
    assert [part.kind for part in model.partitions] == [
        "MODEL_DEF",
        "WEIGHTS_DATA",
        "TBE_KERNELS",
        "TASK_INFO",
    ]
    assert model.partitions[0].offset == HEADER + head + 4 * entry
    last = model.partitions[-1]
    assert last.offset + last.size_bytes == len(content)


@pytest.mark.parametrize("table", ["32", "64"])
def test_several_models_follow_one_another(table: str) -> None:
    models = [Model("left", weights=bytes(8)), Model("right", weights=bytes(24)), Model("both")]
    summary = parse_om(build_om(models, table=table))
    assert summary.header.model_num == 3
    assert [model.name for model in summary.models] == ["left", "right", "both"]
    assert [model.weights_bytes for model in summary.models] == [8, 24, 64]


def test_the_old_version_has_one_model_whatever_stands_where_the_number_came_later() -> None:
    content = bytearray(build_om([Model()], version=OLD))
    content[156:160] = b"310A"  # the platform version, in this version of the header
    summary = parse_om(bytes(content))
    assert summary.header.model_num == 1
    assert summary.header.platform_version == "310A"


def test_the_header_s_flags_and_texts() -> None:
    content = bytearray(build_om([Model()], name="pose"))
    content[81], content[82], content[83], content[193] = 1, 5, 1, 1
    content[152:156] = struct.pack("<I", 2)
    content[160:167] = b"1.11.z\0"
    header = parse_om(bytes(content)).header
    assert (header.name, header.model_type, header.ir_version) == ("pose", "bundle", 2)
    assert header.online and header.has_checksum and header.dynamic_shape
    assert header.platform_version == "1.11.z"
    content[82] = 9
    assert parse_om(bytes(content)).header.model_type == "type 9"


def test_an_encrypted_model_shows_its_partitions_only() -> None:
    summary = parse_om(build_om([Model()], encrypted=True))
    assert summary.header.encrypted
    (model,) = summary.models
    assert len(model.partitions) == 4
    assert (model.name, model.inputs, dict(model.operators)) == ("hand", (), {})


def test_a_length_of_zero_leaves_the_size_of_the_file() -> None:
    content = with_u32(build_om([Model()]), 76, 0)
    assert parse_om(content).header.length_bytes == len(content) - HEADER


def test_the_form_is_told_by_what_fits_not_by_the_length_field() -> None:
    content = bytearray(build_om([Model()], table="64"))
    length = struct.unpack_from("<Q", content, 184)[0]
    struct.pack_into("<I", content, 76, length)  # as if the table were of 32 bits
    assert parse_om(bytes(content)).header.table == "64-bit"


def test_a_64_bit_table_that_could_be_one_of_32_bits_is_known_by_its_end() -> None:
    content = bytearray(build_om([Model()], table="64")[:256])
    # As a 32-bit table: one empty partition of type 0, well inside the file.
    content += struct.pack("<I4xI4xQQ", 1, 1, 0, 40) + bytes(40)
    struct.pack_into("<Q", content, 184, len(content) - HEADER)
    header, (model,) = parse_om(bytes(content)).header, parse_om(bytes(content)).models
    assert (header.table, model.weights_bytes) == ("64-bit", 40)


def test_no_number_of_models_means_one() -> None:
    assert parse_om(with_u32(build_om([Model()]), 156, 0)).header.model_num == 1


def test_bytes_between_partitions_are_taken_in_the_form_of_the_length_field() -> None:
    content = bytearray(build_om([Model(tasks=bytes(16))]))
    struct.pack_into("<I", content, entry_at(3) + 8, 10)  # the last partition ends early
    assert parse_om(bytes(content)).models[0].partitions[3].size_bytes == 10


def test_bytes_after_the_model_are_counted_not_read() -> None:
    summary = parse_om(build_om([Model()]) + bytes(10))
    assert summary.header.file_bytes - HEADER - summary.header.length_bytes == 10


def test_an_unknown_partition_keeps_its_number() -> None:
    content = with_u32(build_om([Model()]), entry_at(2), 99)
    content = with_u32(content, entry_at(3), 21)
    kinds = [part.kind for part in parse_om(content).models[0].partitions]
    assert kinds == ["MODEL_DEF", "WEIGHTS_DATA", "type 99", "PRE 21"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (5, ["ends at byte 5", "256"]),
        (255, ["ends at byte 255"]),
        (256, ["length at byte 76", "ends 0 bytes after it"]),
        (400, ["length at byte 76", "ends 144 bytes after it"]),
    ],
)
def test_a_truncated_file_is_refused_with_its_size(size: int, words: Sequence[str]) -> None:
    text = why(build_om([Model()])[:size])
    assert all(word in text for word in words), text


def test_a_truncated_file_with_a_64_bit_length_names_that_field() -> None:
    assert "length at byte 184" in why(build_om([Model()], table="64")[:-1])


def test_a_file_that_is_cut_where_no_length_tells_is_refused_at_its_table() -> None:
    content = with_u32(build_om([Model()]), 76, 0)
    assert "ends at byte 256, inside the partition table at byte 256" in why(content[:256])
    assert "partition table at byte 256 claims 4 entries" in why(content[:280])


def test_a_head_of_another_size_is_refused() -> None:
    assert "header size at byte 4 is 255, not 256" in why(with_u32(build_om([Model()]), 4, 255))


@pytest.mark.parametrize("count", [0, 5000, 0xFFFFFFFF])
def test_an_impossible_number_of_partitions_is_refused(count: int) -> None:
    text = why(with_u32(build_om([Model()]), HEADER, count))
    assert f"partition table at byte 256 claims {count:,} entries" in text


def test_a_partition_that_leaves_the_file_is_refused_with_its_end() -> None:
    content = build_om([Model()])
    text = why(with_u32(content, entry_at(1) + 8, 0xFFFFFFF0))
    assert "WEIGHTS_DATA of 4,294,967,280 bytes would end at byte" in text
    assert f"ends at byte {len(content)}" in text


def test_partitions_that_share_bytes_are_refused() -> None:
    content = build_om([Model()])
    (offset,) = struct.unpack_from("<I", content, entry_at(1) + 4)
    text = why(with_u32(content, entry_at(1) + 4, offset - 1))
    assert "WEIGHTS_DATA" in text and f"begins at byte {HEADER + 52 + offset - 1}, inside" in text


def test_more_models_than_tables_are_refused() -> None:
    content = build_om([Model()])
    text = why(with_u32(content, 156, 0xFFFFFFFF))
    assert f"inside the partition table at byte {len(content)}" in text


def test_tables_without_end_are_not_kept() -> None:
    table = struct.pack("<IIII", 1, 1, 0, 0)  # one empty partition
    content = bytearray(build_om([Model()])[:HEADER] + table * 30_000)
    struct.pack_into("<I", content, 76, len(content) - HEADER)
    struct.pack_into("<I", content, 156, 30_000)
    assert "more than 20,000" in why(bytes(content))
