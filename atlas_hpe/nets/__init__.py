"""The networks, one file each; this table is all that is loaded until one is asked for.

To add a network: write ``nets/<name>.py`` with a ``SPEC`` (copy ``shallow_unet.py``) and add its
line to ``NETWORKS``. See docs/extending.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Dict

from atlas_hpe.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from atlas_hpe.nets.spec import NetworkSpec

__all__ = ["NETWORKS", "load_network"]

#: Network -> one line about it. The module ``atlas_hpe.nets.<name>`` holds its ``SPEC``.
NETWORKS: Dict[str, str] = {
    "shallow_unet": "2-D, RGB 128x128, U-Net with 21 heatmaps (seed report, network 1)",
    "hand_landmark": "2-D, RGB 128x128, 21 heatmaps decoded in the graph (ours, the default)",
    "hand_detector": "hands in a whole picture, RGB 256x256, boxes and directions (ours)",
}


def load_network(name: str) -> NetworkSpec:
    """The specification of a network.

    Raises:
        UsageError: No such network.
        MissingExtraError: torch is not installed.
    """
    if name not in NETWORKS:
        raise UsageError(
            f"there is no network '{name}'",
            where="--arch",
            fix="choose one of: " + ", ".join(NETWORKS),
        )
    try:
        module = importlib.import_module(f"atlas_hpe.nets.{name}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError.for_module("torch", "export", "building a network") from error
    spec: NetworkSpec = module.SPEC
    return spec
