"""Which network do these weights belong to? Told by the names and shapes of its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

import torch
from torch import Tensor

from atlas_hpe.errors import CheckpointError
from atlas_hpe.nets import NETWORKS, load_network
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe_export.inputs.input_shapes import Shape

__all__ = ["Difference", "find_difference", "recognise", "shapes_of"]
_SHOWN = 3  # names per list in a message
_COUNTER = ".num_batches_tracked"
_STATISTICS = (".running_mean", ".running_var")


@dataclass(frozen=True)
class Difference:
    """How a state dict departs from a network.

    Attributes:
        missing: Names that the network has and the checkpoint lacks.
        unexpected: Names that only the checkpoint has.
        wrong_shape: Name -> shape in the checkpoint and in the network.
    """

    missing: Tuple[str, ...]
    unexpected: Tuple[str, ...]
    wrong_shape: Mapping[str, Tuple[Shape, Shape]]

    @property
    def count(self) -> int:
        """Number of names that differ."""
        return len(self.missing) + len(self.unexpected) + len(self.wrong_shape)

    def __str__(self) -> str:
        """The first few of each kind."""
        shapes = [f"{name} {have} for {want}" for name, (have, want) in self.wrong_shape.items()]
        kinds = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("wrong shape", tuple(shapes)),
        )
        parts = [f"{len(names)} {kind}: {_first(names)}" for kind, names in kinds if names]
        return "; ".join(parts) or "no difference"


def recognise(
    state_dict: Mapping[str, Tensor], arch: Optional[str] = None, *, where: Optional[Path] = None
) -> NetworkSpec:
    """Find the network that a state dict belongs to.

    ``num_batches_tracked`` counts for nothing here, and missing statistics of a batch norm are left
    to ``repair_state_dict``, which names the layer.

    Args:
        state_dict: Name -> tensor.
        arch: Name of the network; None to try all of ``NETWORKS``.
        where: File of the weights, for messages.

    Raises:
        UsageError: ``arch`` is no network.
        CheckpointError: The weights do not fit: the nearest network and what differs.
    """
    shapes = shapes_of(state_dict)
    nearest: Optional[Tuple[NetworkSpec, Difference]] = None
    for name in [arch] if arch is not None else NETWORKS:
        spec = load_network(name)
        with torch.device("meta"):
            network = spec.build()
        difference = find_difference(shapes, shapes_of(network.state_dict()))
        if not difference.count:
            return spec
        if nearest is None or difference.count < nearest[1].count:
            nearest = spec, difference
    if nearest is None:
        raise CheckpointError("there is no network to compare with", where="--arch")
    spec, difference = nearest
    if arch is not None:
        raise CheckpointError(
            f"the weights do not fit the network '{arch}'",
            where=where,
            why=str(difference),
            fix="leave out --arch to have the network recognised",
        )
    raise CheckpointError(
        "the weights fit no network of this toolkit",
        where=where,
        why=f"nearest is '{spec.name}', {difference.count} differences: {difference}",
        fix="for a network of your own give --factory package.module:function, or use "
        "atlas_hpe.export_onnx(module, example_inputs, path) in Python",
    )


def shapes_of(state_dict: Mapping[str, Tensor]) -> Dict[str, Shape]:
    """Name -> shape."""
    return {name: tuple(value.shape) for name, value in state_dict.items()}


def find_difference(shapes: Mapping[str, Shape], expected: Mapping[str, Shape]) -> Difference:
    """Hold the names and shapes of a checkpoint against those of a network."""
    expected = _shapes_that_count(expected)
    shapes = _shapes_that_count(shapes)
    return Difference(
        missing=tuple(
            name for name in expected if name not in shapes and not name.endswith(_STATISTICS)
        ),
        unexpected=tuple(name for name in shapes if name not in expected),
        wrong_shape={
            name: (shape, expected[name])
            for name, shape in shapes.items()
            if name in expected and shape != expected[name]
        },
    )


def _shapes_that_count(shapes: Mapping[str, Shape]) -> Dict[str, Shape]:
    return {name: shape for name, shape in shapes.items() if not name.endswith(_COUNTER)}


def _first(names: Tuple[str, ...]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
