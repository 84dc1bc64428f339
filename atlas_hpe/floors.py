"""The oldest releases of libraries that may open files of others; pyproject.toml says the same."""

from __future__ import annotations

import re
from typing import Dict, Tuple

__all__ = ["VERSION_FLOORS", "is_too_old", "least_version"]

#: Library -> first release without known CVEs in what it is used for here.
VERSION_FLOORS: Dict[str, Tuple[int, int]] = {
    # Earlier releases could be made to write outside their memory even with weights_only=True.
    "torch": (2, 10),
    "onnx": (1, 21),
}


def is_too_old(library: str, version: str) -> bool:
    """Whether a version lies below the library's floor; one that can't be read does.

    Args:
        library: Name of the module; without a floor nothing is too old.
        version: As the distribution states it, for example ``"2.9.1+cpu"``.
    """
    floor = VERSION_FLOORS.get(library)
    if floor is None:
        return False
    found = tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:2])
    return found < floor


def least_version(library: str) -> str:
    """The library's floor as text, for example ``"2.10"``."""
    return ".".join(str(number) for number in VERSION_FLOORS[library])
