"""The environment that atc needs, where the user has not sourced set_env.sh."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Mapping, Sequence

from atlas_hpe.cann.installs import CannInstall

__all__ = ["atc_environment"]

# Folders below the toolkit's home, of older and newer releases (ascend.md sections 3.4 and 8.2).
# Only those that are there are used.
_PROGRAMS = (
    "bin",
    "atc/bin",
    "compiler/bin",
    "compiler/ccec_compiler/bin",
    "atc/ccec_compiler/bin",
)
_LIBRARIES = (
    "lib64",
    "atc/lib64",
    "compiler/lib64",
    "acllib/lib64",
    "runtime/lib64",
    "fwkacllib/lib64",
    "lib64/plugin/opskernel",
    "lib64/plugin/nnengine",
)
_PYTHON = (
    "python/site-packages",
    "atc/python/site-packages",
    "compiler/python/site-packages",
    "fwkacllib/python/site-packages",
    "opp/op_impl/built-in/ai_core/tbe",
    "opp/built-in/op_impl/ai_core/tbe",
)
_DRIVER_LIBRARIES = (
    "usr/local/Ascend/driver/lib64",
    "usr/local/Ascend/driver/lib64/common",
    "usr/local/Ascend/driver/lib64/driver",
)


def atc_environment(
    install: CannInstall, environ: Mapping[str, str], root: Path = Path("/")
) -> Dict[str, str]:
    """The user's environment with what set_env.sh would have added to it.

    The toolkit's folders come first: another package's may be on the same lists, the run-time's for
    example. On a machine without a driver the toolkit's stand-ins for the driver's libraries come
    last.

    Args:
        install: The toolkit.
        environ: The user's environment.
        root: Root of the file system.
    """
    found = dict(environ)
    # Otherwise the lines behind an inner error go to a folder in the user's home alone.
    found.setdefault("ASCEND_SLOG_PRINT_TO_STDOUT", "1")
    if not _is_sourced(install, environ):
        home = str(install.home)
        found["ASCEND_OPP_PATH"] = str(install.home / "opp")
        found["ASCEND_TOOLKIT_HOME"] = found["ASCEND_AICPU_PATH"] = home
        for variable, names in (
            ("PATH", _PROGRAMS),
            ("PYTHONPATH", _PYTHON),
            ("LD_LIBRARY_PATH", _LIBRARIES),
        ):
            _extend(found, variable, before=[install.home / name for name in names])
    driver = [root / name for name in _DRIVER_LIBRARIES]
    if any(folder.is_dir() for folder in driver):
        _extend(found, "LD_LIBRARY_PATH", after=driver)
    elif install.stub_libraries is not None:
        _extend(found, "LD_LIBRARY_PATH", after=[install.stub_libraries])
    return found


def _is_sourced(install: CannInstall, environ: Mapping[str, str]) -> bool:
    """Whether the environment is that of this toolkit, and not none or another package's."""
    operators = environ.get("ASCEND_OPP_PATH")
    return bool(operators) and os.path.realpath(str(operators)) == os.path.realpath(
        str(install.home / "opp")
    )


def _extend(
    environ: Dict[str, str],
    variable: str,
    *,
    before: Sequence[Path] = (),
    after: Sequence[Path] = (),
) -> None:
    """Add folders that exist to a list of them, each once."""
    listed = [item for item in environ.get(variable, "").split(":") if item]
    first, last = (
        [str(folder) for folder in folders if folder.is_dir()] for folders in (before, after)
    )
    words = list(dict.fromkeys([*first, *listed, *last]))
    if words:
        environ[variable] = ":".join(words)
