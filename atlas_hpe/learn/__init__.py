"""Training of the project's own networks: data, augmentation, losses, schedules, loops, figures.

Needs the extra `train` (torch). Nothing here is imported by the board-side packages.
"""

from __future__ import annotations

from types import ModuleType

from atlas_hpe.errors import MissingExtraError

__all__ = ["load_hand_landmark_trainer"]


def load_hand_landmark_trainer() -> ModuleType:
    """The module that trains the default network; torch is imported here and not before.

    Raises:
        MissingExtraError: torch is not installed.
    """
    try:
        from atlas_hpe.learn import train_hand_landmark
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError.for_module("torch", "train", "training") from error
    return train_hand_landmark
