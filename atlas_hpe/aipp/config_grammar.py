"""The grammar and the ranges of an AIPP configuration (ascend.md section 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, NoReturn, Optional, Tuple, Union

import numpy as np

from atlas_hpe.aipp.registers import MOST_MINIMUM
from atlas_hpe.aipp.settings import AIPP_FORMATS
from atlas_hpe.errors import UsageError

__all__ = ["Block", "Entry", "fail", "read_blocks"]

Value = Union[int, float, bool, str]

_TOKEN = re.compile(
    r"(?P<skip>[ \t\r\n]+|\#[^\n]*)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<sign>[{}:])"
)
_INTEGER = re.compile(r"-?[0-9]+")
_MAX_NUMBER = 40  # characters; Python refuses to read endless ones

_SIDES = ("left", "right", "top", "bottom")
_INTEGERS: Dict[str, Tuple[int, int]] = {
    "related_input_rank": (0, (1 << 31) - 1),
    "src_image_size_w": (0, 4096),
    "src_image_size_h": (0, 4096),
    "load_start_pos_w": (0, 4095),
    "load_start_pos_h": (0, 4095),
    "crop_size_w": (0, 4096),
    "crop_size_h": (0, 4096),
    **{f"{side}_padding_size": (0, 32) for side in _SIDES},
    **{f"matrix_r{row}c{column}": (-32768, 32767) for row in range(3) for column in range(3)},
    **{f"{name}_{index}": (0, 255) for name in ("input_bias", "output_bias") for index in range(3)},
    **{f"mean_chn_{index}": (0, 255) for index in range(4)},
    "max_src_image_size": (1, (1 << 32) - 1),
}
_FLOATS = {"padding_value", *(f"var_reci_chn_{index}" for index in range(4))}
_MINIMA = {f"min_chn_{index}" for index in range(4)}
_SWITCHES = ("crop", "padding", "csc_switch", "rbuv_swap_switch", "ax_swap_switch")
_CHOICES: Dict[str, Tuple[str, ...]] = {
    "aipp_mode": ("static", "dynamic"),
    "input_format": tuple(AIPP_FORMATS.values()),
}
_FOREIGN = re.compile(
    r"resize(_output_[wh])?|single_line_mode|cpadding_value|rotation|raw_rgbir_\w+"
    r"|related_input_name|input_edge_idx"
)


@dataclass(frozen=True)
class Entry:
    """A value and the line it stands in."""

    value: Value
    line: int


@dataclass(frozen=True)
class Block:
    """One ``aipp_op``: its line, and its entries by key."""

    line: int
    entries: Dict[str, Entry]


def fail(where: str, line: int, why: str) -> NoReturn:
    """Raise the error of a line."""
    raise UsageError(
        "the AIPP configuration is not one that atc takes", where=f"{where}, line {line}", why=why
    )


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def read_blocks(text: str, where: str) -> List[Block]:
    """The blocks of a configuration, each value of the type and within the range of its key.

    Raises:
        UsageError: It does not follow the grammar; the message names the line.
    """
    tokens = _tokens(text, where)
    blocks = []
    for token in tokens:
        if token.text != "aipp_op":
            fail(where, token.line, f"expected 'aipp_op', found '{token.text}'")
        _expect("{", tokens, where, token.line)
        blocks.append(Block(token.line, _read_entries(tokens, where, token.line)))
    return blocks


def _tokens(text: str, where: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            fail(where, line, f"can't read '{text[position : position + 20].splitlines()[0]}'")
        if found.lastgroup != "skip":
            if found.lastgroup == "number" and len(found.group()) > _MAX_NUMBER:
                fail(where, line, f"a number of more than {_MAX_NUMBER} characters")
            yield _Token(str(found.lastgroup), found.group(), line)
        line += found.group().count("\n")
        position = found.end()


def _expect(sign: str, tokens: Iterator[_Token], where: str, line: int) -> None:
    token = _next(tokens, where, line)
    if token.text != sign:
        fail(where, token.line, f"expected '{sign}', found '{token.text}'")


def _next(tokens: Iterator[_Token], where: str, line: int) -> _Token:
    token = next(tokens, None)
    if token is None:
        fail(where, line, "the file ends inside this block")
    return token


def _read_entries(tokens: Iterator[_Token], where: str, line: int) -> Dict[str, Entry]:
    entries: Dict[str, Entry] = {}
    while True:
        key = _next(tokens, where, line)
        if key.text == "}":
            return entries
        if key.kind != "word":
            fail(where, key.line, f"expected a key or '}}', found '{key.text}'")
        if key.text in entries:
            fail(where, key.line, f"'{key.text}' is given twice")
        _expect(":", tokens, where, key.line)
        token = _next(tokens, where, key.line)
        value, needed = _convert(key.text, token)
        if value is None:
            fail(where, key.line, f"'{key.text}' {needed}, found '{token.text}'")
        entries[key.text] = Entry(value, key.line)


def _convert(key: str, token: _Token) -> Tuple[Optional[Value], str]:
    """The value of a key, None where the token is none; and what it should be."""
    text = token.text
    if key in _INTEGERS:
        low, high = _INTEGERS[key]
        value = int(text) if _INTEGER.fullmatch(text) else None
        fits = value is not None and low <= value <= high
        return value if fits else None, f"takes whole numbers {low}..{high}"
    if key in _FLOATS:
        number = float(text) if token.kind == "number" else float("nan")
        with np.errstate(over="ignore"):
            fits = bool(np.isfinite(np.float16(number)))
        return number if fits else None, "takes a number that fp16 holds"
    if key in _MINIMA:
        least = float(text) if token.kind == "number" else float("nan")
        fits = 0 <= least <= MOST_MINIMUM
        return least if fits else None, f"takes a number 0..{MOST_MINIMUM:g}"
    if key in _SWITCHES:
        return {"true": True, "false": False}.get(text), "is true or false"
    if key in _CHOICES:
        return text if text in _CHOICES[key] else None, f"is one of {', '.join(_CHOICES[key])}"
    if _FOREIGN.fullmatch(key):
        return None, "is for other chips or other networks"
    return None, "is no key of AIPP"
