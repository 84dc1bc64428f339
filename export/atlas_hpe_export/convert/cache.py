"""Models that were compiled before, kept so that the same request costs nothing."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from atlas_hpe.card import BuildRecord, build_from_value
from atlas_hpe.errors import CardError, OutputError
from atlas_hpe.files import sha256_of
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe.outfile import AtomicFile

__all__ = [
    "CachedModel",
    "ModelCache",
    "cache_key",
    "container_identity",
    "open_cache",
    "program_identity",
    "why_not_kept",
]

_MAX_BYTES = 2 << 30
_MAX_MODELS = 64
_SUFFIX = ".model"
_FORM = "atlas-hpe compiled model 1"  # part of the key: another form is another cache
_FORGOTTEN_S = 24 * 3600  # an unfinished file of this age belongs to no running program
# atc writes or reads folders for these, which an entry does not hold (ascend.md section 3.1).
_FOLDERS = ("external_weight", "mdl_bank_path", "op_bank_path")


@dataclass(frozen=True)
class CachedModel:
    """A compiled model and how it was made.

    Attributes:
        om: The file's content.
        record: How it was compiled, the first time.
        log: What the compiler said then.
    """

    om: bytes
    record: BuildRecord
    log: str


def cache_key(
    model: Path, arguments: Sequence[str], files: Mapping[str, str], toolchain: str
) -> str:
    """What a compiled model depends on, as one SHA-256.

    Args:
        model: The ONNX file; weights in files beside it count too.
        arguments: Options of atc, without those that name the model and the output. Where one
            names a file that exists, the file's content counts too.
        files: Name -> text of the files that the arguments name and that are written for atc.
        toolchain: ``program_identity`` or ``container_identity``.

    Raises:
        InputError: The model, or weights beside it, can't be read.
        ModelFileError: The model is damaged or unsafe.
    """
    outside = read_onnx_summary(model).external_files
    parts = [_FORM, toolchain, sha256_of(model)]
    parts += [part for name in sorted(set(outside)) for part in (name, _digest(model.parent, name))]
    for argument in arguments:
        value = argument.partition("=")[2]
        named = "" if value in files else _digest(Path(), value)
        parts += [argument, files.get(value, named)]
    return hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()


def _digest(folder: Path, name: str) -> str:
    """The SHA-256 of a file, empty when there is none of that name."""
    path = folder / name
    try:
        return sha256_of(path) if name and path.is_file() else ""
    except (OSError, ValueError):  # a value that no file name can be
        return ""


def program_identity(atc: Path, version: Optional[str]) -> str:
    """An installed atc: its CANN version, its place, size and time.

    Raises:
        OSError: The program is not there.
    """
    found = atc.resolve()
    status = found.stat()
    return f"{version or 'CANN of unknown version'} {found} {status.st_size} {status.st_mtime_ns}"


def container_identity(image_id: str) -> str:
    """An atc inside a container: the image's id, which is a hash of all that it holds."""
    return f"image {image_id}"


def why_not_kept(arguments: Sequence[str]) -> Optional[str]:
    """Why a model is neither kept nor looked up; None when it is."""
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        if name in _FOLDERS and value != "0":
            return f"--{name} goes by a folder, which the cache does not hold"
    return None


def open_cache(environ: Mapping[str, str], say: Callable[[str], None]) -> Optional[ModelCache]:
    """The cache of this user, None where there can be none; then one line says why.

    It is ``$XDG_CACHE_HOME/atlas-hpe``, else ``~/.cache/atlas-hpe``.

    Args:
        environ: Environment variables.
        say: Where lines for people go.
    """
    folder = _find_folder(environ)
    why = "neither XDG_CACHE_HOME nor HOME names a folder" if folder is None else _prepare(folder)
    if folder is None or why is not None:
        say(f"compiled models are not kept: {why}")
        return None
    return ModelCache(folder, say)


def _find_folder(environ: Mapping[str, str]) -> Optional[Path]:
    """By the XDG Base Directory Specification, which has relative paths ignored."""
    for name, below in (("XDG_CACHE_HOME", ()), ("HOME", (".cache",))):
        base = Path(environ.get(name) or "")
        if base.is_absolute():
            return base.joinpath(*below, "atlas-hpe")
    return None


def _prepare(folder: Path) -> Optional[str]:
    """Make the folder; why it can't be used, None when it can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    # What lies here is loaded on a board: nobody else may put something in its place.
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{folder} belongs to, or can be changed by, another user"
    if not os.access(str(folder), os.R_OK | os.W_OK | os.X_OK):
        return f"{folder} is not writable"
    return None


class ModelCache:
    """A folder of compiled models, a file each, the least recently used one out first.

    Several processes may use one folder. Nothing here fails a conversion: what can't be read is a
    miss, and what can't be kept is said.

    Args:
        folder: The folder, which exists.
        say: Where lines for people go.
        max_bytes: All entries together.
        max_models: How many there may be.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        *,
        max_bytes: int = _MAX_BYTES,
        max_models: int = _MAX_MODELS,
    ) -> None:
        self._folder = folder
        self._say = say
        self._max_bytes = max_bytes
        self._max_models = max_models

    def lookup(self, key: str) -> Optional[CachedModel]:
        """The model of a key, None when there is none; a damaged entry is removed."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say(f"the cache can't be read: {path}: {error.strerror}")
            return None
        try:
            found = _read_entry(content, path)
        except (ValueError, CardError) as error:
            self._say(f"a cached model was damaged and is not used: {path}: {error}")
            self._remove(path)
            return None
        with suppress(OSError):  # then it only goes earlier than it should
            os.utime(str(path))
        return found

    def store(self, key: str, model: CachedModel) -> None:
        """Keep a model, and drop the oldest where there is no room."""
        content = _write_entry(model)
        if len(content) > self._max_bytes:
            return
        path = self._path(key)
        try:
            with AtomicFile(path, force=True) as file:
                file.temporary.chmod(0o600)
                file.write(content)
        except OutputError as error:
            self._say(f"the compiled model is not kept: {error.where}: {error.why}")
        self._prune()

    def _path(self, key: str) -> Path:
        return self._folder / (key + _SUFFIX)

    def _prune(self) -> None:
        """Remove unfinished files that were left behind, and what is over the limits."""
        entries, forgotten = _list_files(self._folder)
        size = 0
        for count, (path, used) in enumerate(entries, start=1):
            size += used
            if count > self._max_models or size > self._max_bytes:
                forgotten.append(path)
        for path in forgotten:
            self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            with suppress(FileNotFoundError):  # another process was faster
                path.unlink()
        except OSError as error:
            self._say(f"the cache can't be cleared: {path}: {error.strerror}")


def _list_files(folder: Path) -> Tuple[List[Tuple[Path, int]], List[Path]]:
    """Entries with their sizes, the one used last first, and unfinished files of long ago."""
    found: List[Tuple[float, Path, int]] = []
    forgotten: List[Path] = []
    for path in folder.glob("*" + _SUFFIX):
        try:
            status = path.stat()
        except OSError:
            continue  # another process removed it
        if not path.name.startswith("."):
            found.append((status.st_mtime, path, status.st_size))
        elif time.time() - status.st_mtime > _FORGOTTEN_S:
            forgotten.append(path)
    found.sort(reverse=True)
    return [(path, size) for _, path, size in found], forgotten


def _write_entry(model: CachedModel) -> bytes:
    """A line with the hash of what follows, a line of JSON, and the model."""
    header: Dict[str, object] = {"record": asdict(model.record), "log": model.log}
    body = json.dumps(header, sort_keys=True).encode("utf-8") + b"\n" + model.om
    return hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" + body


def _read_entry(content: bytes, path: Path) -> CachedModel:
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode("ascii") != digest:
        raise ValueError("its SHA-256 differs")
    line, _, om = body.partition(b"\n")
    header = json.loads(line.decode("utf-8"))
    return CachedModel(om, build_from_value(header["record"], str(path)), header["log"])
