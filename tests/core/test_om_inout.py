"""MODEL_INOUT_INFO, the list of inputs, outputs and profiles that newer compilers write."""

from __future__ import annotations

import struct
from typing import List, Tuple

import pytest

from atlas_hpe.errors import ModelFileError
from atlas_hpe.om_file import OmModel, OmProfiles, OmTensor, parse_om
from om_files import Model, Port, build_om, profile_list, typical_attributes


def read_info(info: bytes) -> OmModel:
    """A file of this one partition."""
    header = bytearray(build_om([Model()])[:256])
    body = struct.pack("<IIII", 1, 8, 0, len(info)) + info
    struct.pack_into("<I", header, 76, len(body))
    return parse_om(bytes(header) + body).models[0]


def block(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content


def tensor(lengths: Tuple[int, int, int, int], content: bytes) -> bytes:
    """A float16 NHWC tensor of 8 bytes; ``lengths`` of name, axes, buffer's axes and ranges."""
    return struct.pack("<QIIIIII", 8, 1, 1, *lengths) + content


def why(info: bytes) -> str:
    with pytest.raises(ModelFileError) as refusal:
        read_info(info)
    return refusal.value.why or ""


def test_the_list_goes_before_the_operators() -> None:
    model = Model(
        inputs=[Port("image", (-1, 3, 8, 8), size_bytes=1536)],
        outputs=[Port("node:0:joints", (1, 21, 2), "float16", "ND")],
        inout_info=True,
    )
    found = parse_om(build_om([model])).models[0]
    assert found.partitions[0].kind == "MODEL_INOUT_INFO"
    assert found.inputs == (OmTensor("image", "float32", "NCHW", (-1, 3, 8, 8), 1536),)
    assert found.outputs == (OmTensor("node:0:joints", "float16", "ND", (1, 21, 2), 84),)


def test_aipp_comes_from_the_operators() -> None:
    ports = [Port("b", (1,)), Port("image", (1, 8, 8, 3), "uint8", "NHWC", aipp={"aipp_mode": 1})]
    found = parse_om(build_om([Model(inputs=ports, inout_info=True)])).models[0]
    assert [port.aipp is not None for port in found.inputs] == [False, True]


def test_the_axes_of_the_buffer_are_shown_where_aipp_changes_them() -> None:
    axes = struct.pack("<4q4q2q", 1, 4, 4, 3, 1, 6, 4, 1, 1, 4)
    content = struct.pack("<I", 1) + tensor((5, 32, 32, 16), b"image" + axes)
    assert read_info(block(0, content)).inputs == (
        OmTensor("image", "float16", "NHWC", (1, 6, 4, 1), 8),
    )
    content = struct.pack("<I", 1) + tensor((0, 32, 0, 0), axes[:32])
    assert read_info(block(0, content)).inputs[0].shape == (1, 4, 4, 3)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (2, [[1], [4]], OmProfiles("batch", ((1,), (4,)))),
        (3, [[8, 16], [32, 64]], OmProfiles("image size", ((8, 16), (32, 64)))),
        (4, [[1, 2, 3]], OmProfiles("dims", ((1, 2, 3),))),
    ],
)
def test_profiles_are_listed(kind: int, values: List[List[int]], expected: OmProfiles) -> None:
    assert parse_om(build_om([Model(profiles=(kind, values))])).models[0].profiles == expected


def test_an_empty_list_of_profiles_leaves_those_of_the_command_line() -> None:
    attributes = typical_attributes(command="atc --dynamic_batch_size=1,2")
    model = Model(attributes=attributes, profiles=(3, []))
    assert parse_om(build_om([model])).models[0].profiles == OmProfiles("batch", ((1,), (2,)))


def test_blocks_of_other_kinds_are_passed_over() -> None:
    assert read_info(block(6, b"order") + block(77, b"")).profiles is None


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (b"\0\0\0", "claims 4 bytes at byte 272, 3 are left"),
        (struct.pack("<II", 0, 9), "claims 9 bytes at byte 280, 0 are left"),
        (block(0, struct.pack("<I", 2)), "claims 32 bytes at byte 284, 0 are left"),
        (block(0, struct.pack("<I", 1) + tensor((9, 0, 0, 0), b"abc")), "claims 9 bytes at"),
        (block(0, struct.pack("<I", 1) + tensor((0, 7, 0, 0), bytes(8))), "7 bytes of int64"),
        (block(0, struct.pack("<I", 1) + tensor((0, 0, 0, 16), b"")), "claims 16 bytes at"),
        (block(2, struct.pack("<I", 0xFFFFFFFF)), "claims 34,359,738,360 bytes"),
        (block(3, struct.pack("<II", 1, 0xFFFFFFFF)), "claims 34,359,738,360 bytes"),
        (block(3, struct.pack("<I", 30_000) + bytes(120_000)), "more than 20,000"),
        (block(2, profile_list(2, [[1]] * 20_001)), "more than 20,000"),
        (
            block(0, struct.pack("<I", 20_001) + tensor((0, 0, 0, 0), b"") * 20_001),
            "more than 20,000",
        ),
    ],
)
def test_lengths_that_the_bytes_do_not_bear_out_are_refused(info: bytes, words: str) -> None:
    assert words in why(info)


def test_an_unknown_format_or_type_is_no_damage() -> None:
    content = struct.pack("<IQIIIIII", 1, 0, 77, 99, 0, 0, 0, 0)
    assert read_info(block(1, content)).outputs == (OmTensor("", "unknown", "format 77", (), None),)
