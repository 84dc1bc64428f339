"""What kind of file it is, told by its content; names and suffixes count for nothing."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Optional, Tuple

from atlas_hpe.errors import CheckpointError
from atlas_hpe_export.inputs.zip_archive import (
    MAX_BYTES,
    ZIP_MAGIC,
    inner_name,
    list_entries,
    too_large,
)

__all__ = ["Kind", "describe_head", "find_kind", "find_magic"]


class Kind(Enum):
    """How a file is written."""

    TORCH_ZIP = "torch.save"
    LEGACY_PICKLE = "torch.save before PyTorch 1.6"
    SAFETENSORS = "safetensors"
    TORCHSCRIPT = "TorchScript"
    EXPORTED_PROGRAM = "torch.export"
    OLD_EXPORTED_PROGRAM = "torch.export before PyTorch 2.8"
    OTHER_ZIP = "another zip archive"
    UNKNOWN = "unknown"  # an ONNX model has no magic number


_HEAD_BYTES = 512
# Pickled magic number 0x1950a86a20f9469cfc6c that torch.save wrote before version 1.6.
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

#: First bytes -> what a file is, for the refusal only.
_MAGICS: Tuple[Tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MP4 video"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"\x89HDF", "an HDF5 file (Keras)"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"IMOD", "an .om of Ascend"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x80", "a plain Python pickle, which can only be read by running what is in it"),
)


def find_kind(path: Path) -> Kind:
    """Look at the first bytes, and at the directory of a zip archive.

    Raises:
        CheckpointError: Empty, larger than any model may be, or a zip archive that is damaged.
    """
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError("the file is empty", where=path, fix="copy it again")
    if size > MAX_BYTES:
        raise too_large(path, f"the file has {size} bytes, {MAX_BYTES} are allowed")
    head = _read_head(path)
    if head.startswith(ZIP_MAGIC):
        return _kind_of_zip(path)
    if head.startswith(_LEGACY_MAGIC):
        return Kind.LEGACY_PICKLE
    # Eight bytes of header length and a JSON object: safetensors has no magic number.
    if head[8:9] == b"{" and head[7:8] == b"\0":
        return Kind.SAFETENSORS
    return Kind.UNKNOWN


def find_magic(path: Path) -> Optional[str]:
    """What a file is by its magic number, when it is nothing that an export starts from."""
    head = _read_head(path)
    for offset, magic, kind in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    return None


def describe_head(path: Path) -> str:
    """What a file looks like, in words for a refusal."""
    known = find_magic(path)
    if known is not None:
        return known
    head = _read_head(path)
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "text"
    return "something else: no known first bytes"


def _read_head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


def _kind_of_zip(path: Path) -> Kind:
    names = [entry.filename for entry in list_entries(path)]
    inner = {inner_name(name) for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return Kind.TORCHSCRIPT
    if "archive_format" in inner or any(name.startswith("models/") for name in inner):
        return Kind.EXPORTED_PROGRAM
    if "serialized_exported_program.json" in names:
        return Kind.OLD_EXPORTED_PROGRAM
    return Kind.TORCH_ZIP if "data.pkl" in inner else Kind.OTHER_ZIP
