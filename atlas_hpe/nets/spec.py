"""What the toolkit knows about a network besides its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Tuple

from atlas_hpe.card import DecodeSpec, PreprocessSpec, TensorSpec
from atlas_hpe.hands import NUM_JOINTS

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NetworkSpec"]


@dataclass(frozen=True)
class NetworkSpec:
    """A network and the contract of its graph; a model card is filled from it.

    Attributes:
        name: Name in ``--arch`` and in the card.
        task: Task of the card.
        build: Makes the module with fresh weights.
        inputs: Inputs of ``forward``, in order, at batch 1.
        outputs: Outputs of ``forward``, in order, at batch 1.
        preprocess: Picture to input.
        decode: Outputs to joints.
        joint_order: Native index of each hand21 joint.
    """

    name: str
    task: str
    build: Callable[[], nn.Module]
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    preprocess: PreprocessSpec
    decode: DecodeSpec
    joint_order: Tuple[int, ...] = tuple(range(NUM_JOINTS))
