"""What the pickles of a TorchScript archive say about tensors: stored bytes, shapes of inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Optional, Tuple

import torch
from torch import Tensor

from atlas_hpe.errors import UsageError
from atlas_hpe_export.inputs.input_shapes import make_examples
from atlas_hpe_export.inputs.pickle_symbols import Call, Global, Stored, read_symbols
from atlas_hpe_export.inputs.zip_archive import damaged

__all__ = ["check_storages", "read_traced_inputs"]

_TYPES: Mapping[str, torch.dtype] = {
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}


def check_storages(path: Path, data: bytes, folder: str, sizes: Mapping[str, int]) -> None:
    """Hold the size of every storage against the bytes that there are.

    ``torch.jit.load`` (2.13) does not: it takes a storage to be as long as the pickle says, and
    tensors then read memory that is not theirs.

    Args:
        path: The archive, for messages.
        data: One of its pickles.
        folder: Where the pickle's storages lie.
        sizes: Entry -> bytes.

    Raises:
        CheckpointError: A storage that is missing, too short or of an unknown type.
    """
    try:
        _, stored = read_symbols(data)
    except ValueError as error:
        raise damaged(path, f"its pickle can't be followed ({error})") from error
    for item in stored:
        described = _describe_storage(item)
        if described is None:
            raise damaged(path, f"it holds a storage of an unknown kind: {str(item.pid)[:80]}")
        key, dtype, count = described
        needed = count * torch.empty((), dtype=dtype).element_size()
        if needed > sizes.get(f"{folder}/{key}", -1):
            raise damaged(path, f"'{folder}/{key[:40]}' should have {needed} bytes and has fewer")


def _describe_storage(item: object) -> Optional[Tuple[str, torch.dtype, int]]:
    """Key, type and count from ``("storage", type, key, device, count)``."""
    pid = item.pid if isinstance(item, Stored) else None
    if not isinstance(pid, tuple) or len(pid) != 5:
        return None
    _, kind, key, _, count = pid
    dtype = _TYPES.get(kind.name) if isinstance(kind, Global) else None
    if dtype is None or not isinstance(key, str) or type(count) is not int or count < 0:
        return None
    return key, dtype, count


def read_traced_inputs(data: bytes) -> Optional[Tuple[Tensor, ...]]:
    """Zeros of the shapes that ``forward`` was traced with; None when the file does not say.

    ``torch.jit.trace`` leaves method -> list of inputs in the archive. Only shapes and types are
    read, and as symbols.

    Args:
        data: Content of ``traced_inputs.pkl``.
    """
    try:
        content, _ = read_symbols(data)
    except ValueError:
        return None
    methods = _untag(content)
    inputs = _untag(methods.get("forward")) if isinstance(methods, dict) else None
    found = [_describe_tensor(item) for item in inputs] if isinstance(inputs, list) else []
    known = [item for item in found if item is not None]
    if not known or len(known) != len(found):
        return None
    try:
        return make_examples([shape for shape, _ in known], [dtype for _, dtype in known])
    except UsageError:
        return None


def _call(item: object, name: str) -> Tuple[object, ...]:
    """Arguments of a call of a function of this name; none when it is anything else."""
    if isinstance(item, Call) and isinstance(item.function, Global) and item.function.name == name:
        return item.arguments if isinstance(item.arguments, tuple) else ()
    return ()


def _untag(item: object) -> object:
    """The value inside ``restore_type_tag(value, "its type")``."""
    arguments = _call(item, "torch.jit._pickle restore_type_tag")
    return arguments[0] if arguments else item


def _describe_tensor(item: object) -> Optional[Tuple[Tuple[int, ...], torch.dtype]]:
    """Shape and type from ``_rebuild_tensor_v2(storage, offset, shape, ...)``."""
    arguments = _call(item, "torch._utils _rebuild_tensor_v2")
    storage = _describe_storage(arguments[0]) if len(arguments) > 2 else None
    if storage is None or not isinstance(arguments[2], tuple):
        return None
    shape = [dim for dim in arguments[2] if type(dim) is int and dim > 0]
    return (tuple(shape), storage[1]) if len(shape) == len(arguments[2]) else None
