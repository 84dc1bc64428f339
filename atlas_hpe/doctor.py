"""What a machine has: Python, libraries by extra, back-ends."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.floors import is_too_old, least_version
from atlas_hpe.version import __version__

__all__ = ["Diagnosis", "Finding", "examine_machine"]

#: Extra (None: the base install) -> what it is for, and its libraries as module -> distribution.
_LIBRARIES: Dict[Optional[str], Tuple[str, Dict[str, str]]] = {
    None: (
        "base install",
        {
            "numpy": "numpy",
            "cv2": "opencv-python-headless",
            "PIL": "pillow",
            "imageio": "imageio",
            "imageio_ffmpeg": "imageio-ffmpeg",
        },
    ),
    "host": ("run .onnx models", {"onnxruntime": "onnxruntime"}),
    "export": (
        "export and parity",
        {
            "torch": "torch",
            "onnx": "onnx",
            "onnx_ir": "onnx-ir",
            "onnxsim": "onnxsim",
            "onnxscript": "onnxscript",
        },
    ),
    "train": ("train the networks", {"lightning_fabric": "lightning-fabric"}),
}
#: Back-end -> the module it needs, what it does, and the command that adds the module.
_BACKENDS = {
    "onnxruntime": ("onnxruntime", "runs .onnx on the host", "pip install 'atlas-hpe[host]'"),
    "simulator": ("onnxruntime", "a simulated Ascend device", "pip install 'atlas-hpe[host]'"),
    "acl": (
        "acl",
        "runs .om on an Ascend device",
        "on a board: source /usr/local/Ascend/ascend-toolkit/set_env.sh",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is there or not.

    Attributes:
        name: Library or back-end.
        present: Whether it can be used.
        text: Its version, or what it would be for.
        fix: The command that adds it, None when nothing is to be done.
    """

    name: str
    present: bool
    text: str
    fix: Optional[str] = None


@dataclass(frozen=True)
class Diagnosis:
    """The whole examination.

    Attributes:
        version: Version of this distribution.
        python: Version of the interpreter.
        platform: Operating system and processor.
        findings: One entry per library and back-end.
    """

    version: str
    python: str
    platform: str
    findings: Tuple[Finding, ...]


def examine_machine() -> Diagnosis:
    """Look at the machine without importing any of the libraries."""
    findings = [
        _examine_library(module, distribution, extra, purpose)
        for extra, (purpose, libraries) in _LIBRARIES.items()
        for module, distribution in libraries.items()
    ]
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        findings=(*findings, *(_examine_backend(name) for name in _BACKENDS)),
    )


def _examine_library(module: str, distribution: str, extra: Optional[str], purpose: str) -> Finding:
    target = "atlas-hpe" if extra is None else f"atlas-hpe[{extra}]"
    fix = f"pip install --upgrade '{target}'"
    if importlib.util.find_spec(module) is None:
        too_old = extra in ("export", "train") and sys.version_info < (3, 10)
        return Finding(
            distribution,
            present=False,
            text=f"for: {purpose}",
            fix=f"{extra} on a machine with Python 3.10 or newer" if too_old else fix,
        )
    version = _version_of(distribution)
    if version is None:
        return Finding(distribution, present=True, text="unknown version")
    if is_too_old(module, version):
        text = f"{version} has known CVEs, {least_version(module)} is due"
        return Finding(distribution, present=False, text=text, fix=fix)
    return Finding(distribution, present=True, text=version)


def _examine_backend(name: str) -> Finding:
    module, purpose, fix = _BACKENDS[name]
    present = _is_there(module)
    return Finding(f"back-end {name}", present, purpose, None if present else fix)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # loaded, and not from a file: the simulator in this process
        return True


def _version_of(distribution: str) -> Optional[str]:
    """The version that is installed, None when it can't be read."""
    if sys.version_info >= (3, 8):
        from importlib.metadata import PackageNotFoundError, version
    else:
        from importlib_metadata import PackageNotFoundError, version
    try:
        found = version(distribution)
    except (PackageNotFoundError, KeyError):
        return None
    # Damaged metadata gives None, a KeyError, or a text that no floor can be held against.
    return found if found and re.search(r"\d", found) else None
