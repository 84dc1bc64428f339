"""The inputs of a module's ``forward``, by name."""

from __future__ import annotations

import inspect
from typing import List, Sequence, Tuple

import torch
from torch import Tensor, nn

from atlas_hpe.errors import UsageError
from atlas_hpe_export.inputs.input_shapes import InputShape, make_examples, match_shapes

__all__ = ["examples_for", "script_parameters"]


def examples_for(
    network: nn.Module, shapes: Sequence[InputShape]
) -> Tuple[Tuple[Tensor, ...], Tuple[str, ...]]:
    """Example inputs of the shapes that the user gave, and the names that ``forward`` gives them.

    Raises:
        UsageError: There is no ``forward``, or the shapes do not fit it.
    """
    if isinstance(network, torch.jit.ScriptModule):
        names, least = script_parameters(network)
    else:
        names, least = _parameters(network, count=len(shapes))
    found = match_shapes(shapes, names, least=least)
    return make_examples(found), tuple(names[: len(found)])


def script_parameters(network: torch.jit.ScriptModule) -> Tuple[List[str], int]:
    """Names of the inputs of a program, and how many have no default.

    Raises:
        UsageError: There is no ``forward``.
    """
    if not hasattr(network, "forward"):
        raise UsageError("the program has no method 'forward'", fix="save the network itself")
    arguments = network.forward.schema.arguments[1:]  # type: ignore[attr-defined]
    least = sum(not argument.has_default_value() for argument in arguments)
    return [argument.name for argument in arguments], least


def _parameters(network: nn.Module, *, count: int) -> Tuple[List[str], int]:
    """Names of the positional parameters, and how many have no default."""
    names: List[str] = []
    least = 0
    for item in inspect.signature(network.forward).parameters.values():
        if item.kind is item.VAR_POSITIONAL:
            names += [f"{item.name}_{index}" for index in range(max(count - len(names), 0))]
        elif item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD):
            names.append(item.name)
            least += item.default is item.empty
    return names, least
