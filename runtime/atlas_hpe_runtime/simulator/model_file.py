"""The file that stands for an .om on the simulator.

Content, little endian::

    MARKER                     says in words that this is no .om
    u32                        length of the header
    header                     JSON, UTF-8: what atc was told besides the graph
    the ONNX file

A reader believes no length and no number; the SHA-256 of the graph is in the header.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Union

from atlas_hpe.errors import ModelFileError
from atlas_hpe.files import read_bytes
from atlas_hpe.outfile import AtomicFile
from atlas_hpe.simulated_file import SIMULATED_WORDS
from atlas_hpe_runtime.simulator.model_header import header_to_json, model_from_header
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

__all__ = [
    "MARKER",
    "load_simulated_model",
    "read_simulated_model",
    "simulated_content",
    "write_simulated_model",
]

#: First bytes of the file.
MARKER = SIMULATED_WORDS + b"1: no .om, runs on the simulator only\n"
_OM_MAGIC = b"IMOD"  # ascend.md section 6.1
_MAX_HEADER = 1 << 18


def write_simulated_model(
    path: Union[str, Path], model: SimulatedModel, *, force: bool = False
) -> None:
    """Write a model for the simulator; see ``SimulatedModel`` for what can be said about it.

    Whether the graph fits what is said about it shows when it is loaded.

    Args:
        path: Where to; an existing file is replaced only with ``force``.
        model: The graph, and what atc would have been told.
        force: Replace a file that exists.

    Raises:
        ModelFileError: More settings than a file holds.
        OutputError: The file exists, or can't be written.
    """
    content = simulated_content(model)
    with AtomicFile(Path(path), force=force) as file:
        file.write(content)


def simulated_content(model: SimulatedModel) -> bytes:
    """The bytes of a file for the simulator; the same model gives the same bytes.

    Raises:
        ModelFileError: More settings than a file holds.
    """
    header = header_to_json(model, hashlib.sha256(model.onnx).hexdigest()).encode("utf-8")
    if len(header) > _MAX_HEADER:
        raise ModelFileError("the model has more settings than a simulated model holds")
    return MARKER + struct.pack("<I", len(header)) + header + model.onnx


def read_simulated_model(content: bytes, where: str = "a model in memory") -> SimulatedModel:
    """Read what ``write_simulated_model`` wrote, or a plain ONNX file.

    A plain ONNX file stands for one that atc compiled without any option for this chip.

    Args:
        content: The whole file.
        where: Where it came from, for messages.

    Raises:
        ModelFileError: A real .om, a damaged file, or one of a release that this one can't read.
    """
    if content.startswith(_OM_MAGIC):
        raise ModelFileError(
            "the file is compiled for a real device",
            where=where,
            why="it begins with IMOD; the simulator can't run the device's machine code",
            fix="give the simulator the .onnx that it was compiled from, or what "
            "atlas-hpe convert --simulate makes of it",
        )
    if not content.startswith(SIMULATED_WORDS):
        return SimulatedModel(onnx=content)
    try:
        return _read(content)
    except ValueError as error:
        raise ModelFileError(
            "the simulated model is damaged",
            where=where,
            why=str(error),
            fix="write it again with: atlas-hpe convert MODEL.onnx --simulate",
        ) from error


def load_simulated_model(path: Union[str, Path]) -> SimulatedModel:
    """Read a file; see ``read_simulated_model``.

    Raises:
        InputError: The file can't be read.
        ModelFileError: As for ``read_simulated_model``.
    """
    return read_simulated_model(read_bytes(path), str(path))


def _read(content: bytes) -> SimulatedModel:
    if not content.startswith(MARKER):
        raise ValueError("it was written by another release")
    start = len(MARKER) + 4
    if len(content) < start:
        raise ValueError("it ends before the header")
    (size,) = struct.unpack_from("<I", content, len(MARKER))
    if size > min(_MAX_HEADER, len(content) - start):
        raise ValueError(f"a header of {size} bytes, {len(content) - start} are left")
    onnx = content[start + size :]
    try:
        header = json.loads(content[start : start + size].decode("utf-8"))
    except RecursionError as error:
        raise ValueError("the header is nested too deeply") from error
    return model_from_header(header, onnx, hashlib.sha256(onnx).hexdigest())
