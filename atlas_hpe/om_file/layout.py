"""Header and partition tables of an .om file (ascend.md sections 6.1 and 6.2)."""

from __future__ import annotations

import struct
from typing import BinaryIO, List, Tuple, Union

from atlas_hpe.om_file.message import Budget, DamageError, read_text
from atlas_hpe.om_file.spec import OmHeader, OmPartition

__all__ = ["HEADER_BYTES", "Content", "FileContent", "read_header", "read_tables"]

HEADER_BYTES = 256
_WITH_MODEL_NUM = 0x20000000
_LENGTH_32_AT, _LENGTH_64_AT = 76, 184
_FORMS = ("32-bit", "64-bit")
_MODEL_TYPES = ("ir", "standard", "tiny", "flow", "lite", "bundle")
_PARTITIONS = {
    0: "MODEL_DEF",
    1: "WEIGHTS_DATA",
    2: "TASK_INFO",
    3: "TBE_KERNELS",
    4: "CUST_AICPU_KERNELS",
    5: "SO_BINS",
    6: "FLOW_MODEL",
    7: "FLOW_SUBMODEL",
    8: "MODEL_INOUT_INFO",
    9: "STATIC_TASK_DESC",
    10: "DYNAMIC_TASK_DESC",
    11: "TASK_PARAM",
    12: "TILING_DATA",
    24: "BUNDLE_MODEL_INFO",
    25: "BUNDLE_MODEL_VAR_INFO",
    26: "CUSTOM_OPS",
}
_PRE_PARTITIONS = range(20, 24)  # section 6.2 names them PRE_* only


class Content:
    """The bytes of a model in memory."""

    def __init__(self, content: Union[bytes, memoryview]) -> None:
        self._view = memoryview(content)
        self.size = len(self._view)

    def read(self, offset: int, size: int) -> memoryview:
        """A part of it, without a copy.

        Raises:
            DamageError: It ends before that.
        """
        if offset + size > self.size:
            raise DamageError(f"it ends at byte {self.size}, inside what begins at byte {offset}")
        return self._view[offset : offset + size]


class FileContent(Content):
    """The bytes of an open file; only the parts that are asked for are read, never the weights."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read(self, offset: int, size: int) -> memoryview:
        """A part of the file.

        Raises:
            DamageError: It ends before that.
            OSError: It can't be read.
        """
        self._file.seek(offset)
        # Not more than there is: the size may come from a file that lies.
        return Content(self._file.read(max(min(size, self.size - offset), 0))).read(0, size)


def read_header(content: Content) -> OmHeader:
    """Read the header and hold its length against the file.

    Raises:
        DamageError: Too short, or it announces more than the file holds.
    """
    if content.size < HEADER_BYTES:
        raise DamageError(f"it ends at byte {content.size}, the header alone has {HEADER_BYTES}")
    raw = content.read(0, HEADER_BYTES)
    _, head_size, version = struct.unpack_from("<4sII", raw)
    if head_size != HEADER_BYTES:
        raise DamageError(f"the header size at byte 4 is {head_size}, not {HEADER_BYTES}")
    length_at = _LENGTH_32_AT
    (length,) = struct.unpack_from("<I", raw, _LENGTH_32_AT)
    if not length:
        length_at = _LENGTH_64_AT
        (length,) = struct.unpack_from("<Q", raw, _LENGTH_64_AT)
    if length > content.size - HEADER_BYTES:
        raise DamageError(
            f"the length at byte {length_at} announces {length:,} bytes after the header, the file "
            f"ends {content.size - HEADER_BYTES:,} bytes after it"
        )
    encrypted, has_checksum, model_type, mode = raw[80:84]
    has_num = version >= _WITH_MODEL_NUM
    (model_num,) = struct.unpack_from("<I", raw, 156) if has_num else (1,)
    platform_at = 160 if has_num else 156
    return OmHeader(
        name=_padded_text(raw[84:116]),
        version=version,
        length_bytes=length or content.size - HEADER_BYTES,
        table=_FORMS[length_at == _LENGTH_64_AT],
        model_type=_MODEL_TYPES[model_type]
        if model_type < len(_MODEL_TYPES)
        else f"type {model_type}",
        online=mode == 1,
        encrypted=encrypted != 0,
        has_checksum=has_checksum != 0,
        dynamic_shape=raw[193] != 0,
        model_num=max(model_num, 1),
        platform_version=_padded_text(raw[platform_at : platform_at + 20]),
        ir_version=struct.unpack_from("<I", raw, 152)[0],
        file_bytes=content.size,
    )


def _padded_text(raw: memoryview) -> str:
    return read_text(raw).split("\0", 1)[0]


def read_tables(content: Content, header: OmHeader) -> Tuple[str, List[Tuple[OmPartition, ...]]]:
    """Find the form of the tables and read them.

    Nothing in the file names the form: a table that fills the file to its last byte is right;
    without one, the form that goes with the length field is, if it stays inside the file.

    Returns:
        The form, and the partitions of each model.

    Raises:
        DamageError: No form of table fits the file.
    """
    damages, fitting = {}, {}
    for form in _FORMS:
        try:
            tables, end = _read_form(content, header, form)
        except DamageError as damage:
            damages[form] = damage
            continue
        if end == HEADER_BYTES + header.length_bytes:
            return form, tables
        fitting[form] = tables
    if header.table in fitting:
        return header.table, fitting[header.table]
    raise damages[header.table]


def _read_form(
    content: Content, header: OmHeader, form: str
) -> Tuple[List[Tuple[OmPartition, ...]], int]:
    """All tables in one form, and the byte after the last partition."""
    budget, tables, start = Budget(), [], HEADER_BYTES
    for _ in range(header.model_num):
        table, start = _read_table(content, header, start, form, budget)
        tables.append(table)
    return tables, start


def _read_table(
    content: Content, header: OmHeader, start: int, form: str, budget: Budget
) -> Tuple[Tuple[OmPartition, ...], int]:
    entry, head = ("<III", 4) if form == "32-bit" else ("<I4xQQ", 8)
    limit = HEADER_BYTES + header.length_bytes
    if limit - start < head:
        raise DamageError(f"it ends at byte {limit}, inside the partition table at byte {start}")
    (count,) = struct.unpack_from("<I", content.read(start, 4))
    base = start + head + count * struct.calcsize(entry)
    if not count or base > limit:
        raise DamageError(
            f"the partition table at byte {start} claims {count:,} entries, there are "
            f"{limit - start - head:,} bytes left"
        )
    raw, partitions = content.read(start + head, base - start - head), []
    for number, offset, size in struct.iter_unpack(entry, raw):
        budget.keep("partitions")
        kind = _PARTITIONS.get(number, f"{'PRE' if number in _PRE_PARTITIONS else 'type'} {number}")
        partitions.append(OmPartition(kind, number, base + offset, size))
    return tuple(partitions), _check_places(partitions, base, limit)


def _check_places(partitions: List[OmPartition], base: int, limit: int) -> int:
    """Refuse partitions that leave the file or share bytes; return where the last one ends."""
    end = base
    for partition in sorted(partitions, key=lambda item: (item.offset, item.size_bytes)):
        what = f"partition {partition.kind} of {partition.size_bytes:,} bytes"
        if partition.offset < end:
            raise DamageError(f"{what} begins at byte {partition.offset}, inside the one before it")
        end = partition.offset + partition.size_bytes
        if end > limit:
            raise DamageError(f"{what} would end at byte {end}, what is there ends at byte {limit}")
    return end
