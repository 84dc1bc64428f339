"""TorchScript archives (``torch.jit.save``): programs in a small language of their own.

What such a program can do: compute with tensors, take as much memory as it likes, never end. What
it can't do: import Python, start programs, open connections. It could read and write files, through
the operators ``aten::from_file`` and ``aten::save``, and it could run while it is loaded, through a
class with ``__setstate__``. So sources that name one of those are refused before PyTorch sees them,
and so are classes that are written in C++ (quantised layers), as code of theirs reads their state.
PyTorch's loader gets an archive in memory that holds what was looked at and nothing else; the
debug records, which name the developer's folders, stay behind.

The loader is C++ and has had memory errors. Open a file of someone you do not know on a machine
that you can do without.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from atlas_hpe.errors import CheckpointError
from atlas_hpe.files import sha256_of
from atlas_hpe_export.inputs.checkpoint import LOAD_ERRORS, check_torch_version
from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.options import InputOptions
from atlas_hpe_export.inputs.pickle_scan import HARMLESS, find_foreign_imports
from atlas_hpe_export.inputs.plain_tensors import check_plain
from atlas_hpe_export.inputs.script_pickles import check_storages, read_traced_inputs
from atlas_hpe_export.inputs.signature import examples_for, script_parameters
from atlas_hpe_export.inputs.zip_archive import (
    check_entries,
    damaged,
    inner_name,
    list_entries,
    pack,
    read_entries,
    root_of,
    too_large,
)
from atlas_hpe_export.wording import first_line

__all__ = ["open_torchscript"]

_MAX_SOURCE_BYTES = 32 << 20
_MAX_PICKLE_BYTES = 2 << 20  # one thousand bytes per layer are usual
_WANTED = re.compile(r"(data|constants)\.pkl|(data|constants)/\d+|code/.*\.py|version|byteorder")
_TRACED = "traced_inputs.pkl"

# aten::save, aten::from_file, prim::rpc_*; every spelling of them holds the name in full, because
# escapes in texts that could hide one are refused as well.
_FORBIDDEN = re.compile(
    r"\b(save|from_file|rpc_async|rpc_sync|rpc_remote|__setstate__)\b|torch[\s.\\]+classes\b"
)
_ESCAPE = re.compile(r"\\[0-7xuUN]")
_PLACES = re.compile(
    r"\[enforce fail at \S+\] \. |INTERNAL ASSERT FAILED.*?PyTorch\. |This is an internal miniz.*"
)
_SCRIPT_HARMLESS = re.compile(
    HARMLESS.pattern
    + r"|__torch__(\.(?!torch\.classes\b)\w+)* \w+"
    + r"|torch\.jit\._pickle (build_\w+list|restore_type_tag)"
)


def open_torchscript(path: Path, options: InputOptions) -> ExportInput:
    """Check a TorchScript archive and load it; its ``forward`` is not called.

    Raises:
        CheckpointError: Damaged, larger than it may be, or with operators that touch files.
        UsageError: The file does not say how large its inputs are, and neither did the user.
    """
    options.refuse_network("a TorchScript program")
    check_torch_version()
    content, traced = _read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                pack(content), map_location="cpu"
            )
    except LOAD_ERRORS as error:
        raise CheckpointError(
            "torch can't read the TorchScript archive",
            where=path,
            why=_reason(error),
            fix="copy it again, or save it again with: torch.jit.save(program, 'model.pt')",
        ) from error
    check_plain(path, network.state_dict())
    examples, names, note = _find_examples(network, options, traced)
    return ExportInput(
        kind="torchscript",
        path=path,
        sha256=sha256_of(path),
        network=network,
        examples=examples,
        input_names=names,
        notes=note,
    )


def _find_examples(
    network: torch.jit.ScriptModule, options: InputOptions, traced: Optional[Tuple[Tensor, ...]]
) -> Tuple[Tuple[Tensor, ...], Tuple[str, ...], Tuple[str, ...]]:
    """The user's shapes first; else those of the inputs that the program was traced with."""
    if options.shapes or traced is None:
        return (*examples_for(network, options.shapes), ())
    names, least = script_parameters(network)
    if not least <= len(traced) <= len(names):
        return (*examples_for(network, ()), ())
    shown = "; ".join(",".join(str(dim) for dim in item.shape) for item in traced)
    return traced, tuple(names[: len(traced)]), (f"input shapes are those of its tracing: {shown}",)


def _read(path: Path) -> Tuple[Dict[str, bytes], Optional[Tuple[Tensor, ...]]]:
    """What PyTorch may see of the archive, and the inputs it was traced with."""
    entries = list_entries(path)
    root_of(path, entries)
    check_entries(path, entries, packed=("code/", _MAX_SOURCE_BYTES))
    pickles = [item for item in entries if item.filename.endswith(".pkl")]
    for entry in pickles:
        if entry.file_size > _MAX_PICKLE_BYTES:
            raise too_large(path, f"its {entry.filename} is larger than {_MAX_PICKLE_BYTES} bytes")
    content = read_entries(path, _wanted(entries))
    sizes = {inner_name(name): len(data) for name, data in content.items()}
    for name, data in content.items():
        if name.endswith(".pkl"):
            _check_imports(path, data)
            check_storages(path, data, inner_name(name)[: -len(".pkl")], sizes)
        elif name.endswith(".py"):
            _check_source(path, name, data)
    traced = [item.filename for item in pickles if inner_name(item.filename) == _TRACED]
    inputs = read_traced_inputs(read_entries(path, traced)[traced[0]]) if traced else None
    return content, inputs


def _wanted(entries: Sequence[zipfile.ZipInfo]) -> List[str]:
    return [item.filename for item in entries if _WANTED.fullmatch(inner_name(item.filename))]


def _check_imports(path: Path, data: bytes) -> None:
    foreign = find_foreign_imports(path, data, harmless=_SCRIPT_HARMLESS)
    if foreign:
        raise CheckpointError(
            "the TorchScript archive holds objects that are not its own and was refused",
            where=path,
            why=f"it asks for {foreign[0]}",
            fix="export the float network, without quantised layers, and from its source: "
            "--factory package.module:function",
        )


def _check_source(path: Path, name: str, data: bytes) -> None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(path, f"'{name}' is no text ({error})") from error
    match = _FORBIDDEN.search(text) or _ESCAPE.search(text)
    if match is not None:
        raise CheckpointError(
            "the TorchScript program could touch files and was refused; nothing in it was run",
            where=f"{path}, '{name}'",
            why=f"it names '{match.group()}'",
            fix="export the network from its source: --factory package.module:function",
        )


def _reason(error: BaseException) -> str:
    """The first line of a TorchScript error that is not empty, without PyTorch's own places."""
    return _PLACES.sub("", first_line(error))[:300]
