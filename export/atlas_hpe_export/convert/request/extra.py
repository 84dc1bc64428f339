"""Flags of atc that a user gives after ``--``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Container, Dict, Mapping, Sequence, Tuple

from atlas_hpe.errors import InputError, UsageError
from atlas_hpe.files import read_bytes

__all__ = ["TYPED_OPTIONS", "check_extra", "parse_extra", "spoken", "take_files"]

#: Flag of atc -> the option of ours that sets it.
TYPED_OPTIONS: Dict[str, str] = {
    "soc_version": "--soc",
    "output": "--out",
    "model": "MODEL",
    "insert_op_conf": "--input",
    "input_shape": "--input-shape",
    "dynamic_batch_size": "--batch",
    "dynamic_image_size": "--image-size",
    "precision_mode": "--precision",
    "keep_dtype": "--keep-dtype",
    "fusion_switch_file": "--fusion-off",
    "auto_tune_mode": "--tune",
}
#: What the paths, the card and the reading of the result depend on.
_OURS = ("framework", "mode", "model", "output", "soc_version")
#: Flags that name a text file (ascend.md section 3.1).
_FILES = (
    "fusion_switch_file",
    "insert_op_conf",
    "keep_dtype",
    "modify_mixlist",
    "op_precision_mode",
)
_FORM = re.compile(r"--([A-Za-z]\w*)=(.*)", re.ASCII | re.DOTALL)
_WHERE = "the flags after --"


def spoken(flag: str, extra: Container[str] = ()) -> str:
    """A flag as the user gave it: by the option that sets it, or after --."""
    return f"--{flag}" if flag in extra else TYPED_OPTIONS.get(flag, f"--{flag}")


def parse_extra(extra: Sequence[str]) -> Dict[str, str]:
    """Name -> value of the flags.

    Raises:
        UsageError: Not ``--name=value``, a flag twice, or one that this command sets itself.
    """
    flags: Dict[str, str] = {}
    for text in extra:
        match = _FORM.fullmatch(text)
        if match is None or not match.group(2):
            raise UsageError(
                f"a flag of atc must have the form --name=value, found '{text}'",
                where=_WHERE,
                fix="for example: atlas-hpe convert MODEL -- --op_select_implmode=high_precision",
            )
        name, value = match.groups()
        if name in _OURS:
            option = TYPED_OPTIONS.get(name)
            raise UsageError(
                f"--{name} is set by this command and can't be given to atc",
                where=_WHERE,
                fix="leave it out" if option is None else f"use {option} instead",
            )
        if name in flags:
            raise UsageError(f"--{name} is given twice", where=_WHERE, fix="leave one out")
        flags[name] = value
    return flags


def check_extra(typed: Mapping[str, str], extra: Mapping[str, str], *, has_card: bool) -> None:
    """Refuse flags that say again, or otherwise, what an option said.

    Raises:
        UsageError: There is such a flag.
    """
    for name in extra:
        if name in typed:
            raise UsageError(
                "an option and a flag of atc say the same thing",
                where=f"{spoken(name)}, and --{name} after --",
                fix="leave one out",
            )
    if "insert_op_conf" in extra and has_card:
        raise UsageError(
            "an AIPP file of your own and the model's card would contradict each other",
            where="--insert_op_conf after --",
            why="the card tells every program which pictures to feed, and can't read that file",
            fix="use --input, which writes the file and the card together",
        )


def take_files(flags: Mapping[str, str]) -> Tuple[Dict[str, str], Dict[str, str]]:
    """The files that flags name, so that they can go where atc runs.

    Args:
        flags: Name -> value.

    Returns:
        The flags, with the bare names of the copies, and name -> text of the copies.

    Raises:
        InputError: A file can't be read, or holds no text.
    """
    changed, files = dict(flags), {}
    for name in _FILES:
        if name not in flags:
            continue
        path = Path(flags[name])
        copy = name + path.suffix
        try:
            files[copy] = read_bytes(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"the file of --{name} is not UTF-8 text", where=path, why=str(error)
            ) from error
        changed[name] = copy
    return changed, files
