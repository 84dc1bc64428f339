"""A long-running program with its output streamed to a log, a time limit and no orphans."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable, List, Mapping, Optional, Sequence

from atlas_hpe.errors import DeviceError
from atlas_hpe.outfile import disk_error

__all__ = ["ProcessResult", "run_logged"]

_POLL_S = 0.2
_GRACE_S = 5.0  # between a polite TERM and a KILL
_MAX_LINE_BYTES = 4096  # of what is shown; the log holds everything
_MAX_LINES = 20  # shown
_FIRST_HINT_S = 15.0  # then each time twice as long, and at last every minute
_HINT_EVERY_S = 60.0


@dataclass(frozen=True)
class ProcessResult:
    """How a program ended.

    Attributes:
        status: Exit status; negative for the signal that ended it.
        duration_s: From start to end.
        peak_memory_mb: Most resident memory of the program and its helpers together, in 2**20
            bytes, looked at five times a second; None where the system does not tell.
        timed_out: It was stopped because its time was up.
    """

    status: int
    duration_s: float
    peak_memory_mb: Optional[float]
    timed_out: bool


def run_logged(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    log: BinaryIO,
    timeout_s: float,
    show: Callable[[str], None],
) -> ProcessResult:
    """Run a program without a shell, in a process group of its own.

    Whatever happens, the whole group is gone when this returns or raises: what the time limit, an
    interruption or the program itself leaves behind is told to stop, and killed if it does not.

    Args:
        argv: Program and arguments.
        folder: Working directory.
        environ: Its environment.
        log: Where standard output and standard error go, as they come.
        timeout_s: Seconds after which it is stopped.
        show: Takes each line as it comes, and a sign of life now and then.

    Raises:
        DeviceError: The program can't be started.
        OutputError: The log can't be written.
    """
    started = time.monotonic()
    process = _start(argv, folder, environ)
    timed_out = False
    try:
        watch = _Watch(process.pid, started, show)
        while process.poll() is None and not timed_out:
            _copy_chunk(process, log, watch, wait_s=_POLL_S)
            timed_out = time.monotonic() - started > timeout_s
            watch.look()
        _stop_group(process)
        while _copy_chunk(process, log, watch, wait_s=0):
            pass
    finally:
        _stop_group(process)
        if process.stdout is not None:
            process.stdout.close()
    watch.finish()
    return ProcessResult(
        status=process.returncode,
        duration_s=time.monotonic() - started,
        peak_memory_mb=watch.peak_mb,
        timed_out=timed_out,
    )


def _start(
    argv: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - a list of words, never a shell
            list(argv),
            cwd=str(folder),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise DeviceError(
            "the program can't be started",
            where=argv[0],
            why=error.strerror or str(error),
            fix="check that it is there, that it may be executed and that it is for this machine",
        ) from error


def _copy_chunk(
    process: subprocess.Popen[bytes], log: BinaryIO, watch: _Watch, *, wait_s: float
) -> bool:
    """Take what the program has said; False when there is nothing within the time given."""
    stream = process.stdout
    if stream is None or not select.select([stream], [], [], wait_s)[0]:
        return False
    chunk = os.read(stream.fileno(), 1 << 16)
    if not chunk:  # it has closed its output, and may go on without
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
        return False
    try:
        log.write(chunk)
        log.flush()
    except OSError as error:  # told from an error of ``show``, whose reader may go away
        raise disk_error(Path(log.name), error) from error
    watch.take(chunk)
    return True


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """TERM, a moment, KILL: to every process of the group, whether the first one lives or not."""
    for number, grace_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        try:
            os.killpg(process.pid, number)
        except OSError:  # nobody is left
            break
        end = time.monotonic() + grace_s
        while time.monotonic() < end and _group_lives(process):
            time.sleep(0.02)
    process.wait()


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # takes the first one's status, so that it is not counted as alive
    try:
        os.killpg(process.pid, 0)
    except OSError:
        return False
    return True


class _Watch:
    """Shows lines and signs of life, and notes how much memory the group holds."""

    def __init__(self, group: int, started: float, show: Callable[[str], None]) -> None:
        self.peak_mb: Optional[float] = None
        self._group = group
        self._started = started
        self._show = show
        self._rest = b""
        self._lines = 0
        self._quiet_since = started
        self._hint_s = _FIRST_HINT_S

    def take(self, chunk: bytes) -> None:
        """Show the lines that are complete."""
        self._quiet_since = time.monotonic()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        for line in lines:
            self._show_line(line)

    def finish(self) -> None:
        """Show the last line if it has no end."""
        self._show_line(self._rest)
        self._rest = b""

    def look(self) -> None:
        """Measure, and say that the program is still at work when it has long said nothing."""
        memory = _group_memory_mb(self._group)
        if memory is not None:
            self.peak_mb = max(memory, self.peak_mb or 0.0)
        now = time.monotonic()
        if now - self._quiet_since >= self._hint_s:
            self._show(f"still at work after {now - self._started:.0f} s")
            self._quiet_since = now
            self._hint_s = min(2 * self._hint_s, _HINT_EVERY_S)

    def _show_line(self, line: bytes) -> None:
        text = line[:_MAX_LINE_BYTES].decode("utf-8", "replace").rstrip()
        if not text:
            return
        self._lines += 1
        if self._lines <= _MAX_LINES:
            self._show(text)
        elif self._lines == _MAX_LINES + 1:
            self._show("... and more, which is in the log alone")


def _group_memory_mb(group: int) -> Optional[float]:
    """Resident memory of a process group, from Linux' /proc; pages they share count for each."""
    pages: List[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        # It may end between two looks, and others' files may be refused.
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything, so the fields are counted after it.
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[2]) == group:
                pages.append(int(stat[21]))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20 if pages else None
