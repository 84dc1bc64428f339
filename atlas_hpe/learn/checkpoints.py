"""Training checkpoints (exact resume) and plain weight files (what ships)."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Dict

import torch
from torch import Tensor, nn

from atlas_hpe.errors import CheckpointError
from atlas_hpe.outfile import AtomicFile

__all__ = [
    "FORMAT_VERSION",
    "load_training",
    "load_weights",
    "plain_weights",
    "save_training",
    "save_weights",
]

FORMAT_VERSION = 1


def _save(document: object, path: Path) -> None:
    # A run may be killed at any time; a half-written file must never carry the final name.
    with AtomicFile(path, force=True) as file:
        torch.save(document, file.temporary)


def _load(path: Path, what: str, fix: str) -> Dict[str, object]:
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {what}", where=path, fix=fix) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(
            f"the {what} can't be read", where=path, why=str(error), fix=fix
        ) from error
    if not isinstance(document, dict):
        raise CheckpointError(f"the {what} has another format", where=path, fix=fix)
    return document


def save_training(path: Path, state: Dict[str, object]) -> None:
    """Write what a resumed run needs: tensors, numbers, text and containers of them."""
    _save({"format": FORMAT_VERSION, **state}, path)


def load_training(path: Path) -> Dict[str, object]:
    """Read what `save_training` wrote.

    Raises:
        CheckpointError: missing, damaged, or of another format.
    """
    what = "training checkpoint to resume"
    fix = "give the --out folder of an interrupted run, or leave --resume out"
    document = _load(path, what, fix)
    if document.get("format") != FORMAT_VERSION:
        raise CheckpointError(f"the {what} has another format", where=path, fix=fix)
    return document


def plain_weights(model: nn.Module) -> Dict[str, Tensor]:
    """Contiguous float tensors for shipping, without the batch counters of training."""
    kept = {
        name: value
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return {name: value.detach().to("cpu").contiguous().clone() for name, value in kept.items()}


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a plain state dict that loads with `weights_only=True`."""
    _save(plain_weights(model), path)


def load_weights(path: Path) -> Dict[str, Tensor]:
    """Read a plain state dict.

    Raises:
        CheckpointError: missing, damaged, or not a state dict.
    """
    what, fix = "weight file", "give a .pt file that a training run wrote"
    document = _load(path, what, fix)
    weights = {name: value for name, value in document.items() if isinstance(value, Tensor)}
    if len(weights) != len(document):
        raise CheckpointError(f"the {what} holds more than weights", where=path, fix=fix)
    return weights
