"""What a network returns, as a flat list of tensors with names."""

from __future__ import annotations

import dataclasses
import re
from typing import List, Sequence, Tuple

from torch import Tensor, nn

from atlas_hpe.errors import UsageError

__all__ = ["WRAPPED", "FlatOutputs", "flatten_outputs", "is_flat", "name_outputs"]

#: Attribute under which ``FlatOutputs`` keeps the network: the first part of every module path.
WRAPPED = "network"


class FlatOutputs(nn.Module):
    """A network whose outputs come as a flat tuple, in the order of ``flatten_outputs``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tuple[Tensor, ...]:
        """Inputs as of the network."""
        return tuple(tensor for _, tensor in flatten_outputs(self.network(*inputs)))


def is_flat(outputs: object) -> bool:
    """A tensor or a plain tuple of tensors: what both front ends take as it is."""
    if isinstance(outputs, Tensor):
        return True
    return type(outputs) is tuple and all(isinstance(item, Tensor) for item in outputs)


def flatten_outputs(outputs: object) -> List[Tuple[str, Tensor]]:
    """The tensors in what ``forward`` returned, each with the path to it.

    Tuples, lists, named tuples, dictionaries and dataclasses may be nested; None in one of them is
    left out. The order is that of PyTorch's own trees: as written, dictionaries as they were built.

    Raises:
        UsageError: There is something else in it, or no tensor at all.
    """
    found = _collect("", outputs)
    if not found:
        raise UsageError("the network returns no tensor")
    return found


def name_outputs(
    outputs: object, given: Sequence[str], input_names: Sequence[str]
) -> Tuple[str, ...]:
    """A name per output.

    Args:
        outputs: What ``forward`` returned.
        given: The user's names; none for names made from keys, fields and positions, or ``output``
            where there is a single tensor without a key.
        input_names: Names that are taken.

    Raises:
        UsageError: Another number of names than of outputs, or a name twice.
    """
    flat = flatten_outputs(outputs)
    if given and len(given) != len(flat):
        raise UsageError(
            f"the network returns {len(flat)} outputs, {len(given)} are named",
            why="names: " + ", ".join(given),
            fix="name each output of forward",
        )
    names = tuple(given) or tuple(_name_of(path, len(flat), input_names) for path, _ in flat)
    repeated = sorted({name for name in names if names.count(name) > 1 or name in input_names})
    if repeated:
        raise UsageError(
            "two tensors of the graph would have the same name",
            why="names: " + ", ".join(repeated),
            fix="name the outputs yourself, each differently and unlike the inputs",
        )
    return names


def _collect(path: str, item: object) -> List[Tuple[str, Tensor]]:
    if isinstance(item, Tensor):
        return [(path, item)]
    if item is None and path:
        return []
    if isinstance(item, dict):
        children = [(str(key), value) for key, value in item.items()]
    elif isinstance(item, tuple) and hasattr(item, "_fields"):
        children = list(zip(item._fields, item))
    elif isinstance(item, (tuple, list)):
        children = [(str(index), value) for index, value in enumerate(item)]
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        children = [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    else:
        raise UsageError(
            "the network must return tensors, alone or in tuples, dictionaries and dataclasses",
            where=f"output '{path}'" if path else None,
            why=f"forward returned a {type(item).__name__}",
            fix="wrap it in a module that returns a tuple of tensors",
        )
    return [
        found
        for key, value in children
        for found in _collect(f"{path}_{key}" if path else key, value)
    ]


def _name_of(path: str, count: int, taken: Sequence[str]) -> str:
    name = re.sub(r"\W", "_", path)
    if count == 1 and (not name or name.isdigit()):
        return "output"
    if not name or name[0].isdigit() or name in taken:
        return f"output_{name}"
    return name
