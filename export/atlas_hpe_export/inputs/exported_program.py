"""Exported programs (``torch.export.save``, .pt2).

``torch.export.load`` unpickles and executes parts of the file. It is called here only on an archive
made in memory of what was looked at: the graph as ``program_json`` reduces it, and weights and
constants as raw numbers. Left behind are sample inputs (a pickle), compiled libraries (native code)
and files that go along; weights or constants that are pickled are refused. What then can happen is
what a graph of PyTorch's own operators can do once somebody calls it: compute, and take memory.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Tuple

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from atlas_hpe.errors import CheckpointError
from atlas_hpe.files import sha256_of
from atlas_hpe_export.inputs.checkpoint import check_torch_version
from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.input_shapes import check_same_shapes, make_examples
from atlas_hpe_export.inputs.options import InputOptions
from atlas_hpe_export.inputs.plain_tensors import check_plain
from atlas_hpe_export.inputs.program_json import Json, clean_config, clean_program
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

__all__ = ["open_exported_program"]

_MAX_JSON_BYTES = 32 << 20  # a graph of a thousand nodes takes one or two million
_PROGRAM = "models/model.json"
_CONFIGS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
_PAYLOAD = re.compile(r"(weight|tensor)_\d+", re.ASCII)
_MARKS = ("archive_format", "archive_version", "byteorder", ".data/version")
_SAMPLES = "data/sample_inputs/model.pt"
_EXPORT_AGAIN = "save it again with: torch.export.save(program, 'model.pt2')"


def open_exported_program(path: Path, options: InputOptions) -> ExportInput:
    """Check an exported program and load it; its graph is not run.

    Raises:
        CheckpointError: Damaged, larger than it may be, with anything that could run code while it
            is loaded, or not a network of tensors with fixed sizes.
        UsageError: Input shapes that are not the program's.
    """
    options.refuse_network("an exported program")
    check_torch_version()
    content, devices = _read(path)
    program = _load(path, content)
    check_plain(path, {**program.state_dict, **program.constants})
    examples, names = _find_inputs(path, program)
    shapes = [tuple(item.shape) for item in examples]
    check_same_shapes(options.shapes, names, shapes, "the program was exported with its own")
    shown = ", ".join(devices)
    return ExportInput(
        kind="exported-program",
        path=path,
        sha256=sha256_of(path),
        network=_module_of(program),
        program=program,
        examples=examples,
        input_names=names,
        notes=(f"moved from {shown} to the CPU",) if devices else (),
    )


def _read(path: Path) -> Tuple[Dict[str, bytes], Tuple[str, ...]]:
    """The archive that PyTorch may see, and the devices that it named."""
    entries = list_entries(path)
    check_entries(path, entries)
    sizes = {inner_name(item.filename): item.file_size for item in entries}
    root = root_of(path, entries)
    wanted = [_PROGRAM, *_CONFIGS.values()]
    for name in wanted:
        if name not in sizes:
            raise damaged(path, f"it lacks '{name}'; the program has to be called 'model'")
        if sizes[name] > _MAX_JSON_BYTES:
            raise too_large(path, f"its {name} has more than {_MAX_JSON_BYTES} bytes")
    wanted += [name for name in _MARKS if name in sizes]
    found = read_entries(path, [f"{root}/{name}" for name in wanted])
    for folder, config in _CONFIGS.items():
        cleaned = clean_config(path, config, found[f"{root}/{config}"])
        found[f"{root}/{config}"] = json.dumps({"config": cleaned}).encode()
        payloads = _check_payloads(path, config, cleaned, folder, sizes)
        found.update(read_entries(path, [f"{root}/{name}" for name in payloads]))
    program = clean_program(path, _PROGRAM, found[f"{root}/{_PROGRAM}"])
    found[f"{root}/{_PROGRAM}"] = program.text
    found[f"{root}/{_SAMPLES}"] = b""
    return found, program.devices


def _check_payloads(
    path: Path, name: str, config: Mapping[str, Json], folder: str, sizes: Mapping[str, int]
) -> List[str]:
    """The entries with raw numbers that a config names; none that is pickled or claims too much."""
    names = []
    for item in config.values():
        entry = item.get("path_name") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(entry, str):
            raise damaged(path, f"'{name}' is not as torch.export writes it")
        if not _PAYLOAD.fullmatch(entry) or item.get("use_pickle") is not False:
            raise CheckpointError(
                "the exported program holds pickled objects and was refused; nothing was run",
                where=f"{path}, '{folder}{entry[:60]}'",
                fix="use plain tensors as weights and constants, and " + _EXPORT_AGAIN,
            )
        if f"{folder}{entry}" not in sizes:
            raise damaged(path, f"it lacks '{folder}{entry}'")
        _check_claim(path, f"{folder}{entry}", item.get("tensor_meta"), sizes[f"{folder}{entry}"])
        names.append(f"{folder}{entry}")
    return sorted(set(names))


def _check_claim(path: Path, name: str, meta: Json, size: int) -> None:
    """An empty entry is filled with zeros of the size that is claimed; so no claim may be false."""
    dims = meta.get("sizes") if isinstance(meta, dict) else None
    if not isinstance(dims, list):
        raise damaged(path, f"'{name}' has no shape")
    numel = 1
    for dim in dims:
        value = dim.get("as_int") if isinstance(dim, dict) else None
        if not isinstance(value, int) or not 0 <= value <= max(size, 1):
            raise damaged(path, f"'{name}' has {size} bytes and a size of {str(dim)[:40]}")
        numel *= value
        if numel > size:
            raise damaged(path, f"'{name}' has {size} bytes and claims {numel} numbers or more")


@contextmanager
def _cause_kept() -> Iterator[List[BaseException]]:
    """Keep quiet what the loader logs, and catch the cause that it logs and does not raise."""
    causes: List[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            causes.append(record.exc_info[1])
        return False

    loggers = [
        logging.getLogger(name) for name in ("torch.export", "torch.export.pt2_archive._package")
    ]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield causes
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


def _load(path: Path, content: Dict[str, bytes]) -> ExportedProgram:
    with _cause_kept() as causes, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.export.load(pack(content))
        except Exception as error:  # its verifier raises classes of its own
            cause = causes[0] if causes else error
            raise CheckpointError(
                "torch can't read the exported program",
                where=path,
                why=first_line(cause.__cause__ or cause)[:300],
                fix="copy it again, or " + _EXPORT_AGAIN,
            ) from error


def _find_inputs(
    path: Path, program: ExportedProgram
) -> Tuple[Tuple[Tensor, ...], Tuple[str, ...]]:
    """Zeros as the graph's placeholders describe its inputs, and their names."""
    user = [
        item.arg.name
        for item in program.graph_signature.input_specs
        if item.kind is InputKind.USER_INPUT
    ]
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    found = [nodes[name].meta.get("val") if name in nodes else None for name in user]
    values = [value for value in found if isinstance(value, Tensor)]
    tree = program.call_spec.in_spec
    plain = (
        tree.type is tuple
        and tree.num_children == 2
        and [item.num_children for item in tree.children()] == [len(user), 0]
    )
    if not user or not plain or len(values) != len(user):
        raise CheckpointError(
            "the exported program takes something else than tensors, one after the other",
            where=path,
            why=f"its inputs are: {', '.join(user) or 'none'}",
            fix="export a module whose forward takes tensors: torch.export.export(model, (x, y))",
        )
    shapes = [tuple(int(dim) for dim in value.shape) for value in values]
    return make_examples(shapes, [value.dtype for value in values]), tuple(user)


def _module_of(program: ExportedProgram) -> nn.Module:
    """The program as a module that can be put in eval mode, which its graph is in for good."""
    network = program.module(check_guards=False)
    for name in ("train", "eval"):
        # PyTorch puts functions there that raise.
        vars(network).pop(name, None)
    return network
