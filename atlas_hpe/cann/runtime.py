"""Which of the installed packages programs run with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping, Optional

from atlas_hpe.cann.installs import CannInstall, find_installs

__all__ = ["find_runtime"]


def find_runtime(environ: Mapping[str, str], root: Path = Path("/")) -> Optional[CannInstall]:
    """The package that ``LD_LIBRARY_PATH`` leads to first; else nnrt, else whatever there is.

    Args:
        environ: Variables of the process; their paths are taken as they are.
        root: What ``/usr/local/Ascend`` lies below.

    Returns:
        None when nothing is installed.
    """
    installs = find_installs(environ, root)
    for entry in environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        for install in installs:
            if entry and _is_inside(Path(entry), install.home):
                return install
    return next((item for item in installs if item.kind == "nnrt"), next(iter(installs), None))


def _is_inside(folder: Path, home: Path) -> bool:
    try:
        followed = folder.resolve()
    except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
        followed = folder
    return any(home in (path, *path.parents) for path in (folder, followed))
