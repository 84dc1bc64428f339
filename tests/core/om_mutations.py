"""Damaged .om files without end: real and built ones, changed at random, always the same way."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from typing import Dict, Iterator, List

from om_files import OLD, Attribute, Model, Port, build_om, typical_attributes

_BYTES = (0, 1, 2, 3, 7, 8, 0x10, 0x7F, 0x80, 0xFF)
_WORDS = (0, 1, 2, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD_BYTES = 700  # header, tables and the first operators: where a change does most


def small_files() -> List[bytes]:
    """Files of every form that the reader knows, a few kilobytes each."""
    aipp: Dict[str, Attribute] = {"aipp_mode": 1, "input_format": 1, "var_reci_chn_0": 0.017}
    modes: Dict[str, Attribute] = {
        "_data_related_aipp_mode": "static_aipp",
        "_mbatch_origin_input_dims": [-1, 8, 8, 3],
    }
    ports = [
        Port("image", (1, 8, 8, 3), "uint8", "NHWC", 96, aipp, modes),
        Port("scale", (1, 2)),
        Port("ascend_dynamic_aipp_data", (160,), "uint8", "ND", op_type="AippData"),
    ]
    command = "/Ascend/ascend-toolkit/6.0.1/bin/atc --dynamic_batch_size=1,2,4"
    attributes = typical_attributes(command=command)
    plain = Model(inputs=ports, attributes=attributes, subgraphs=[{"Conv2D": 2}])
    newer = replace(plain, compressed_names=True, profiles=(3, [[1, 2], [3, 4]]))
    return [
        build_om([plain]),
        build_om([plain], version=OLD),
        build_om([newer], table="64"),
        build_om([plain, newer, plain], table="64"),
        build_om([plain, newer]),
        build_om([newer], encrypted=True),
    ]


def mutations(files: List[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Changed copies of the files; half of them have their length field set right again."""
    chance = random.Random(seed)
    for _ in range(count):
        content = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 20))):
            _mutate(content, chance)
        if chance.random() < 0.5:
            _mend_length(content)
        yield bytes(content)


def _mutate(content: bytearray, chance: random.Random) -> None:
    if len(content) < 8:
        return
    whole = chance.random() < 0.6
    at = chance.randrange(len(content) if whole else min(len(content), _HEAD_BYTES))
    other, size = chance.randrange(len(content)), chance.randrange(1, 200)
    kind = chance.randrange(8)
    if kind == 0:
        content[at] = chance.randrange(256)
    elif kind == 1:
        content[at] = chance.choice(_BYTES)
    elif kind == 2:
        content[at] ^= 1 << chance.randrange(8)
    elif kind == 3:
        del content[at : at + (size if chance.random() < 0.8 else len(content))]
    elif kind == 4:
        content[at:at] = bytes(chance.randrange(256) for _ in range(size % 32))
    elif kind == 5:
        word = chance.choice((*_WORDS, len(content), chance.randrange(1000)))
        struct.pack_into("<I", content, min(at & ~3, len(content) - 4), word)
    elif kind == 6:
        content[at : at + size] = content[other : other + size]
    else:
        content[at:at] = content[other : other + size] * chance.choice((1, 2, 50))


def _mend_length(content: bytearray) -> None:
    if len(content) >= 256:
        if struct.unpack_from("<I", content, 76)[0]:
            struct.pack_into("<I", content, 76, len(content) - 256)
        else:
            struct.pack_into("<Q", content, 184, len(content) - 256)
