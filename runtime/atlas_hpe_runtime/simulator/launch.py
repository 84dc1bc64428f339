"""The parent's side of ``atlas-hpe simulate``: start a program on the simulator."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import atlas_hpe
import atlas_hpe_runtime
from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.simulator.child import LEDGERS
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.ledger import LiveHandle
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["ProcessLedger", "launch"]

_ACL_FILE = '''"""Stands in for the module of the board: see docs/simulator.md of atlas-hpe."""

try:
    from atlas_hpe_runtime.simulator.child import take_over
except ImportError as error:
    raise ImportError(
        "the simulated acl needs atlas-hpe in the Python that runs the program: %s" % error
    )
take_over()
'''
_SIGNAL_BASE = 128
_STOP_S = 5.0


@dataclass(frozen=True)
class ProcessLedger:
    """What one process of the program left.

    Attributes:
        pid: Its number.
        calls: How often it made each call.
        live: What it did not release.
        notes: What the real device would not have forgiven.
    """

    pid: int
    calls: Mapping[str, int]
    live: Tuple[LiveHandle, ...]
    notes: Tuple[str, ...]


def launch(
    command: Sequence[str], settings: SimulatorSettings
) -> Tuple[int, Tuple[ProcessLedger, ...]]:
    """Run a program with a simulated ``acl`` and wait for it.

    Ctrl-C is the program's to answer; one that still runs after a few seconds is ended.

    Args:
        command: The program with its arguments; the Python in it needs this package.
        settings: What to simulate; the program's own processes get the same.

    Returns:
        The exit code, 128 + n after signal n, and a ledger for each process that imported ``acl``
        and ended in the ordinary way.

    Raises:
        UsageError: There is no such program, or a fault is ordered for a call that does not exist.
    """
    build_acl(Machine(settings))
    scratch = Path(tempfile.gettempdir(), "atlas-hpe-simulate-" + secrets.token_hex(8))
    modules, ledgers = scratch / "modules", scratch / "ledgers"
    try:
        scratch.mkdir(mode=0o700)  # in here: Ctrl-C may come while it is made
        modules.mkdir()
        ledgers.mkdir()
        (modules / "acl.py").write_text(_ACL_FILE, encoding="utf-8")
        environment = {**os.environ, **settings.to_environment(), LEDGERS: str(ledgers)}
        environment["PYTHONPATH"] = _python_path(modules)
        code = _run(command, environment)
        found = [_read_ledger(path) for path in sorted(ledgers.iterdir())]
        return code, tuple(ledger for ledger in found if ledger is not None)
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        child = subprocess.Popen(list(command), env=dict(environment))  # noqa: S603 - the user's
    except OSError as cause:
        raise UsageError(
            "the program can't be started",
            where=command[0],
            why=cause.strerror,
            fix="give what you would type to run it, for example: -- python program.py",
        ) from cause
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = _stop(child)
    return _SIGNAL_BASE - code if code < 0 else code


def _stop(child: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reached the program as well; one that does not end by itself is ended.

    Only Ctrl-C lets a Python program end in the ordinary way, with its ledger. So it is sent first:
    a signal to this process alone has not reached the program.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            return child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.send_signal(number)
    return child.wait()


def _python_path(modules: Path) -> str:
    """The stand-in first; this package where it is not installed for every program anyway."""
    places = [str(modules)]
    for package in (atlas_hpe, atlas_hpe_runtime):
        root = Path(str(package.__file__)).resolve().parent.parent
        if root.name not in ("site-packages", "dist-packages"):
            places.append(str(root))
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join(places + ([inherited] if inherited else []))


def _read_ledger(path: Path) -> Optional[ProcessLedger]:
    lines = []
    for line in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # the process was ended while it wrote
            break
    if not lines:
        return None
    (report,), *changes = lines
    live: Dict[Tuple[str, int], LiveHandle] = {}
    for entry in report["live"]:
        handle = LiveHandle(**entry)
        live[handle.kind, handle.handle] = handle
    notes: List[str] = list(report["notes"])
    for what, *details in changes:
        if what == "strike":
            live.pop((details[0], details[1]), None)
        else:
            notes.append(details[0])
    return ProcessLedger(report["pid"], report["calls"], tuple(live.values()), tuple(notes))
