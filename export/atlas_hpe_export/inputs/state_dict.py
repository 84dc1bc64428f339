"""Weights and the network that they belong to."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Mapping, Optional, Tuple

import torch
from torch import Tensor, nn

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import CheckpointError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe_export.batchnorm import repair_state_dict
from atlas_hpe_export.inputs.checkpoint import (
    NESTED_KEYS,
    Checkpoint,
    check_torch_version,
    load_checkpoint,
    read_checkpoint,
)
from atlas_hpe_export.inputs.checkpoint_file import find_code
from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.factory import build_from_factory
from atlas_hpe_export.inputs.input_shapes import InputShape, check_same_shapes, make_examples
from atlas_hpe_export.inputs.kinds import Kind
from atlas_hpe_export.inputs.options import InputOptions
from atlas_hpe_export.inputs.recognition import find_difference, recognise, shapes_of
from atlas_hpe_export.inputs.signature import examples_for
from atlas_hpe_export.inputs.user_code import user_code

__all__ = ["open_weights"]


def open_weights(path: Path, kind: Kind, options: InputOptions) -> ExportInput:
    """Open what ``torch.save`` wrote, or a .safetensors.

    Nothing in the file is run unless ``options.trust_pickle`` says so, and then only in a file that
    asks for more than tensors need. What such a file holds decides: a module is taken as it is,
    a dictionary of tensors is taken as weights.

    Raises:
        CheckpointError: The file can't be used, or its weights fit no network.
        UsageError: The factory or the input shapes do not fit.
    """
    if options.arch is not None and options.factory is not None:
        raise UsageError("--arch and --factory both name a network", fix="give one of them")
    integers = options.factory is not None
    if kind is not Kind.SAFETENSORS and options.trust_pickle and find_code(path):
        content, key = _unpickle(path)
        if isinstance(content, nn.Module):
            return _open_module(path, content, key, options)
        checkpoint = read_checkpoint(content, path, integers=integers)
    else:
        checkpoint = load_checkpoint(path, integers=integers)
    if options.factory is not None:
        return _open_with_factory(checkpoint, options.factory, options.shapes)
    spec = recognise(checkpoint.state_dict, options.arch, where=path)
    network = spec.build()
    notes = _load_weights(network, checkpoint, spec.name)
    return _of_spec(checkpoint, network, spec, options.shapes, notes)


def _unpickle(path: Path) -> Tuple[object, Optional[str]]:
    """Run the file. The module of a training file stands under one of the keys of weights."""
    check_torch_version()
    with warnings.catch_warnings(), user_code(
        "the file can't be unpickled",
        where=str(path),
        fix="run it from the folder that holds the network's Python files",
        kind=CheckpointError,
    ):
        warnings.simplefilter("ignore")
        content: object = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(content, Mapping):
        for key in NESTED_KEYS:
            if isinstance(content.get(key), nn.Module):
                return content[key], key
    return content, None


def _open_module(
    path: Path, network: nn.Module, key: Optional[str], options: InputOptions
) -> ExportInput:
    options.refuse_network("a whole module")
    examples, names = examples_for(network, options.shapes)
    found = "took the module" if key is None else f"took the module under '{key}'"
    return ExportInput(
        kind="pickled-module",
        path=path,
        sha256=sha256_of(path),
        network=network,
        examples=examples,
        input_names=names,
        notes=(f"{found} '{type(network).__name__}'; code in the file was run",),
    )


def _open_with_factory(
    checkpoint: Checkpoint, factory: str, shapes: Tuple[InputShape, ...]
) -> ExportInput:
    network, spec = build_from_factory(factory)
    with user_code(
        "the weights can't be loaded into the network",
        where=f"--factory {factory}",
        fix="load them by hand first, with load_state_dict",
        kind=CheckpointError,
    ):
        difference = find_difference(
            shapes_of(checkpoint.state_dict), shapes_of(network.state_dict())
        )
        if difference.count:
            raise CheckpointError(
                f"the weights do not fit the network of '{factory}'",
                where=checkpoint.path,
                why=f"{difference.count} differences: {difference}",
                fix="build the network with the options that it was trained with",
            )
        notes = _load_weights(network, checkpoint, factory)
    if spec is not None:
        return _of_spec(checkpoint, network, spec, shapes, notes)
    examples, names = examples_for(network, shapes)
    return ExportInput(
        kind="state-dict",
        path=checkpoint.path,
        sha256=checkpoint.sha256,
        network=network,
        examples=examples,
        input_names=names,
        notes=notes,
    )


def _of_spec(
    checkpoint: Checkpoint,
    network: nn.Module,
    spec: NetworkSpec,
    shapes: Tuple[InputShape, ...],
    notes: Tuple[str, ...],
) -> ExportInput:
    names = tuple(item.name for item in spec.inputs)
    fixed = [item.shape for item in spec.inputs]
    check_same_shapes(shapes, names, fixed, f"'{spec.name}' has its own")
    return ExportInput(
        kind="state-dict",
        path=checkpoint.path,
        sha256=checkpoint.sha256,
        network=network,
        spec=spec,
        examples=make_examples(fixed, [_dtype_of(item) for item in spec.inputs]),
        input_names=names,
        notes=notes,
    )


def _dtype_of(spec: TensorSpec) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype


def _load_weights(network: nn.Module, checkpoint: Checkpoint, name: str) -> Tuple[str, ...]:
    """Copy the weights into a network of the same names and shapes.

    Returns:
        Which weights were taken and what was repaired, in words.
    """
    weights, repairs = repair_state_dict(checkpoint.state_dict, network)
    for key, expected in network.state_dict().items():
        _check_type(key, weights[key], expected, name, checkpoint.path)
    network.load_state_dict(weights)
    return (*_describe_choice(checkpoint), *repairs)


def _check_type(key: str, found: Tensor, expected: Tensor, name: str, path: Path) -> None:
    """Copying would turn an index table of floats into whole numbers without a word."""
    if found.is_floating_point() != expected.is_floating_point():
        raise CheckpointError(
            f"the weights do not fit the network '{name}'",
            where=f"{path}, '{key}'",
            why=f"its type is {found.dtype}, the network has {expected.dtype}",
            fix="build the network with the options that it was trained with",
        )


def _describe_choice(checkpoint: Checkpoint) -> Tuple[str, ...]:
    """Which of the weights in the file were taken; training files often hold averaged ones too."""
    if checkpoint.key is None:
        return ()
    others = ", ".join(f"'{key}'" for key in checkpoint.other_keys)
    note = f"took the weights under '{checkpoint.key}'"
    return (note + (f"; those under {others} have the same names" if others else ""),)
