"""What a checkpoint file is, found out before torch opens it.

Files come from strangers. The container is looked at by its own directory and its pickle by its
opcodes, without running any of it, so that a refusal can say exactly what is wrong and so that
neither memory nor time depend on what a file claims about itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

from atlas_hpe.errors import CheckpointError
from atlas_hpe_export.inputs.kinds import Kind, describe_head, find_kind
from atlas_hpe_export.inputs.pickle_scan import MAX_PICKLE_BYTES, find_foreign_imports
from atlas_hpe_export.inputs.zip_archive import (
    check_entries,
    check_sums,
    inner_name,
    list_entries,
    read_entries,
    too_large,
)

__all__ = ["check_container", "find_code"]

_LEGACY_PICKLES = 5  # magic number, protocol, system, the object, storage keys
_SAVE_AGAIN = "save it again with: torch.save(model.state_dict(), 'model.pt')"
_PROGRAMS = {
    Kind.TORCHSCRIPT: "a TorchScript archive, a program and not a checkpoint",
    Kind.EXPORTED_PROGRAM: "an archive of torch.export, a program and not a checkpoint",
    Kind.OLD_EXPORTED_PROGRAM: "an archive of torch.export, a program and not a checkpoint",
}


def check_container(path: Path) -> None:
    """Make sure that a file is a PyTorch checkpoint that holds tensors and no code.

    Raises:
        CheckpointError: Empty, of another kind, cut short, larger than it may be, or with code.
    """
    code = find_code(path)
    if code:
        raise CheckpointError(
            "the checkpoint holds code and was refused; nothing in it was run",
            where=path,
            why=f"it asks for {code[0]}",
            fix=_SAVE_AGAIN + ", which keeps tensors only; or, if you trust its maker as you trust "
            "a program of theirs, give --trust-pickle to run what is in it",
        )


def find_code(path: Path) -> Tuple[str, ...]:
    """What a file of ``torch.save`` would import beyond what tensors need.

    Raises:
        CheckpointError: Empty, of another kind, cut short, or larger than it may be.
    """
    kind = find_kind(path)
    if kind is Kind.LEGACY_PICKLE:
        with path.open("rb") as stream:
            data = stream.read(MAX_PICKLE_BYTES)
        return find_foreign_imports(path, data, count=_LEGACY_PICKLES)
    if kind is Kind.TORCH_ZIP:
        return _find_code_in_zip(path)
    if kind in _PROGRAMS:
        raise CheckpointError(
            f"the file is {_PROGRAMS[kind]}",
            where=path,
            fix="export it as it is: atlas-hpe export takes programs too",
        )
    if kind is Kind.OTHER_ZIP:
        raise CheckpointError(
            "the file is not a PyTorch checkpoint",
            where=path,
            why="it is another kind of zip archive: it holds no data.pkl",
            fix=_SAVE_AGAIN,
        )
    raise CheckpointError(
        "the file is not a PyTorch checkpoint",
        where=path,
        why=f"it looks like {describe_head(path)}",
        fix="give a file that torch.save has written",
    )


def _find_code_in_zip(path: Path) -> Tuple[str, ...]:
    entries = list_entries(path)
    check_entries(path, entries)
    entry = next(item for item in entries if inner_name(item.filename) == "data.pkl")
    if entry.file_size > MAX_PICKLE_BYTES:
        raise too_large(path, f"its {entry.filename} has more than {MAX_PICKLE_BYTES} bytes")
    check_sums(path)
    return find_foreign_imports(path, read_entries(path, [entry.filename])[entry.filename])
