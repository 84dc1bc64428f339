"""From the bytes of an .om file to its summary."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from atlas_hpe.errors import InputError, ModelFileError
from atlas_hpe.files import check_readable
from atlas_hpe.om_file.definition import Definition, read_definition
from atlas_hpe.om_file.inout import InOutInfo, read_inout
from atlas_hpe.om_file.layout import Content, FileContent, read_header, read_tables
from atlas_hpe.om_file.message import Budget, DamageError, Message
from atlas_hpe.om_file.spec import (
    OmHeader,
    OmModel,
    OmPartition,
    OmProfiles,
    OmSummary,
    OmTensor,
)

__all__ = ["looks_like_om", "parse_om", "read_om_summary"]

_OM_MAGIC = b"IMOD"
_SVP_MAGIC = b"PICO"
_MODEL_DEF, _WEIGHTS, _INOUT_INFO = 0, 1, 8
_RELEASE = re.compile(r"/ascend-toolkit/(\d+(?:\.\w+)+)/")
_PROFILES = re.compile(r"\d{1,10}(?:[,;]\d{1,10})*", re.ASCII)
_PROFILE_FLAGS = {
    "--dynamic_batch_size": "batch",
    "--dynamic_image_size": "image size",
    "--dynamic_dims": "dims",
}


def looks_like_om(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a compiled model, of any chip."""
    return head[:4] in (_OM_MAGIC, _SVP_MAGIC)


def read_om_summary(path: Union[str, Path]) -> OmSummary:
    """Read an .om file's summary; weights and kernels are left where they are.

    Raises:
        InputError: The file can't be read.
        ModelFileError: It is no .om file, or it is damaged.
    """
    path = check_readable(path)
    try:
        with path.open("rb") as file:
            return _summarise(FileContent(file), path)
    except OSError as error:
        raise InputError("the file can't be read", where=path, why=error.strerror) from error


def parse_om(content: Union[bytes, memoryview], where: object = "a model in memory") -> OmSummary:
    """Read the content of an .om file.

    Args:
        content: All of it; nothing of it is copied.
        where: Where it came from, for messages.

    Raises:
        ModelFileError: It is no .om file, or it is damaged.
    """
    return _summarise(Content(content), where)


def _summarise(content: Content, where: object) -> OmSummary:
    _check_magic(bytes(content.read(0, min(4, content.size))), where)
    try:
        header = read_header(content)
        form, tables = read_tables(content, header)
        budget = Budget()
        models = tuple(_read_model(content, table, header, budget) for table in tables)
    except DamageError as damage:
        raise ModelFileError(
            "the .om file is damaged",
            where=where,
            why=str(damage),
            fix="copy it again, or compile it again",
        ) from damage
    return OmSummary(header=replace(header, table=form), models=models)


def _check_magic(magic: bytes, where: object) -> None:
    if magic == _OM_MAGIC:
        return
    if magic == _SVP_MAGIC:
        raise ModelFileError(
            "the file is a model for SVP chips (Hi35xx), which is another format than an .om",
            where=where,
            why="it begins with PICO",
            fix="compile the .onnx for an Ascend chip",
        )
    raise ModelFileError(
        "the file is no .om file",
        where=where,
        why=f"it begins with {magic!r}, not with {_OM_MAGIC!r}" if magic else "it is empty",
        fix="check that the right file was named, or compile the .onnx again",
    )


def _read_model(
    content: Content, table: Tuple[OmPartition, ...], header: OmHeader, budget: Budget
) -> OmModel:
    """One model; of an encrypted one no more than its partitions."""
    definition, info = Definition(), InOutInfo()
    for partition in () if header.encrypted else table:
        if partition.number in (_MODEL_DEF, _INOUT_INFO):
            view = content.read(partition.offset, partition.size_bytes)
            message = Message(view, partition.offset, budget)
            if partition.number == _MODEL_DEF:
                definition = read_definition(message)
            else:
                info = read_inout(message)
    texts = definition.texts
    command = texts.get("atc_cmdline")
    release = _RELEASE.search(command or "")
    return OmModel(
        name=definition.name or header.name,
        partitions=table,
        inputs=_with_aipp(info.inputs, definition.inputs),
        outputs=info.outputs or tuple(definition.outputs),
        operators=dict(sorted(definition.operators.items())),
        soc=texts.get("soc_version"),
        atc_version=texts.get("atc_version"),
        opp_version=texts.get("opp_version"),
        cann_version=release.group(1) if release else None,
        atc_command=command,
        framework=texts.get("framework_type"),
        target=texts.get("target_type"),
        weights_bytes=sum(item.size_bytes for item in table if item.number == _WEIGHTS),
        memory_bytes=definition.memory_bytes,
        profiles=info.profiles or _profiles_of_command(command or "", budget),
    )


def _with_aipp(listed: Sequence[OmTensor], defined: List[OmTensor]) -> Tuple[OmTensor, ...]:
    """The inputs of MODEL_INOUT_INFO, or of the definition, which alone knows of AIPP."""
    aipp = {port.name: port.aipp for port in defined}
    return tuple(replace(port, aipp=aipp.get(port.name)) for port in listed) or tuple(defined)


def _profiles_of_command(command: str, budget: Budget) -> Optional[OmProfiles]:
    """Profiles as the flags of the command line name them (ascend.md section 3.1)."""
    flags: Dict[str, str] = {}
    for word in command.split():
        flag, _, value = word.partition("=")
        flags[flag] = value.strip("'\"")
    for flag, kind in _PROFILE_FLAGS.items():
        values = flags.get(flag, "")
        if not _PROFILES.fullmatch(values):
            continue
        groups = values.replace(",", ";") if kind == "batch" else values
        profiles = []
        for group in groups.split(";"):
            budget.keep("profiles")
            profiles.append(tuple(int(number) for number in group.split(",")))
        return OmProfiles(kind, tuple(profiles))
    return None
