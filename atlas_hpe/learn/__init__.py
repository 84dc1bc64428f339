"""Training of the project's own networks: data, augmentation, losses, schedules, loops, figures.

Needs the extra `train` (torch and lightning-fabric). Nothing here is imported by the board-side
packages.
"""

from __future__ import annotations

from types import ModuleType

from atlas_hpe.errors import MissingExtraError

__all__ = ["load_trainer"]


def load_trainer() -> ModuleType:
    """The module `learn.start`; torch and lightning-fabric are imported here and not before.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        from atlas_hpe.learn import start
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "lightning_fabric"):
            raise
        raise MissingExtraError.for_module(error.name, "train", "training") from error
    return start
