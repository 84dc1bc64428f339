"""The machine as the examination sees it; tests build others in a folder."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, FrozenSet, List, Mapping, Optional, Sequence, Tuple

__all__ = [
    "Machine",
    "Outcome",
    "find_version",
    "is_folder",
    "is_there",
    "run_program",
    "this_machine",
]

_MAX_TEXT = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    Attributes:
        status: Its exit status, negative for the signal that ended it; None when it could not be
            started.
        text: What it wrote.
        timed_out: Its time was up and it was ended.
    """

    status: Optional[int]
    text: str
    timed_out: bool = False


#: Runs a program: words, environment, time limit in seconds.
RunProgram = Callable[[Sequence[str], Mapping[str, str], float], Outcome]


@dataclass(frozen=True)
class Machine:
    """What the examination looks at. Nothing else of the system is read.

    Attributes:
        root: Where the file system begins.
        environ: Environment; the paths in it are taken as they are.
        user: Name of the user.
        uid: Number of the user, 0 for root.
        gids: Numbers of the groups that this process is in.
        python: Version of the interpreter.
        system: Operating system, for example ``"Linux"``.
        processor: For example ``"aarch64"``.
        simulated: The module ``acl`` of this process is the simulator.
        has_module: Whether Python finds a module.
        version_of: Version of an installed distribution, None when it can't be read.
        run: Runs a program.
    """

    root: Path
    environ: Mapping[str, str]
    user: str
    uid: int
    gids: FrozenSet[int]
    python: Tuple[int, int, int]
    system: str
    processor: str
    simulated: bool
    has_module: Callable[[str], bool]
    version_of: Callable[[str], Optional[str]]
    run: RunProgram = field(repr=False)

    @property
    def python_version(self) -> str:
        """Version of the interpreter, as text."""
        return ".".join(map(str, self.python))

    def path(self, name: str) -> Path:
        """A path of the system, for example ``/proc/meminfo``."""
        return self.root / name.lstrip("/")

    def folders(self, variable: str) -> List[Path]:
        """The folders that a variable such as ``PATH`` lists."""
        listed = self.environ.get(variable, "").split(":")
        return [Path(folder) for folder in listed if folder]

    def program(self, name: str, environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
        """Where a program is on PATH, that of the machine or of another environment."""
        return shutil.which(name, path=(environ or self.environ).get("PATH", ""))

    def may_use(self, path: Path) -> bool:
        """Whether this user may read and write a file, by its mode."""
        if self.uid == 0:
            return True
        try:
            status = path.stat()
        except OSError:
            return False
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return (status.st_mode >> shift) & 0o6 == 0o6

    def in_container(self) -> bool:
        """Whether this is the inside of a container."""
        marks = ("/.dockerenv", "/run/.containerenv")
        return any(is_there(self.path(mark)) for mark in marks)


def is_there(path: Path) -> bool:
    """Whether a path exists; one that may not be looked at is as good as not there."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, as ``is_there``."""
    try:
        return path.is_dir()
    except OSError:
        return False


def this_machine() -> Machine:
    """The machine that the program runs on."""
    has_ids = hasattr(os, "getuid")
    return Machine(
        root=Path("/"),
        environ=dict(os.environ),
        user=os.environ.get("USER") or os.environ.get("LOGNAME") or "",
        uid=os.getuid() if has_ids else 0,
        gids=frozenset([os.getgid(), *os.getgroups()]) if has_ids else frozenset(),
        python=(sys.version_info[0], sys.version_info[1], sys.version_info[2]),
        system=platform.system(),
        processor=platform.machine(),
        simulated=hasattr(sys.modules.get("acl"), "__simulated__"),
        has_module=_has_module,
        version_of=find_version,
        run=run_program,
    )


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # loaded, and not from a file: the simulator in this process
        return True


def find_version(distribution: str) -> Optional[str]:
    """The version of a distribution that is installed, None when it can't be read."""
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


def run_program(words: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> Outcome:
    """Run a program with nothing to read, for a limited time; its children end with it."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the words are ours, and no shell reads them
            list(words),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Outcome(None, str(error))
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return Outcome(None, "", timed_out=True)
    finally:
        if process.poll() is None:
            _end(process)
    text = output[-_MAX_TEXT:].decode("utf-8", errors="replace")
    return Outcome(process.returncode, text)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    # One that hangs in the driver can't be killed; it is not waited for.
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
