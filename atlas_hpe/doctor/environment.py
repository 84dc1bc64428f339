"""What set_env.sh of CANN puts into the environment, and what may be there by mistake."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Callable, Dict, List, Optional

from atlas_hpe.cann import CannInstall
from atlas_hpe.doctor.findings import FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, is_folder
from atlas_hpe.targets import python_fits, python_for

__all__ = [
    "OF_DRIVER",
    "driver_folder",
    "examine_environment",
    "examine_python",
    "examine_stubs",
    "missing_library",
    "source_line",
]

#: Comes with the driver, and not with CANN (ascend.md section 10, row 30).
OF_DRIVER = "libascend_hal"
_NO_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object")
_STUB_NAMES = ("stub", "devlib")
_DRIVER_LIBRARIES = "/usr/local/Ascend/driver/lib64"


def source_line(install: Optional[CannInstall]) -> str:
    """The line that sets the environment of a package up."""
    if install is None or install.set_env is None:
        return "source set_env.sh of the CANN package"
    return f"source {shlex.quote(str(install.set_env))}"


def missing_library(text: str) -> Optional[str]:
    """The library that the loader did not find, by what a program said; None for other reasons."""
    found = _NO_LIBRARY.search(text)
    return None if found is None else found.group(1)


def examine_environment(machine: Machine, install: CannInstall) -> Finding:
    """Whether set_env.sh was sourced: what its variables should lead to (ascend.md section 8.2)."""
    lacking = [name for name, is_set in _VARIABLES.items() if not is_set(machine)]
    if not lacking:
        return Finding("set_env.sh", OK, "sourced")
    if len(lacking) == len(_VARIABLES):
        text = "not sourced in this shell"
    else:
        text = f"{', '.join(lacking)}: not set, or lead to no CANN"
    return Finding("set_env.sh", MISSING, text, source_line(install))


def _finds(variable: str, *patterns: str) -> Callable[[Machine], bool]:
    def look(machine: Machine) -> bool:
        return any(
            next(folder.glob(pattern), None) is not None
            for folder in machine.folders(variable)
            for pattern in patterns
        )

    return look


def _is_folder(variable: str) -> Callable[[Machine], bool]:
    def look(machine: Machine) -> bool:
        value = machine.environ.get(variable, "")
        return bool(value) and is_folder(Path(value))

    return look


#: Variable -> whether it leads to what it is set for.
_VARIABLES: Dict[str, Callable[[Machine], bool]] = {
    "LD_LIBRARY_PATH": _finds("LD_LIBRARY_PATH", "libascendcl.so*"),
    "PYTHONPATH": _finds("PYTHONPATH", "acl.so", "acl.*.so", "acl/__init__.py"),
    "ASCEND_OPP_PATH": _is_folder("ASCEND_OPP_PATH"),
    "ASCEND_AICPU_PATH": _is_folder("ASCEND_AICPU_PATH"),
}


def driver_folder(machine: Machine) -> Optional[Path]:
    """The folder of the driver's libraries, None where there are none."""
    folder = machine.path(_DRIVER_LIBRARIES)
    return folder if is_folder(folder) else None


def examine_stubs(machine: Machine, *, has_device: bool) -> Optional[Finding]:
    """Whether stub libraries would be loaded in the place of the driver's.

    A program that loads them starts, and talks to no device (ACL code 100039, ascend.md sections
    1.7 and 3.4). None where there are none on the path, or there is no device to miss.

    Args:
        machine: The machine.
        has_device: It has a driver or device nodes.
    """
    folders = machine.folders("LD_LIBRARY_PATH")
    stubs = [folder for folder in folders if set(_STUB_NAMES) & set(folder.parts)]
    if not stubs or not has_device:
        return None
    names = ", ".join(map(str, stubs))
    rest = ":".join(str(folder) for folder in folders if folder not in stubs)
    fix = f"export LD_LIBRARY_PATH={shlex.quote(rest)}"
    if _comes_first(folders, stubs, driver_folder(machine)):
        text = f"the driver's libraries come before {names} on LD_LIBRARY_PATH"
        return Finding("stub libraries", WARNING, text, fix)
    text = f"{names} on LD_LIBRARY_PATH: programs talk to no device"
    return Finding("stub libraries", FAULT, text, fix)


def _comes_first(folders: List[Path], stubs: List[Path], driver: Optional[Path]) -> bool:
    return driver in folders and folders.index(driver) < folders.index(stubs[0])


def examine_python(python: str, install: CannInstall) -> Optional[Finding]:
    """Whether the release takes a Python (ascend.md section 8.3); None when no source says.

    Args:
        python: Its version, with three places.
        install: The package.
    """
    cann = install.version or ""
    versions = python_for(cann)
    if not versions:
        return None
    named = ", ".join(_span(first, last) for first, last in versions)
    fits = python_fits(python, cann)
    if fits is None:
        return Finding("Python", OK, f"{python}; the guides of CANN {cann} use {named}")
    text = f"{python}; CANN {cann} takes {named}"
    if fits:
        return Finding("Python", OK, text)
    return Finding("Python", WARNING, text, f"use Python {versions[-1][1]}")


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
