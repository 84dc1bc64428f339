"""Reading a checkpoint: tensors out, never code in."""

from __future__ import annotations

import pickle
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor

from atlas_hpe.errors import CheckpointError, InputError, MissingExtraError
from atlas_hpe.files import check_readable, sha256_of
from atlas_hpe.floors import is_too_old, least_version
from atlas_hpe_export.inputs.checkpoint_file import check_container
from atlas_hpe_export.inputs.kinds import Kind, find_kind
from atlas_hpe_export.inputs.plain_tensors import what_is_wrong_with
from atlas_hpe_export.inputs.safetensors_file import read_safetensors
from atlas_hpe_export.inputs.zip_archive import MAX_BYTES
from atlas_hpe_export.wording import first_line

__all__ = [
    "LOAD_ERRORS",
    "NESTED_KEYS",
    "Checkpoint",
    "check_torch_version",
    "load_checkpoint",
    "read_checkpoint",
]

#: Where training programs put the state dict, in the order of the search.
NESTED_KEYS = ("state_dict", "model_state_dict", "model")
_COUNTER = "num_batches_tracked"
#: DataParallel, torch.compile, and the attribute in which Lightning modules keep their network.
_WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.")
#: What PyTorch's readers raise on damaged input.
LOAD_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of a network.

    Attributes:
        state_dict: Name -> tensor on the CPU, without the prefixes of wrappers.
        sha256: Hash of the file.
        path: The file.
        key: Where in the file the weights were, None when they were all of it.
        other_keys: Where it holds weights of the same names, for example averaged ones.
    """

    state_dict: Mapping[str, Tensor]
    sha256: str
    path: Path
    key: Optional[str] = None
    other_keys: Tuple[str, ...] = ()


def load_checkpoint(path: Union[str, Path], *, integers: bool = False) -> Checkpoint:
    """Read a state dict, bare or under ``state_dict``, ``model_state_dict`` or ``model``.

    Args:
        path: A file written by ``torch.save`` or a .safetensors; its name does not matter.
        integers: Whether tensors of integers and truth values may be among the weights, as the
            index tables of some networks are.

    Raises:
        CheckpointError: Missing, unreadable, damaged, not a checkpoint, too large, with code in
            it, or anything but named plain tensors.
        MissingExtraError: The torch at hand is too old to open files of others.
    """
    try:
        path = check_readable(path)
    except InputError as error:
        raise CheckpointError(
            error.what, where=error.where, why=error.why, fix=error.fix
        ) from error
    check_torch_version()
    if find_kind(path) is Kind.SAFETENSORS:
        return read_checkpoint(read_safetensors(path), path, integers=integers)
    check_container(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes to developers about damaged headers
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise CheckpointError(
            "torch can't read the checkpoint",
            where=path,
            why=first_line(error),
            fix="copy it again, or save it again with: torch.save(model.state_dict(), 'model.pt')",
        ) from error
    return read_checkpoint(content, path, integers=integers)


def read_checkpoint(content: object, path: Path, *, integers: bool = False) -> Checkpoint:
    """Find the state dict in what a file held.

    Args:
        content: What the file held.
        path: The file.
        integers: As in ``load_checkpoint``.

    Raises:
        CheckpointError: It holds anything but named plain tensors.
    """
    key = _find_key(content)
    found = content[key] if key is not None and isinstance(content, Mapping) else content
    where = str(path) if key is None else f"{path}, ['{key}']"
    state_dict = _read_state_dict(found, where, integers=integers)
    return Checkpoint(state_dict, sha256_of(path), path, key, _find_others(content, found))


def check_torch_version() -> None:
    """Make sure that torch has no known holes in what opens files of others.

    Raises:
        MissingExtraError: It is too old.
    """
    version = torch.__version__
    if is_too_old("torch", version):
        floor = least_version("torch")
        raise MissingExtraError(
            f"torch {version} is too old to open checkpoints safely",
            why=f"known holes in its weights-only loader were closed in {floor}",
            fix=f"pip install 'torch>={floor}'",
        )


def _find_key(content: object) -> Optional[str]:
    if isinstance(content, Mapping):
        for key in NESTED_KEYS:
            if isinstance(content.get(key), Mapping):
                return key
    return None


def _find_others(content: object, found: object) -> Tuple[str, ...]:
    if content is found or not isinstance(content, Mapping) or not isinstance(found, Mapping):
        return ()
    names = found.keys()
    return tuple(
        str(key)
        for key, value in content.items()
        if value is not found and isinstance(value, Mapping) and value and value.keys() <= names
    )


def _read_state_dict(found: object, where: str, *, integers: bool) -> Dict[str, Tensor]:
    if not isinstance(found, Mapping) or not found:
        kind = "an empty dictionary" if found == {} else f"a {type(found).__name__}"
        raise CheckpointError(
            "the checkpoint holds no dictionary of tensors",
            where=where,
            why=f"found {kind}",
            fix="save it with: torch.save(model.state_dict(), 'model.pt')",
        )
    total_bytes = 0
    for name, value in found.items():
        _check_entry(name, value, where, integers=integers)
        total_bytes += value.numel() * value.element_size()
    if total_bytes > MAX_BYTES:
        why = f"its tensors claim {total_bytes} bytes, {MAX_BYTES} are allowed"
        raise CheckpointError("the checkpoint claims more than it may", where=where, why=why)
    return _strip_prefix({name: value.detach() for name, value in found.items()})


def _check_entry(name: object, value: object, where: str, *, integers: bool) -> None:
    """Refuse what is not a plain tensor with its own storage."""
    if not isinstance(name, str) or not isinstance(value, Tensor):
        kind = type(name).__name__ if not isinstance(name, str) else type(value).__name__
        expected = "names" if not isinstance(name, str) else "tensors"
        raise CheckpointError(
            "the checkpoint holds no dictionary of tensors",
            where=f"{where}, '{name}'",
            why=f"expected {expected}, found a {kind}",
            fix="save it with: torch.save(model.state_dict(), 'model.pt')",
        )
    why = what_is_wrong_with(value, integers=integers or name.endswith(_COUNTER))
    if why:
        raise CheckpointError(
            "the checkpoint holds a tensor that is not a plain float tensor",
            where=f"{where}, '{name}'",
            why=why,
            fix="save float weights: torch.save(model.float().cpu().state_dict(), 'model.pt')",
        )


def _strip_prefix(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Remove what a wrapper has put before every name; wrappers may be nested."""
    for prefix in _WRAPPER_PREFIXES:
        if all(name.startswith(prefix) for name in state_dict):
            return _strip_prefix({name[len(prefix) :]: item for name, item in state_dict.items()})
    return state_dict
