"""The account of everything that a program was given, and of what it gave back."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Callable, Dict, List, Optional, Sequence, Tuple

__all__ = ["Ledger", "LiveHandle", "call_site", "describe"]

_PACKAGE = __name__.rpartition(".")[0]
# Modules that calls pass through on their way; what calls *them* is a call's site.
_GATES = ("atlas_hpe_runtime.acl.api", "contextlib")
_MAX_NOTES = 1000
# Smaller handles are numbers that people know: devices and models.
_FIRST_ADDRESS = 1 << 16


@dataclass(frozen=True)
class LiveHandle:
    """Something that was handed out and not taken back.

    Attributes:
        kind: ``"stream"``, ``"device memory"``, ``"model"``, ...
        handle: The number that the program was given.
        call: The call that made it, for example ``"acl.rt.create_stream"``.
        site: Where in the program that call stands, as ``file:line in function``;
            calls through the gate of this project's runtime count where the gate was called.
        size: Bytes, 0 where that means nothing.
    """

    kind: str
    handle: int
    call: str
    site: str
    size: int = 0

    def describe(self) -> str:
        """One line for a report."""
        size = f", {self.size} bytes" if self.size else ""
        number = f"{self.handle:#x}" if self.handle >= _FIRST_ADDRESS else str(self.handle)
        return f"{self.kind} {number}{size}: {self.call} at {self.site}"


class Ledger:
    """What is live, and what the program did that the real device would not have forgiven.

    Args:
        title: What the notes on stderr begin with.
    """

    def __init__(self, title: str) -> None:
        #: Called with each later change, as ``("strike", kind, handle)`` or ``("note", text)``.
        self.journal: Optional[Callable[[Tuple[object, ...]], None]] = None
        self._title = title
        self._live: Dict[Tuple[str, int], LiveHandle] = {}
        self._notes: List[str] = []
        self._lock = threading.Lock()
        self._thread = threading.local()

    def enter_call(self, call: str) -> None:
        """Remember which call the calling thread is in."""
        self._thread.call = call

    def add(self, kind: str, handle: int, size: int = 0) -> None:
        """Enter something that the program now has to give back; entered twice, it stays once."""
        call = getattr(self._thread, "call", "a task of a stream")
        entry = LiveHandle(kind, handle, call, call_site(), size)
        with self._lock:
            self._live.setdefault((kind, handle), entry)

    def strike(self, kind: str, handle: int) -> None:
        """Cross out what was given back."""
        with self._lock:
            self._live.pop((kind, handle), None)
        if self.journal is not None:
            self.journal(("strike", kind, handle))

    def note(self, text: str) -> None:
        """Say on stderr, and keep for the report, what the real device would not have forgiven."""
        line = f"{text}, at {call_site()}"
        with self._lock:
            if len(self._notes) < _MAX_NOTES:
                self._notes.append(line)
        sys.stderr.write(f"{self._title}: {line}\n")
        sys.stderr.flush()
        if self.journal is not None:
            self.journal(("note", line))

    def live(self) -> Tuple[LiveHandle, ...]:
        """What was not given back, oldest first."""
        with self._lock:
            return tuple(self._live.values())

    def notes(self) -> Tuple[str, ...]:
        """What was said on stderr, oldest first."""
        with self._lock:
            return tuple(self._notes)

    def report(self) -> str:
        """All of it as text, a line per entry."""
        return describe(self.live(), self.notes())

    def to_json(self) -> Dict[str, object]:
        """All of it as data: ``live`` (fields of LiveHandle) and ``notes``."""
        return {"live": [asdict(entry) for entry in self.live()], "notes": list(self.notes())}


def describe(live: Sequence[LiveHandle], notes: Sequence[str]) -> str:
    """What is live and what was noted as text, a line per entry."""
    lines = [f"misuse: {note}" for note in notes]
    if live:
        lines.append(f"{len(live)} not released:")
        lines += [f"  {entry.describe()}" for entry in live]
    else:
        lines.append("everything was released")
    return "\n".join(lines)


def call_site(*, whole_path: bool = True) -> str:
    """Where the program made the call that the calling thread is in.

    Args:
        whole_path: Name the file as Python knows it; False leaves its folders out.

    Returns:
        The innermost frame that is neither the simulator's nor a gate's, as
        ``file:line in function``.
    """
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not f"{name}.".startswith(_PACKAGE + ".") and name not in _GATES:
            code = frame.f_code
            file = code.co_filename if whole_path else Path(code.co_filename).name
            return f"{file}:{frame.f_lineno} in {code.co_name}"
        frame = frame.f_back
    return "a thread of the simulator"
