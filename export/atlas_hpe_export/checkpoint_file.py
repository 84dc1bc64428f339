"""What a checkpoint file is, found out before torch opens it.

Files come from strangers. The container is looked at by its own directory and its pickle by its
opcodes, without running any of it, so that a refusal can say exactly what is wrong and so that
neither memory nor time depend on what a file claims about itself.
"""

from __future__ import annotations

import io
import pickletools
import re
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO, Iterator, List, Tuple

from atlas_hpe.errors import CheckpointError

__all__ = ["MAX_BYTES", "check_container"]

#: No checkpoint of these networks comes near it; all sizes a file declares are held against it.
MAX_BYTES = 4 << 30
# The pickle of a checkpoint lists names and shapes: 100 kB for a thousand tensors.
_MAX_PICKLE_BYTES = 8 << 20
_MAX_ENTRIES = 100_000
_SAVE_AGAIN = "save it again with: torch.save(model.state_dict(), 'model.pt')"

_ZIP_MAGIC = b"PK\x03\x04"
# Pickled magic number 0x1950a86a20f9469cfc6c that torch.save wrote before version 1.6.
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_PICKLES = 5  # magic number, protocol, system, the object, storage keys

# What zipfile raises on damaged archives: bad offsets, names, versions, flags.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    RuntimeError,  # includes NotImplementedError
    ValueError,
    OverflowError,
    struct.error,
)

#: First bytes -> what a file is, for the refusal only.
_KINDS: Tuple[Tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MP4 video"),
    (0, b"\x89HDF", "an HDF5 file (Keras)"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"IMOD", "an .om of Ascend"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x80", "a plain Python pickle, which can only be read by running what is in it"),
)

# Everything a dictionary of tensors needs from Python.
_HARMLESS = re.compile(
    r"collections (OrderedDict|Counter)"
    r"|torch \w+Storage"
    r"|torch (Size|device|Tensor|b?float\d+|complex\d+|u?int\d+|bool)"
    r"|torch\.storage (Untyped|Typed)Storage"
    r"|torch\._utils _rebuild_\w+"
    r"|torch\._tensor _rebuild_from_type_v2"
    r"|torch\.nn\.parameter Parameter"
    r"|torch\.serialization _get_layout"
    r"|_codecs encode"
)


def check_container(path: Path) -> None:
    """Make sure that a file is a PyTorch checkpoint that holds tensors and no code.

    Raises:
        CheckpointError: Empty, of another kind, cut short, larger than it may be, or with code.
    """
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError("the checkpoint is empty", where=path, fix="copy it again")
    if size > MAX_BYTES:
        raise _too_large(path, f"the file has {size} bytes, {MAX_BYTES} are allowed")
    with path.open("rb") as stream:
        head = stream.read(512)
        stream.seek(0)
        if head.startswith(_ZIP_MAGIC):
            _check_zip(path, stream, size)
        elif head.startswith(_LEGACY_MAGIC):
            _check_pickles(path, stream.read(_MAX_PICKLE_BYTES), _LEGACY_PICKLES)
        else:
            raise CheckpointError(
                "the file is not a PyTorch checkpoint",
                where=path,
                why=f"it looks like {_guess_kind(head)}",
                fix="give a file that torch.save has written",
            )


def _guess_kind(head: bytes) -> str:
    for offset, magic, kind in _KINDS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_BYTES:
        return "a .safetensors file, which this release does not read"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "text"
    return "something else: no known first bytes"


def _check_zip(path: Path, stream: BinaryIO, size: int) -> None:
    try:
        archive = zipfile.ZipFile(stream)
    except _ZIP_ERRORS as error:
        why = f"it begins as a zip archive, but its directory can't be read ({error})"
        raise _damaged(path, why) from error
    with archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        _refuse_programs(path, names)
        _check_entries(path, entries, size)
        name = next(name for name in names if _inner(name) == "data.pkl")
        if archive.getinfo(name).file_size > _MAX_PICKLE_BYTES:
            raise _too_large(path, f"its {name} has more than {_MAX_PICKLE_BYTES} bytes")
        try:
            # torch does not look at checksums: changed weights would load as if nothing were wrong.
            damaged = archive.testzip()
            data = archive.read(name)
        except _ZIP_ERRORS as error:
            raise _damaged(path, str(error)) from error
    if damaged is not None:
        raise _damaged(path, f"the checksum of '{damaged}' is wrong")
    _check_pickles(path, data, 1)


def _check_entries(path: Path, entries: List[zipfile.ZipInfo], size: int) -> None:
    """torch.save stores without compression, so nothing may unpack to more than the file holds."""
    if len(entries) > _MAX_ENTRIES:
        raise _too_large(path, f"it lists {len(entries)} entries, {_MAX_ENTRIES} are allowed")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise CheckpointError(
                "the checkpoint is a compressed zip archive, which torch.save never writes",
                where=path,
                why=f"'{entry.filename}' takes {entry.compress_size} bytes and unpacks to "
                f"{entry.file_size}",
                fix="unpack the archive if the checkpoint is inside it, or do not trust the file",
            )
    declared = sum(entry.file_size for entry in entries)
    if declared > size:
        raise _too_large(path, f"its entries claim {declared} bytes, the file has {size}")
    if len({entry.filename for entry in entries}) != len(entries):
        raise _damaged(path, "two entries of the archive have the same name")


def _inner(name: str) -> str:
    """The name inside the archive's one top folder."""
    return name.partition("/")[2]


def _refuse_programs(path: Path, names: List[str]) -> None:
    """By names alone: TorchScript packs its sources, which would read as "compressed"."""
    inner = {_inner(name) for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise CheckpointError(
            "the file is a TorchScript archive, a program and not a checkpoint",
            where=path,
            fix=f"if you trust it: torch.save(torch.jit.load('{path.name}').state_dict(), "
            "'model.pt')",
        )
    if "data.pkl" not in inner:
        exported = any(name.startswith(("models/", "data/weights")) for name in inner)
        kind = "an archive of torch.export" if exported else "another kind of zip archive"
        raise CheckpointError(
            "the file is not a PyTorch checkpoint",
            where=path,
            why=f"it is {kind}: it holds no data.pkl",
            fix=_SAVE_AGAIN,
        )


def _check_pickles(path: Path, data: bytes, count: int) -> None:
    """Read opcodes only; nothing is imported and nothing is called."""
    stream = io.BytesIO(data)
    try:
        for _ in range(count):
            for name in _imports_of(stream):
                if not _HARMLESS.fullmatch(name):
                    raise CheckpointError(
                        "the checkpoint holds code and was refused; nothing in it was run",
                        where=path,
                        why=f"it asks for {name.replace(' ', '.')}",
                        fix=_SAVE_AGAIN + ", which keeps tensors only",
                    )
    except (ValueError, EOFError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise _damaged(path, f"its pickle can't be followed ({error})") from error


def _imports_of(stream: BinaryIO) -> Iterator[str]:
    """The ``module name`` pairs that one pickle would import."""
    texts: List[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            # Protocol 4 takes the names from the stack; the last two texts are nearly always they.
            yield " ".join(texts[-2:]) + " (pickle protocol 4)"
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            yield "copyreg extension"
        elif isinstance(argument, str):
            texts = [*texts[-1:], argument]


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        "the checkpoint is damaged or cut short",
        where=path,
        why=why,
        fix="copy or download it again and compare the size, or " + _SAVE_AGAIN,
    )


def _too_large(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        "the checkpoint claims more than it may",
        where=path,
        why=why,
        fix="do not open it unless you trust its source; " + _SAVE_AGAIN,
    )
