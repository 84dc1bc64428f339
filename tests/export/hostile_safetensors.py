"""Broken and lying .safetensors files: name -> content. None may be read."""

from __future__ import annotations

import json
import struct
from typing import Dict

GOOD_HEADER: Dict[str, object] = {
    "conv.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "conv.bias": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]},
}
DATA = bytes(32)


def safetensors(header: object, data: bytes = DATA) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _with(name: str, **changes: object) -> bytes:
    """The good file with one entry changed; a change to None removes the key."""
    entry = {**GOOD_HEADER[name], **changes}  # type: ignore[dict-item]
    entry = {key: value for key, value in entry.items() if value is not None}
    return safetensors({**GOOD_HEADER, name: entry})


def hostile_safetensors() -> Dict[str, bytes]:
    """All of them."""
    whole = safetensors(GOOD_HEADER)
    text = json.dumps(GOOD_HEADER).encode()
    entry = json.dumps(GOOD_HEADER["conv.bias"])
    cuts = sorted({len(whole) * part // 16 for part in range(1, 16)} | {len(whole) - 1})
    found = {f"cut_at_{cut}": whole[:cut] for cut in cuts}
    lengths = {"1": 1, "beyond_the_file": len(whole), "huge": (1 << 55), "one_more": len(text) + 1}
    found.update(
        {
            f"header_length_{name}": struct.pack("<Q", size) + text + DATA
            for name, size in lengths.items()
        }
    )
    found.update(
        {
            "header_is_no_json": safetensors(b"{not json at all}"),
            "header_is_not_utf8": safetensors(b'{"\xff\xfe": 1}'),
            "header_is_nested": safetensors(b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
            "header_has_a_huge_number": safetensors(b'{"a": ' + b"9" * 10_000 + b"}"),
            "header_is_cut": safetensors(text[:-3]),
            "name_twice": safetensors(f'{{"a": {entry}, "a": {entry}}}'.encode()),
            "key_twice": safetensors(text.replace(b'"dtype"', b'"shape": [2], "dtype"', 1)),
            "data_after_the_end": whole + b"\0",
            "no_tensors": safetensors({}, b""),
            "metadata_only": safetensors({"__metadata__": {"format": "pt"}}, b""),
            "entry_is_a_list": safetensors({**GOOD_HEADER, "conv.bias": [1]}),
            "hole": _with("conv.bias", data_offsets=[28, 36]),
            "overlap": _with("conv.bias", data_offsets=[16, 24]),
            "same_bytes_twice": _with("conv.bias", shape=[6], data_offsets=[0, 24]),
            "reversed": _with("conv.bias", data_offsets=[32, 24]),
            "beyond_the_file": _with("conv.bias", shape=[1000], data_offsets=[24, 4024]),
            "negative_offset": _with("conv.weight", data_offsets=[-24, 0]),
            "one_offset": _with("conv.bias", data_offsets=[24]),
            "offsets_are_floats": _with("conv.bias", data_offsets=[24.0, 32.0]),
            "offsets_are_text": _with("conv.bias", data_offsets="24,32"),
            "shape_is_larger": _with("conv.weight", shape=[200, 300]),
            "shape_is_terabytes": _with("conv.weight", shape=[1 << 20, 1 << 20]),
            "shape_beyond_int64": _with("conv.weight", shape=[1 << 70, 0]),
            "shape_of_many_sizes": _with("conv.weight", shape=[(1 << 30)] * 50_000),
            "shape_is_negative": _with("conv.weight", shape=[-2, -3]),
            "shape_is_true": _with("conv.weight", shape=[True, 6]),
            "shape_is_a_number": _with("conv.bias", shape=2),
            "no_shape": _with("conv.bias", shape=None),
            "no_dtype": _with("conv.bias", dtype=None),
            "no_offsets": _with("conv.bias", data_offsets=None),
            "extra_key": _with("conv.bias", stride=[1]),
            "dtype_fp8": _with("conv.bias", dtype="F8_E4M3"),
            "dtype_unknown": _with("conv.bias", dtype="FLOAT"),
            "dtype_is_a_list": _with("conv.bias", dtype=["F32"]),
            "dtype_integer": _with("conv.bias", dtype="I32"),
            "dtype_wider": _with("conv.weight", dtype="F64"),
        }
    )
    return found
