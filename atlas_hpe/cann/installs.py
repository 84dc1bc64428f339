"""Which CANN packages are installed, and where."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from atlas_hpe.cann.info_files import read_version
from atlas_hpe.cann.versions import parse_cann

__all__ = ["CannInstall", "driver_version", "find_atc", "find_installs"]

_ASCEND = Path("usr/local/Ascend")
#: Folder of a package -> its kind.
_PACKAGES = {"ascend-toolkit": "toolkit", "nnae": "nnae", "nnrt": "nnrt"}
#: Record of the installer -> kind of the package.
_INFO_FILES = {
    "ascend_toolkit_install.info": "toolkit",
    "ascend_nnae_install.info": "nnae",
    "ascend_nnrt_install.info": "nnrt",
}
_ATC = ("atc/bin/atc", "compiler/bin/atc", "bin/atc")
#: Newest layout first (ascend.md section 3.4).
_STUBS = ("runtime/lib64/stub", "acllib/lib64/stub", "devlib")
_ARCH = "-linux"
#: How far above atc its home can be: HOME/ARCH-linux/atc/bin/atc.
_DEPTH = 4


@dataclass(frozen=True)
class CannInstall:
    """One installed package.

    Attributes:
        home: Its folder, links followed.
        kind: ``"toolkit"`` (compiler and run-time), ``"nnrt"`` (run-time alone) or ``"nnae"``
            (run-time and operators).
        version: For example ``"5.1.RC2.alpha001"``; None when no file tells.
        set_env: The script to source, None when there is none.
        atc: The compiler, None when this package has none.
        stub_libraries: Folder that stands in for the driver's libraries on a machine without a
            device; it goes into ``LD_LIBRARY_PATH`` for atc (ascend.md section 3.4).
    """

    home: Path
    kind: str
    version: Optional[str]
    set_env: Optional[Path]
    atc: Optional[Path]
    stub_libraries: Optional[Path]


def find_installs(environ: Mapping[str, str], root: Path = Path("/")) -> Tuple[CannInstall, ...]:
    """Installed packages, each once.

    First the one whose atc is on PATH, then those that ``ASCEND_TOOLKIT_HOME`` and
    ``ASCEND_HOME_PATH`` name, then the usual folders below ``/usr/local/Ascend`` and
    ``$HOME/Ascend``; there ``latest`` comes first, then the newest version.

    Args:
        environ: Variables of the process; their paths are taken as they are.
        root: What ``/usr/local/Ascend`` lies below.
    """
    found: Dict[Path, CannInstall] = {}
    for place, atc in _candidates(environ, root):
        home = _followed(place)
        install = _examine(home, atc)
        if install is not None:
            # "latest" is a folder of links as a rule: the record shows what is behind it.
            found.setdefault(_followed(_info_of(home) or home), install)
    return tuple(found.values())


def find_atc(environ: Mapping[str, str], root: Path = Path("/")) -> Optional[CannInstall]:
    """The first installed package with a compiler; None when there is none."""
    return next((found for found in find_installs(environ, root) if found.atc is not None), None)


def driver_version(root: Path = Path("/")) -> Optional[str]:
    """Version of the device driver; None when there is none or no file tells."""
    return read_version(root / _ASCEND / "driver" / "version.info")


def _candidates(environ: Mapping[str, str], root: Path) -> Iterator[Tuple[Path, Optional[Path]]]:
    """Folders that may be homes, each with its atc when that is known already."""
    for entry in environ.get("PATH", "").split(os.pathsep):
        # A relative entry would be another folder in the one that atc is run in.
        atc = Path(entry) / "atc"
        if atc.is_absolute() and _is_program(atc):
            yield _home_of(atc), atc
    for variable in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        if environ.get(variable):
            yield Path(environ[variable]), None
    places = [root / _ASCEND]
    if environ.get("HOME"):
        places.append(Path(environ["HOME"]) / "Ascend")
    for place in places:
        yield place / "cann", None
        for package in _PACKAGES:
            yield place / package / "latest", None
            for home in _versions(place / package):
                yield home, None


def _examine(home: Path, atc: Optional[Path]) -> Optional[CannInstall]:
    """What is in a folder; None when it is no package."""
    info = _info_of(home)
    atc = atc or _first(_is_program, [home / place for place in _ATC])
    # A set_env.sh of all versions lies beside them (ascend.md section 8.2).
    beside = [home.parent / "set_env.sh"] if home.parent.name in _PACKAGES else []
    set_env = _first(_is_file, [home / "set_env.sh", *beside])
    if info is not None:
        kind = _INFO_FILES[info.name]
    else:
        kind = _PACKAGES.get(home.parent.name, "toolkit" if atc else "")
    if not kind or not _is_folder(home) or (info, atc, set_env) == (None, None, None):
        return None
    return CannInstall(
        home=home,
        kind=kind,
        version=None if info is None else read_version(info),
        set_env=set_env,
        atc=atc,
        stub_libraries=_first(
            _is_folder,
            [folder / place for place in _STUBS for folder in (home, *_arch_folders(home))],
        ),
    )


def _home_of(atc: Path) -> Path:
    """The package that a compiler belongs to; where it is linked from counts first."""
    for path in (atc, _followed(atc)):
        for folder in list(path.parents)[:_DEPTH]:
            if not folder.name.endswith(_ARCH) and _info_of(folder) is not None:
                return folder
    folder = _followed(atc).parent
    for name in ("bin", "atc", "compiler"):
        if folder.name == name:
            folder = folder.parent
    return folder


def _versions(package: Path) -> List[Path]:
    """The folders of single versions, the newest first."""
    known = [(parse_cann(folder.name), folder) for folder in _entries(package)]
    return [folder for version, folder in sorted((v, f) for v, f in known if v)][::-1]


def _info_of(home: Path) -> Optional[Path]:
    """The file in which the installer recorded what it installed."""
    folders = [*_arch_folders(home), home]
    return _first(_is_file, [folder / name for name in _INFO_FILES for folder in folders])


def _arch_folders(home: Path) -> List[Path]:
    """``x86_64-linux`` and the like, this machine's first."""
    here = platform.machine() + _ARCH
    folders = [entry for entry in _entries(home) if entry.name.endswith(_ARCH)]
    return sorted(folders, key=lambda folder: (folder.name != here, folder.name))


def _first(test: Callable[[Path], bool], paths: Sequence[Path]) -> Optional[Path]:
    return next(filter(test, paths), None)


# A folder that may not be read, and a link that leads to itself, are as good as not there.


def _entries(folder: Path) -> List[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_program(path: Path) -> bool:
    return _is_file(path) and os.access(path, os.X_OK)


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
        return path
