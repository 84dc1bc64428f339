"""Python packages by extra, and the back-ends that they make possible."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from atlas_hpe.doctor.findings import FAULT, MISSING, OK, Finding
from atlas_hpe.doctor.machine import Machine
from atlas_hpe.floors import is_too_old, least_version

__all__ = ["BACKENDS", "examine_backends", "examine_libraries"]

_TORCH_PYTHON = (3, 10)
#: Extra (None: the base install) -> its libraries as module -> distribution.
_LIBRARIES: Dict[Optional[str], Dict[str, str]] = {
    None: {
        "numpy": "numpy",
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "imageio": "imageio",
        "imageio_ffmpeg": "imageio-ffmpeg",
    },
    "host": {"onnxruntime": "onnxruntime"},
    "export": {
        "torch": "torch",
        "onnx": "onnx",
        "onnx_ir": "onnx-ir",
        "onnxsim": "onnxsim",
        "onnxscript": "onnxscript",
    },
    "train": {"lightning_fabric": "lightning-fabric"},
}
#: Back-end of the runtime -> the module it needs and what it does.
BACKENDS: Dict[str, Tuple[str, str]] = {
    "acl": ("acl", "runs .om on an Ascend device"),
    "acllite": ("acllite_model", "the same through Huawei's AclLite"),
    "onnxruntime": ("onnxruntime", "runs .onnx on the host"),
    "simulator": ("onnxruntime", "a simulated Ascend device"),
}
_BACKEND_FIXES = {
    "acl": "on a machine with a device: source set_env.sh of CANN",
    "acllite_model": "on a board: PYTHONPATH=SAMPLES/python/common/acllite; acl does without it",
    "onnxruntime": "pip install --upgrade 'atlas-hpe[host]'",
}


def examine_libraries(machine: Machine, extra: Optional[str]) -> Tuple[Finding, ...]:
    """The packages of an extra, or of the base install for None; none of them is imported."""
    return tuple(
        _examine_library(machine, module, distribution, extra)
        for module, distribution in _LIBRARIES[extra].items()
    )


def _examine_library(
    machine: Machine, module: str, distribution: str, extra: Optional[str]
) -> Finding:
    target = "atlas-hpe" if extra is None else f"atlas-hpe[{extra}]"
    fix = f"pip install --upgrade '{target}'"
    if not machine.has_module(module):
        if extra in ("export", "train") and machine.python < _TORCH_PYTHON:
            fix = f"{extra} on a machine with Python 3.10 or newer"
        return Finding(distribution, MISSING, "not installed", fix)
    version = machine.version_of(distribution)
    if version is None:
        return Finding(distribution, OK, "unknown version")
    if is_too_old(module, version):
        text = f"{version} has known CVEs, {least_version(module)} is due"
        return Finding(distribution, FAULT, text, fix)
    return Finding(distribution, OK, version)


def examine_backends(machine: Machine) -> Tuple[Finding, ...]:
    """Which back-ends have the module that they need."""
    findings = []
    for name, (module, purpose) in BACKENDS.items():
        present = machine.has_module(module)
        fix = None if present else _BACKEND_FIXES[module]
        findings.append(Finding(name, OK if present else MISSING, purpose, fix))
    return tuple(findings)
